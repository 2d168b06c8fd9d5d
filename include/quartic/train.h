/* train.h: training with AdamW, and checkpoints that resume bit for bit.
 *
 * One step runs the forward pass, the loss and the backward pass for each of `accumulation` micro-batches and
 * adds the gradients; then it clips the gradient's norm and makes one update by AdamW.
 * - Loss and gradients are those of one batch of all accumulation * batch sequences or graphs, within
 *   rounding and except for the choices of dropout. The cross entropy is the mean over all targets of the
 *   step that are not ignored, whether they are of tokens, nodes, edges or graphs; a micro-batch without such
 *   a target counts nothing. The diversity loss of the streams is the mean over all sequences.
 * - Weights that the loss does not depend on stay as they are; they do not decay either.
 * - The learning rate rises linearly over warmup_steps, then falls by a cosine to final_learning_rate at
 *   total_steps; it stays constant if total_steps is 0.
 * - Everything random (dropout, batches) is a pure function of (seed, step), so a resumed run repeats the
 *   uninterrupted one exactly.
 * One thread at a time uses a trainer and its model. On a Vulkan device, creating, stepping, saving and
 * loading submit.
 *
 * Stability: making a trainer, its steps and its checkpoints are stable; the rest is unstable, as the lines
 * above the groups say. quartic.h says what that means.
 */
#ifndef QUARTIC_TRAIN_H
#define QUARTIC_TRAIN_H

#include "quartic/model.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- trainers: stable ---- */

/* The settings of a training run; their names are also the JSON keys. Kinds as in QUARTIC_MODEL_FIELD_LIST. A
 * REAL's most is included here: REAL(name, default, least, most, meaning). batch and length must be given. */
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

/* Compiles a trainer for the model's weights; the caller destroys it, before the model. After an error
 * *out_trainer is NULL. Errors: INVALID_ARGUMENT for a setting outside its range (or NaN) and for settings
 * that cannot work: an eps that vanishes beside the moments of the smallest gradients, a warm-up that ends
 * after total_steps; OUT_OF_MEMORY, OUT_OF_DEVICE_MEMORY with the figures. */
QUARTIC_API quartic_status quartic_trainer_create(quartic_model *model, const quartic_trainer_config *config,
                                                  quartic_trainer **out_trainer);
/* Frees the trainer; NULL is fine. The model stays. */
QUARTIC_API void quartic_trainer_destroy(quartic_trainer *trainer);
/* Returns the configuration that it was created with, owned by the trainer; NULL for NULL, with an error
 * message. */
QUARTIC_API const quartic_trainer_config *quartic_trainer_get_config(const quartic_trainer *trainer);

typedef struct quartic_step_report {
    uint64_t step;       /* which step this is a report of; the first is 1 */
    float loss;          /* mean over the step's targets, before the update; 0 without any */
    float gradient_norm; /* of its gradient, before clipping */
    float learning_rate;
    uint64_t targets; /* those that count: a mean over steps weights each loss with them */
} quartic_step_report;

/* Makes one step on tokens (accumulation, batch, length), targets of the same shape (negative: ignored) and,
 * if the configuration says masked, a mask of bytes (1 = real), else NULL.
 *
 * With out_report the call waits for the step and reports it. With out_report NULL the call submits the step and
 * waits, on a Vulkan device, only for the step before it, so that the device always has work: then the loss, the
 * norm and the errors of a step come from the next call, or from quartic_trainer_wait. quartic_trainer_get_report
 * tells them, and report.step says of which step they are. The arrays may be reused at once either way. Both
 * ways give the same numbers, bit for bit. CPU devices have done the step when the call returns.
 *
 * Errors: as quartic_model_gradients, and those of the step before. NON_FINITE if the loss or the gradient's norm
 * is infinite or NaN: then the report tells which, weights, moments and step are as before that step, a step
 * that was submitted behind it is dropped (quartic_trainer_get_step tells where training stands), and training
 * may go on with other data or a smaller rate. Also NON_FINITE, naming it, if a weight is infinite or NaN after
 * the update: then the weights are damaged, quartic_trainer_save refuses them, and quartic_trainer_load restores
 * good ones. */
QUARTIC_API quartic_status quartic_trainer_step(quartic_trainer *trainer, const int32_t *tokens,
                                                const int32_t *targets, const uint8_t *mask,
                                                quartic_step_report *out_report);

/* Waits for all steps that were submitted, or until one fails. *out_report, which may be NULL, gets the report of
 * the last step that was waited for, here or in the call of a step. Errors: as quartic_trainer_step. */
QUARTIC_API quartic_status quartic_trainer_wait(quartic_trainer *trainer, quartic_step_report *out_report);

/* Returns the report of the last step that was waited for, failed ones included: of the last submitted step or
 * the one before it. All 0 before the first, and for NULL, with an error message. Never waits. */
