/* schedule.h: a list of dispatches cut into pieces and submits. Pure.
 *
 * A dispatch that is estimated to take longer than the budget is cut along z, then y, then x into boxes of
 * workgroups, and so is one whose last row is shorter than the others; a new submit starts where the budget of the current one is used up. Pieces come out in order.
 */
#ifndef QUARTIC_GPU_SCHEDULE_H
#define QUARTIC_GPU_SCHEDULE_H

#include "gpu/gpu.h"

/* A quarter of the desktop watchdog's 2 s, on speeds that are pessimistic already. */
#define QUARTIC_GPU_SUBMIT_SECONDS 0.5

/* A box of workgroups. */
typedef struct quartic_gpu_box {
    uint32_t base[3], groups[3];
} quartic_gpu_box;

/* What a command launches, as one box or, where its last row is shorter, two. Returns their number. */
uint32_t quartic_gpu_command_boxes(const quartic_gpu_command *command, quartic_gpu_box out_boxes[2]);

typedef struct quartic_gpu_piece {
    uint32_t command;
    uint32_t base[3], groups[3];
    bool first;      /* of its command */
    bool new_submit; /* true for the first piece of all */
} quartic_gpu_piece;

typedef struct quartic_gpu_schedule {
    const quartic_gpu_command *commands;
    uint32_t count;
    double flops_per_second, bytes_per_second;
    /* the position */
    uint32_t command, box;    /* box: of the command */
    uint32_t parts[3], at[3]; /* parts[0] is 0 between boxes */
    double piece_seconds, spent;
    bool started;
} quartic_gpu_schedule;

quartic_gpu_schedule quartic_gpu_schedule_begin(const quartic_gpu_command *commands, uint32_t count,
                                                double flops_per_second, double bytes_per_second);
/* The next piece, or false at the end. */
bool quartic_gpu_schedule_next(quartic_gpu_schedule *schedule, quartic_gpu_piece *out_piece);

/* Whether recorded commands that take so long still go into the submit that has enqueued_seconds so far. */
bool quartic_gpu_submit_has_room(double enqueued_seconds, double seconds);

#endif
