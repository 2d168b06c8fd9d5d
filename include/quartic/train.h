/* train.h: training with AdamW, and checkpoints that resume bit for bit.
 *
 * One step: for each of `accumulation` micro-batches, forward, loss and backward, gradients added into one
 * flat state; then one AdamW update, with the gradient's norm clipped. Loss and gradients are those of one
 * batch of all accumulation * batch sequences or graphs, within rounding and but for dropout's choices: the
 * cross entropy is the mean over all targets of the step that are not ignored, so a micro-batch counts by
 * their number (whether they are of tokens, nodes, edges or graphs) and one without any counts nothing; the
 * streams' diversity loss is the mean over all sequences. Weights that the loss does not depend on stay as
 * they are, without decay. Learning rate: linear warm-up over warmup_steps, then a
 * cosine down to final_learning_rate at total_steps; constant if that is 0. Everything random (dropout,
 * batches) is a pure function of (seed, step), so that a resumed run repeats the uninterrupted one exactly.
 * All calls block. A trainer is used by the thread that uses its model.
 */
#ifndef QUARTIC_TRAIN_H
#define QUARTIC_TRAIN_H

#include "quartic/model.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The settings of a training run, once; names are JSON keys. Kinds as in QUARTIC_MODEL_FIELD_LIST. A REAL's
 * most is included here: REAL(name, default, least, most, meaning). batch and length must be given. */
#define QUARTIC_TRAINER_FIELD_LIST(COUNT, FLAG, REAL)                                                        \
    COUNT(batch, 0, 1, 1048576, "sequences of one micro-batch")                                              \
    COUNT(length, 0, 1, 65536, "tokens of a sequence")                                                       \
    COUNT(accumulation, 1, 1, 65536, "micro-batches of one step")                                            \
    FLAG(masked, 0, "steps come with a mask")                                                                \
    REAL(learning_rate, 3e-4f, 0.0f, 1e3f, "AdamW's, at the end of the warm-up")                             \
    REAL(final_learning_rate, 0.0f, 0.0f, 1e3f, "at total_steps and after")                                  \
    COUNT(warmup_steps, 0, 0, 4294967295u, "steps of linear warm-up")                                        \
    COUNT(total_steps, 0, 0, 4294967295u,                                                                    \
          "where the cosine ends; 0: the rate stays constant after the warm-up")                             \
    REAL(beta1, 0.9f, 0.0f, 0.9999999f, "decay of the first moment")                                         \
    REAL(beta2, 0.999f, 0.0f, 0.9999999f, "decay of the second moment")                                      \
    REAL(eps, 1e-8f, 1e-18f, 1.0f, "added to the root of the second moment; the least keeps it from 0")      \
    REAL(weight_decay, 0.01f, 0.0f, 1e3f, "decoupled decay of every weight")                                 \
    REAL(clip, 1.0f, 0.0f, 1e9f, "greatest norm of the gradient; 0: no clipping")

typedef struct quartic_trainer_config {
    size_t struct_size;
#define QUARTIC_TRAINER_COUNT_FIELD(name, standard, least, most, meaning) uint32_t name;
#define QUARTIC_TRAINER_FLAG_FIELD(name, standard, meaning)               uint32_t name;
#define QUARTIC_TRAINER_REAL_FIELD(name, standard, least, most, meaning)  float name;
    QUARTIC_TRAINER_FIELD_LIST(QUARTIC_TRAINER_COUNT_FIELD, QUARTIC_TRAINER_FLAG_FIELD,
                               QUARTIC_TRAINER_REAL_FIELD)
#undef QUARTIC_TRAINER_COUNT_FIELD
#undef QUARTIC_TRAINER_FLAG_FIELD
#undef QUARTIC_TRAINER_REAL_FIELD
    uint64_t seed; /* of dropout and of sampled batches */
} quartic_trainer_config;