QUARTIC_API quartic_step_report quartic_trainer_get_report(const quartic_trainer *trainer);

/* The same on a batch of accumulation * batch graphs or sequences of `length`, for all models; it has a mask
 * if and only if the configuration says masked. */
QUARTIC_API quartic_status quartic_trainer_step_batch(quartic_trainer *trainer,
                                                      const quartic_model_batch *batch,
                                                      quartic_step_report *out_report);

/* Makes one step of next-token prediction on windows of length + 1 tokens drawn from data by
 * quartic_batch_sample with the trainer's seed and step. Errors: also too little data. */
QUARTIC_API quartic_status quartic_trainer_step_sampled(quartic_trainer *trainer, const int32_t *data,
                                                        uint64_t count, quartic_step_report *out_report);

/* Returns the number of steps so far, those that were submitted and not yet waited for included; 0 for NULL,
 * with an error message. */
QUARTIC_API uint64_t quartic_trainer_get_step(const quartic_trainer *trainer);
/* ---- checkpoints: stable ---- */

/* Saves weights, moments, step, position, note and both configurations in one safetensors file, replaced as
 * quartic_file_save does, after waiting for all submitted steps. quartic_model_open reads the model out of it.
 * Errors, with the file untouched: IO; those of a step that was waited for; NON_FINITE if a weight or moment is
 * infinite or NaN, so that a good checkpoint is never replaced by one that could not be loaded. */
QUARTIC_API quartic_status quartic_trainer_save(const quartic_trainer *trainer, const char *path);
/* Restores all of that, so that training continues bit for bit. Errors, with nothing changed: as
 * quartic_model_load; FORMAT if the file is no checkpoint; INVALID_ARGUMENT if a setting that the run depends
 * on (seed, batch, length, accumulation, masked) or any key or entry of the model's configuration differs
 * from the trainer's, naming both values. */
QUARTIC_API quartic_status quartic_trainer_load(quartic_trainer *trainer, const char *path);
/* ---- memory, trials, notes, schedules: unstable ---- */

/* Gives what a trainer of this model and configuration would need besides the weights, without compiling
 * anything: the workspace, and gradients, moments and inputs as own_tensor_bytes. Errors: as
 * quartic_trainer_create. Never submits. */
QUARTIC_API quartic_status quartic_trainer_measure(const quartic_model *model,
                                                   const quartic_trainer_config *config,
                                                   quartic_program_memory *out_memory);

/* Switches trials on (1) or off (0). A step that is a trial computes and checks loss and gradient but updates
 * and counts nothing. Finite weights may still give a loss that is not finite: a trial on the next batch
 * shows that before a good checkpoint is replaced. NULL is fine. Cannot fail. */
QUARTIC_API void quartic_trainer_set_trial(quartic_trainer *trainer, uint32_t trial);

/* A number of the caller that checkpoints store, such as where in the data the next batch starts; 0 at first,
 * and 0 for NULL, with an error message. */
QUARTIC_API uint64_t quartic_trainer_get_position(const quartic_trainer *trainer);
QUARTIC_API void quartic_trainer_set_position(quartic_trainer *trainer, uint64_t position);

/* A text of the caller that checkpoints store, such as settings of the program; "" at first. The trainer
 * keeps a copy. quartic_trainer_load takes over that of the file, whose metadata call it "note". get returns
 * a text that is valid until the next set or load. Errors of set: INVALID_ARGUMENT (also if it is not UTF-8),
 * OUT_OF_MEMORY. */
QUARTIC_API quartic_status quartic_trainer_set_note(quartic_trainer *trainer, const char *note);
QUARTIC_API const char *quartic_trainer_get_note(const quartic_trainer *trainer);

/* Returns the learning rate of a step (the first is 1); 0, with an error message, for a configuration that
 * quartic_trainer_create would refuse, but for a batch or length of 0. A pure function. */
QUARTIC_API float quartic_learning_rate(const quartic_trainer_config *config, uint64_t step);

/* Draws rows windows of length + 1 consecutive tokens, uniformly, as a pure function of (seed, step): tokens
 * (rows, length) and, one further, targets (rows, length). Errors: INVALID_ARGUMENT if count < length + 1, or
 * rows or length is 0. */
QUARTIC_API quartic_status quartic_batch_sample(const int32_t *data, uint64_t count, uint64_t seed,
                                                uint64_t step, uint32_t rows, uint32_t length,
                                                int32_t *out_tokens, int32_t *out_targets);

/* Gives the settings that a checkpoint stores, for a program that resumes. Errors: IO, FORMAT, OUT_OF_MEMORY.
 * Never submits. */
QUARTIC_API quartic_status quartic_trainer_config_read(const char *path, quartic_trainer_config *out_config);

#ifdef __cplusplus
}
#endif
#endif
