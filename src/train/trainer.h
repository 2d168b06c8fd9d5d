/* trainer.h (internal): what the files of this folder share.
 *
 * A step runs two programs over the same flat tensors (P elements):
 *     micro  forward, loss and backward; adds to the gradients and computes the sum of their squares
 *     apply  AdamW, then gradients = 0
 * So the gradients are zero between steps. If a step was not applied, gradients_used is true, and the next
 * step clears them first. With one micro-batch a step, micro puts its gradients in the place of the last
 * step's, and nothing is cleared.
 */
#ifndef QUARTIC_TRAIN_TRAINER_H
#define QUARTIC_TRAIN_TRAINER_H

#include "model/model.h"
#include "quartic/train.h"

struct quartic_trainer {
    quartic_model *model;
    quartic_trainer_config config;
    quartic_tensor *gradients, *first_moment, *second_moment; /* (P) */
    quartic_tensor *squared_norm;                             /* scalar: micro writes it, apply reads it */
    quartic_program *micro, *apply;
    int32_t *mask;             /* (b, n), if masked */
    int32_t *tokens, *targets; /* (accumulation, b, n): sampled batches */
    uint64_t step, position;
    char *note;          /* the caller's text; NULL: none */
    bool trial;          /* steps compute loss and gradients, but apply nothing */
    bool gradients_used; /* the gradients may not be zero */
};

extern const quartic_field_table quartic_trainer_field_table;

/* Reads and checks the caller's configuration. Errors: INVALID_ARGUMENT. */
quartic_status quartic_trainer_config_take(const quartic_trainer_config *given,
                                           quartic_trainer_config *out_config);

/* Random streams of the trainer's seed. Those of the initial weights count from 0 and do not reach these. */
enum {
    QUARTIC_BATCH_STREAM = 0x40000000,
    QUARTIC_DROPOUT_STREAM = 0x40000001,
    QUARTIC_SHUFFLE_STREAM = 0x40000002
};

#endif