#define QUARTIC_TRAINER_COUNT_DEFAULT(name, standard, least, most, meaning) standard,
#define QUARTIC_TRAINER_FLAG_DEFAULT(name, standard, meaning)               standard,
#define QUARTIC_TRAINER_REAL_DEFAULT(name, standard, least, most, meaning)  standard,
#define QUARTIC_TRAINER_CONFIG_INIT                                                                          \
    {                                                                                                        \
        sizeof(quartic_trainer_config),                                                                      \
            QUARTIC_TRAINER_FIELD_LIST(QUARTIC_TRAINER_COUNT_DEFAULT, QUARTIC_TRAINER_FLAG_DEFAULT,          \
                                       QUARTIC_TRAINER_REAL_DEFAULT) 0                                       \
    }

typedef struct quartic_trainer quartic_trainer;

/* Compiles a trainer of the model's weights; the model must outlive it. Errors: INVALID_ARGUMENT for a
 * setting outside its range (or NaN) and for settings that cannot work: an eps that vanishes beside the
 * moments of the smallest gradients, a warm-up that ends after total_steps; OUT_OF_MEMORY,
 * OUT_OF_DEVICE_MEMORY with the figures. */
QUARTIC_API quartic_status quartic_trainer_create(quartic_model *model, const quartic_trainer_config *config,
                                                  quartic_trainer **out_trainer);
/* NULL is fine. */
QUARTIC_API void quartic_trainer_destroy(quartic_trainer *trainer);
/* The configuration that it was created with. Owned by the trainer. */
QUARTIC_API const quartic_trainer_config *quartic_trainer_get_config(const quartic_trainer *trainer);

/* What the trainer of this model and configuration needs besides the weights, before anything is compiled:
 * workspace, and the gradients, moments and inputs as own_tensor_bytes. */
QUARTIC_API quartic_status quartic_trainer_measure(const quartic_model *model,
                                                   const quartic_trainer_config *config,
                                                   quartic_program_memory *out_memory);

typedef struct quartic_step_report {
    uint64_t step;       /* the step just done; the first is 1 */
    float loss;          /* mean over the step's targets, before the update; 0 without any */
    float gradient_norm; /* of its gradient, before clipping */
    float learning_rate;
    uint64_t targets; /* those that count: a mean over steps weights each loss with them */
} quartic_step_report;

/* One step on tokens (accumulation, batch, length), targets of the same shape (negative: ignored) and, if the
 * configuration says masked, a mask of bytes (1 = real), else NULL.
 *
 * With out_report the call waits for the step and reports it. With NULL it does not wait: the step is submitted
 * (by one submit to the device's queue, if it is short enough for one), the arrays may be used again, and the
 * call waits only for the step before it, whose errors it returns; so the device always has work. The step's
 * own loss, norm and errors come from the next call or from quartic_trainer_wait, and report.step says whose
 * they are. Reading weights, quartic_trainer_save and a trial wait for all steps first. On the devices of the
 * CPU every call is done when it returns. Errors: as quartic_model_gradients; NON_FINITE if the loss or the gradient's norm is infinite or NaN: then *out_report
 * tells which, the weights, moments and step are as before, and training may go on with other data or a
 * smaller rate; NON_FINITE, too, naming it, if a weight is infinite or NaN after the update: then the weights
 * are damaged, quartic_trainer_save refuses them, and quartic_trainer_load brings back good ones. */
QUARTIC_API quartic_status quartic_trainer_step(quartic_trainer *trainer, const int32_t *tokens,
                                                const int32_t *targets, const uint8_t *mask,
                                                quartic_step_report *out_report);

/* Of the last step whose numbers were read, which may be one before the last that was submitted; all 0 before the
 * first. Does not wait. */
QUARTIC_API quartic_step_report quartic_trainer_get_report(const quartic_trainer *trainer);

/* Waits for the steps that were submitted without a report, until one fails; *out_report, which may be NULL,
 * is of the last step that was waited for here or in a step's call. Errors: as quartic_trainer_step. */
