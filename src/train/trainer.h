/* trainer.h (internal): what the files of this room share.
 *
 * Two programs over the same flat tensors (P): micro = forward, loss, backward, gradients added, their sum of
 * squares; apply = AdamW, then gradients = 0. So the gradients are zero between steps, unless gradients_used
 * says that a step was not applied: the next one clears them first.
 *
 * A step is one submit of both, with its inputs uploaded before and its loss, norm and sum of squared weights
 * fetched after. Up to QUARTIC_TRAINER_FLIGHTS steps are in flight; the next call collects the older one. A step
 * whose loss or norm is not finite must change nothing although the update is submitted with it: its squared
 * norm is then not finite (0 times the loss is added to it), and adamw leaves everything as it is.
 */
#ifndef QUARTIC_TRAIN_TRAINER_H
#define QUARTIC_TRAIN_TRAINER_H

#include "model/model.h"
#include "quartic/train.h"
#include "run/access.h"

enum { QUARTIC_TRAINER_FLIGHTS = 2 };

/* A step that was submitted and whose numbers were not read yet. */
typedef struct quartic_trainer_flight {
    quartic_step_report report; /* without loss and norm */
    bool applied;               /* no trial */
    quartic_fetch **losses;     /* one per micro-batch */
    quartic_fetch *squared_norm, *squared_weights;
} quartic_trainer_flight;

struct quartic_trainer {
    quartic_model *model;
    quartic_trainer_config config;
    quartic_tensor *gradients, *first_moment, *second_moment; /* (P) */
    quartic_tensor *squared_norm;                             /* scalar: micro writes it, apply reads it */
    quartic_tensor *loss_sum; /* scalar: of the accumulated micro-batches; NULL with a single one */
    quartic_program *micro, *apply;
    int32_t *mask;             /* (b, n), if masked */
    int32_t *tokens, *targets; /* (accumulation, b, n): sampled batches */
    uint64_t step, position;   /* step: updates that were collected */
    char *note;                /* the caller's text; NULL: none */
    bool trial, gradients_used;
    quartic_trainer_flight flights[QUARTIC_TRAINER_FLIGHTS]; /* a ring */
    uint32_t oldest_flight, flight_count;
    quartic_step_report report; /* of the step collected last */
};

/* Waits for all submitted steps; the first of their errors. */
quartic_status quartic_trainer_settle(quartic_trainer *trainer);

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
