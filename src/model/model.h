/* model.h (internal): what the folders model and train share of a model.
 *
 * P stands for the elements of the flat weight tensor. A model's graphs use these names: parameter
 * "parameters" (P), inputs as of quartic_nn_declare_inputs and "targets" (rows of logits), "dropout_seed"
 * (2), state "gradients" (P), outputs "logits", "loss", "attention.<layer>", "edges.<layer>", "diversity". A
 * weighted task has scalar inputs, too: the cross entropy counts "target_share" times (this batch's part of
 * all targets) and the diversity loss, a mean over sequences, "batch_share" times, so that the parts' losses
 * and gradients add up to the larger batch's.
 */
#ifndef QUARTIC_MODEL_MODEL_H
#define QUARTIC_MODEL_MODEL_H

#include "base/options.h"
#include "model/fields.h"
#include "nn/models.h"
#include "quartic/io.h"
#include "quartic/model.h"

extern const quartic_field_table quartic_model_field_table;
extern const quartic_options_type quartic_model_config_type, quartic_model_batch_type;

/* Reads bytes of JSON as quartic_model_config_read_json does. An error names the file that they are from. */
quartic_status quartic_model_config_read_from(quartic_model_config *inout_config, const char *text,
                                              size_t bytes, const char *path);

/* Replaces values that stand for "derived from others" (0, or the form "default") by the values that they
 * mean. */
void quartic_model_config_derive(quartic_model_config *config);

/* INVALID_ARGUMENT for options that nothing in the model would read. The derived values must be filled in. */
quartic_status quartic_model_check_options(const quartic_model_config *config);

/* What a graph of a model computes; each combination is a graph of its own. */
typedef struct quartic_model_task {
    uint32_t batch, length;
    bool masked;
    bool logits, attention, edges, diversity; /* outputs */
    bool loss;                                /* needs targets */
    bool gradients;                           /* adds the loss's gradients to the state "gradients" */
    bool replace;                             /* .. or puts them there; what has no gradient stays as it is */
    bool norm;                                /* output "squared_norm": that of the state afterwards */
    bool gate;     /* adds 0 times the loss to the scalar state "gate": not finite once a loss is not */
    bool weighted; /* loss and gradients are parts of a larger batch's */
    bool dropout;
} quartic_model_task;

/* One compiled task, with its own host buffer, so that a call allocates nothing. */
typedef struct quartic_model_program {
    quartic_model_task task;
    quartic_program *program;
    int32_t *mask;     /* (b, n), if masked */
    uint64_t last_use; /* in calls: the value of quartic_model.clock */
} quartic_model_program;

struct quartic_model {
    quartic_device *device;
    quartic_model_config config; /* derived */
    quartic_parameter_set set;
    quartic_tensor *weights; /* (P) */
    bool owns_weights;
    quartic_tensor *gradients; /* (P), from the first call of quartic_model_gradients */
    bool has_gradients;
    quartic_model_program *programs;
    uint32_t program_count, program_places; /* used and allocated entries of programs */
    uint64_t clock; /* calls so far, for finding the program that was unused for longest */
    char loaded_prefix[QUARTIC_PARAMETER_NAME]; /* see quartic_model_loaded_prefix */
};

/* Builds a task's graph, which the caller destroys; NULL after an error. out_trained (may be NULL): for a
 * task with gradients, whether the loss depends on each of the model's weights. */
quartic_status quartic_model_build(const quartic_model *model, const quartic_model_task *task,
                                   bool *out_trained, quartic_graph **out_graph);

/* INVALID_ARGUMENT for sizes that the model cannot take. */
quartic_status quartic_model_check_size(const quartic_model *model, uint32_t batch, uint32_t length);
/* Checks a batch, as read by quartic_options_read: its sizes, inputs that are missing or that the model does
 * not take, and the range of every number. Errors: INVALID_ARGUMENT, NON_FINITE. */
quartic_status quartic_model_check_batch(const quartic_model *model, const quartic_model_batch *in,
                                         bool with_targets);
/* The part of a batch from graph `first` on, of count graphs. Its pointers point into the batch. */
quartic_model_batch quartic_model_batch_part(const quartic_model *model, const quartic_model_batch *in,
                                             uint32_t first, uint32_t count);
/* Writes a program's inputs from a checked batch; mask (b, n) is where the mask is widened, if there is
 * one. */
quartic_status quartic_model_write_batch(const quartic_model *model, quartic_program *program,
                                         const quartic_model_batch *in, int32_t *mask, bool with_targets);
/* Writes count numbers of 4 bytes. */
quartic_status quartic_model_write_input(quartic_program *program, const char *name, const void *data,
                                         size_t count);

/* Reads the tensors prefix + name of all the model's weights out of a file into a flat host storage (P),
 * checked: all there, right shapes, real types, finite. Gaps are zeroed. */
quartic_status quartic_model_stage(const quartic_model *model, const quartic_safetensors *file,
                                   const char *path, const char *prefix, float *out_storage);
/* Refuses tensors that are neither weights nor start with a prefix that trainers use. */
quartic_status quartic_model_refuse_extra(const quartic_model *model, const quartic_safetensors *file,
                                          const char *path);

/* NON_FINITE, naming the first number in a flat storage (P) that is infinite or NaN and its weight; what:
 * "weight" or "gradient of". Gaps between weights do not count. */
quartic_status quartic_model_check_finite(const quartic_model *model, const char *what, const char *prefix,
                                          const float *storage);

/* Prefixes of what trainers save beside the weights. */
#define QUARTIC_TRAINER_PREFIX "adamw."

/* Describes a flat storage's slices as tensors prefix + name, for saving: count entries with names that
 * quartic_free frees one by one. */
quartic_status quartic_model_describe(const quartic_model *model, const char *prefix, const float *storage,
                                      quartic_safetensors_tensor *out_tensors);

/* Copies a tensor (P) of the device to new host memory, freed with quartic_free. */
quartic_status quartic_model_fetch(const quartic_model *model, const quartic_tensor *tensor,
                                   float **out_storage);

#endif
