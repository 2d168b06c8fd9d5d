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

uint32_t quartic_gpu_command_boxes(const quartic_gpu_command *command, quartic_gpu_box out_boxes[2]) {
    const uint32_t *groups = command->groups;
    out_boxes[0] = (quartic_gpu_box){.groups = {groups[0], groups[1], groups[2]}};
    if (command->idle == 0) return 1;
    const quartic_gpu_box last = {.base = {0, groups[1] - 1, 0}, .groups = {groups[0] - command->idle, 1, 1}};
    out_boxes[0].groups[1] -= 1;
    out_boxes[1] = last;
    if (groups[1] > 1) return 2;
    out_boxes[0] = last;
    return 1;
}

static double count_groups(const uint32_t groups[3]) {
    return (double)groups[0] * (double)groups[1] * (double)groups[2];
}

/* Decides into how many parts along each axis the current box of the current command goes. */
static void choose_parts(quartic_gpu_schedule *schedule, const quartic_gpu_box *box) {
    const quartic_gpu_command *command = &schedule->commands[schedule->command];
    const double share = count_groups(box->groups) / (count_groups(command->groups) - (double)command->idle);
    double seconds = share * fmax(command->flops / schedule->flops_per_second,
                                  command->bytes / schedule->bytes_per_second);
    double need = fmax(1.0, ceil(seconds / QUARTIC_GPU_SUBMIT_SECONDS)), parts = 1.0;
    for (int axis = 2; axis >= 0; --axis) {
        double here = fmin(need, (double)box->groups[axis]);
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
    quartic_gpu_box boxes[2];
    const uint32_t box_count = quartic_gpu_command_boxes(&schedule->commands[schedule->command], boxes);
    const quartic_gpu_box *box = &boxes[schedule->box];
    const bool begins = schedule->parts[0] == 0;
    *out_piece = (quartic_gpu_piece){.command = schedule->command, .first = begins && schedule->box == 0};
    if (begins) choose_parts(schedule, box);
    for (int axis = 0; axis < 3; ++axis) {
        const uint32_t parts = schedule->parts[axis], at = schedule->at[axis],
                       begin = part_begin(box->groups[axis], parts, at);
        out_piece->base[axis] = box->base[axis] + begin;
        out_piece->groups[axis] = part_begin(box->groups[axis], parts, at + 1) - begin;
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
    if (++schedule->box < box_count) return true;
    schedule->box = 0;
    schedule->command += 1;
    return true;
}
