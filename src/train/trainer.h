/* trainer.h (internal): what the files of this room share.
 *
 * Two programs over the same flat tensors (P): micro = forward, loss, backward, gradients added, their sum of
 * squares; apply = AdamW, then gradients = 0. So the gradients are zero between steps, unless gradients_used
 * says that a step was not applied: the next one clears them first. With one micro-batch a step, micro puts its
 * gradients in the place of the last step's, and nothing is cleared.
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
    char *note; /* the caller's text; NULL: none */
    bool trial, gradients_used;
};

extern const quartic_field_table quartic_trainer_field_table;

/* The caller's configuration as the library's, checked. */
quartic_status quartic_trainer_config_take(const quartic_trainer_config *given,
                                           quartic_trainer_config *out_config);

/* Random streams of the trainer's seed; far above those of initial weights, which count from 0. */
enum {
    QUARTIC_BATCH_STREAM = 0x40000000,
    QUARTIC_DROPOUT_STREAM = 0x40000001,
    QUARTIC_SHUFFLE_STREAM = 0x40000002
};

#endif
