/* schedule.c: cutting dispatches into pieces and submits. See schedule.h. */
#include "gpu/schedule.h"

#include <math.h>

quartic_gpu_schedule quartic_gpu_schedule_begin(const quartic_gpu_command *commands, uint32_t count,
                                                double flops_per_second, double bytes_per_second) {
    return (quartic_gpu_schedule){.commands = commands,
                                  .count = count,
                                  .flops_per_second = flops_per_second,
                                  .bytes_per_second = bytes_per_second};
}

/* Decides into how many parts along each axis the current command goes. */
static void choose_parts(quartic_gpu_schedule *schedule) {
    const quartic_gpu_command *command = &schedule->commands[schedule->command];
    double seconds =
        fmax(command->flops / schedule->flops_per_second, command->bytes / schedule->bytes_per_second);
    double need = fmax(1.0, ceil(seconds / QUARTIC_GPU_SUBMIT_SECONDS)), parts = 1.0;
    for (int axis = 2; axis >= 0; --axis) {
        double here = fmin(need, (double)command->groups[axis]);
        schedule->parts[axis] = here < 1.0 ? 1 : (uint32_t)here;
        schedule->at[axis] = 0;
        need = ceil(need / (double)schedule->parts[axis]);
        parts *= (double)schedule->parts[axis];
    }
    schedule->piece_seconds = seconds / parts;
}

static uint32_t part_begin(uint32_t groups, uint32_t parts, uint32_t index) {
    return (uint32_t)((uint64_t)groups * index / parts);
}

bool quartic_gpu_submit_has_room(double enqueued_seconds, double seconds) {
    return enqueued_seconds == 0.0 || enqueued_seconds + seconds <= QUARTIC_GPU_SUBMIT_SECONDS;
}

bool quartic_gpu_schedule_next(quartic_gpu_schedule *schedule, quartic_gpu_piece *out_piece) {
    if (schedule->command == schedule->count) return false;
    *out_piece = (quartic_gpu_piece){.command = schedule->command, .first = schedule->parts[0] == 0};
    if (out_piece->first) choose_parts(schedule);
    const uint32_t *groups = schedule->commands[schedule->command].groups;
    for (int axis = 0; axis < 3; ++axis) {
        uint32_t parts = schedule->parts[axis], at = schedule->at[axis];
        out_piece->base[axis] = part_begin(groups[axis], parts, at);
        out_piece->groups[axis] = part_begin(groups[axis], parts, at + 1) - out_piece->base[axis];
    }
    out_piece->new_submit =
        !schedule->started || !quartic_gpu_submit_has_room(schedule->spent, schedule->piece_seconds);
    if (out_piece->new_submit) schedule->spent = 0.0;
    schedule->spent += schedule->piece_seconds;
    schedule->started = true;

    for (int axis = 0; axis < 3; ++axis) {
        if (++schedule->at[axis] < schedule->parts[axis]) return true;
        schedule->at[axis] = 0;
    }
    schedule->parts[0] = 0;
    schedule->command += 1;
    return true;
}
