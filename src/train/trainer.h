/* trainer.h (internal): what the files of this folder share.
 *
 * A step runs two programs over the same flat tensors (P elements):
 *     micro  forward, loss and backward; adds to the gradients and computes the sum of their squares
 *     apply  AdamW, then gradients = 0
 * So the gradients are zero between steps. If a step was not applied, must_clear is true, and the next step
 * clears them first. With one micro-batch a step, micro puts its gradients in the place of the last step's, and
 * they need no clearing.
 *
 * A step is submitted whole: uploads of its inputs, micro-batches and update, and the fetches of its loss, norm
 * and sum of squared weights. Up to QUARTIC_TRAINER_FLIGHTS steps are in flight; collecting one reads its numbers.
 * A step whose loss or norm is not finite must change nothing, nor must the step behind it, although their
 * updates are submitted by then. The scalar "gate" sees to that on the device. It is 0; 0 times each loss and each
 * norm is added to it, so that it becomes and stays NaN. It is added to the squared norm that adamw reads, and
 * adamw does nothing if that is not finite. The host clears it after it has reported the failed step.
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
    quartic_tensor *gate; /* scalar: 0, or not finite once a step failed */
    quartic_program *micro, *apply;
    int32_t *mask;             /* (b, n), if masked */
    int32_t *tokens, *targets; /* (accumulation, b, n): sampled batches */
    uint64_t step, position;   /* step: updates that were collected */
    char *note;                /* the caller's text; NULL: none */
    bool trial;                /* steps compute loss and gradients, but apply nothing */
    bool must_clear;           /* the gradients or the gate may not be zero */
    quartic_trainer_flight flights[QUARTIC_TRAINER_FLIGHTS]; /* a ring */
    uint32_t oldest_flight, flight_count;
    quartic_step_report report; /* of the step collected last */
};

/* Waits for all submitted steps; the first of their errors. */
quartic_status quartic_trainer_settle(quartic_trainer *trainer);

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