QUARTIC_API quartic_status quartic_trainer_wait(quartic_trainer *trainer, quartic_step_report *out_report);

/* The same on a batch of accumulation * batch graphs or sequences of `length`, for all models; it has a mask
 * exactly if the configuration says masked. */
QUARTIC_API quartic_status quartic_trainer_step_batch(quartic_trainer *trainer,
                                                      const quartic_model_batch *batch,
                                                      quartic_step_report *out_report);

/* One step of next-token prediction on windows of length + 1 tokens drawn from data by quartic_batch_sample
 * with the trainer's seed and step. Errors: also too little data. */
QUARTIC_API quartic_status quartic_trainer_step_sampled(quartic_trainer *trainer, const int32_t *data,
                                                        uint64_t count, quartic_step_report *out_report);

/* With 1, the steps to come are trials: loss and gradient are computed and checked, and nothing is updated
 * nor counted, until 0 ends that. Weights may be finite and yet give no finite loss; a trial on the next
 * batch shows that before a good checkpoint is replaced. NULL is fine. */
QUARTIC_API void quartic_trainer_set_trial(quartic_trainer *trainer, uint32_t trial);

/* Steps submitted so far, but for those that are known to have failed. */
QUARTIC_API uint64_t quartic_trainer_get_step(const quartic_trainer *trainer);
/* A number of the caller's that checkpoints carry along, such as where in the data the next batch starts. */
QUARTIC_API uint64_t quartic_trainer_get_position(const quartic_trainer *trainer);
QUARTIC_API void quartic_trainer_set_position(quartic_trainer *trainer, uint64_t position);

/* A text of the caller's that checkpoints carry along, such as settings of a program's own; "" at first. The
 * trainer keeps a copy. quartic_trainer_load brings in that of the file, whose metadata call it "note".
 * Errors: INVALID_ARGUMENT (also if it is not UTF-8), OUT_OF_MEMORY. */
QUARTIC_API quartic_status quartic_trainer_set_note(quartic_trainer *trainer, const char *note);
QUARTIC_API const char *quartic_trainer_get_note(const quartic_trainer *trainer);

/* The learning rate of a step (the first is 1); 0 for a configuration without struct_size. Pure. */
QUARTIC_API float quartic_learning_rate(const quartic_trainer_config *config, uint64_t step);

/* Draws rows windows of length + 1 consecutive tokens, uniformly, as a pure function of (seed, step): tokens
 * (rows, length) and, one further, targets (rows, length). Errors: INVALID_ARGUMENT if count < length + 1, or
 * rows or length is 0. */
QUARTIC_API quartic_status quartic_batch_sample(const int32_t *data, uint64_t count, uint64_t seed,
                                                uint64_t step, uint32_t rows, uint32_t length,
                                                int32_t *out_tokens, int32_t *out_targets);

/* Saves weights, moments, step, position, note and both configurations in one safetensors file, replaced as
 * quartic_file_save does. quartic_model_open reads the model out of it. Errors, with the file untouched: IO;
 * NON_FINITE if a weight or moment is infinite or NaN, so that a good checkpoint is never replaced by one
 * that could not be loaded. */
QUARTIC_API quartic_status quartic_trainer_save(const quartic_trainer *trainer, const char *path);
/* Restores all of that, so that training goes on bit for bit. Errors, with nothing changed: as
 * quartic_model_load; FORMAT if the file is no checkpoint; INVALID_ARGUMENT if a setting that the run depends
 * on (seed, batch, length, accumulation, masked) or any key or entry of the model's configuration differs
 * from the trainer's, naming both values. */
QUARTIC_API quartic_status quartic_trainer_load(quartic_trainer *trainer, const char *path);
/* The settings saved in a checkpoint, for a tool that resumes. Errors: IO, FORMAT. */
QUARTIC_API quartic_status quartic_trainer_config_read(const char *path, quartic_trainer_config *out_config);

#ifdef __cplusplus
}
#endif
#endif
