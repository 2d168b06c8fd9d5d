/* estimate.c: `quartic inspect --limits`: counts and times of a model on a device that is not here. */
#include "tool/estimate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { LIMITS_BYTES = 1 << 16, SHOWN_ARENAS = 8, SHOWN_SHADERS = 12 };

bool tool_read_limits(const command *command, const char *name, quartic_device_limits *out_limits) {
    *out_limits = (quartic_device_limits)QUARTIC_DEVICE_LIMITS_INIT;
    char names[512] = "";
    for (uint32_t k = 0; quartic_device_limits_name(k) != NULL; ++k) {
        const char *known = quartic_device_limits_name(k);
        if (strcmp(name, known) == 0) return quartic_device_limits_find(out_limits, known) == QUARTIC_OK;
        snprintf(names + strlen(names), sizeof names - strlen(names), "%s%s", k == 0 ? "" : ", ", known);
    }
    char hint[768], text[LIMITS_BYTES + 1];
    snprintf(hint, sizeof hint, "--limits takes %s, or a JSON file as of docs/device-limits.md.", names);
    FILE *file = fopen(name, "rb");
    if (file == NULL) return tool_fail(command, hint, "cannot open \"%s\": %s", name, strerror(errno)), false;
    const size_t count = fread(text, 1, sizeof text, file);
    const int reason = ferror(file) ? errno : 0;
    fclose(file);
    if (reason != 0) return tool_fail(command, hint, "cannot read \"%s\": %s", name, strerror(reason)), false;
    if (count > LIMITS_BYTES)
        return tool_fail(command, hint, "\"%s\" has more than %d bytes and holds no limits", name,
                         LIMITS_BYTES),
               false;
    text[count] = 0;
    if (strlen(text) != count)
        return tool_fail(command, hint, "%s: device limits are no JSON: byte %zu is zero", name,
                         strlen(text)),
               false;
    if (quartic_device_limits_read_json(out_limits, text) != QUARTIC_OK)
        return tool_fail(command, hint, "%s: %s", name, tool_library_message()), false;
    if (out_limits->name[0] == 0) snprintf(out_limits->name, sizeof out_limits->name, "%.60s", name);
    return true;
}

/* ---- as JSON ---- */

static json_t *estimate_limits_json(const quartic_device_limits *limits) {
    return tool_json_object(
        "name", tool_json_text(limits->name), "kind",
        tool_json_text(limits->kind == QUARTIC_LIMITS_DISCRETE ? "discrete" : "integrated"), "compute_units",
        tool_json_count(limits->compute_units), "subgroup_size", tool_json_count(limits->subgroup_size),
        "max_invocations", tool_json_count(limits->max_invocations), "max_shared_bytes",
        tool_json_count(limits->max_shared_bytes), "registers", tool_json_count(limits->registers), "float16",
        tool_json_flag(limits->float16 != 0), "cooperative_matrix",
        tool_json_flag(limits->cooperative_matrix != 0), "subgroup_shuffle",
        tool_json_flag(limits->subgroup_shuffle != 0), "memory_model",
        tool_json_flag(limits->memory_model != 0), "memory_bytes", tool_json_count(limits->memory_bytes),
        "max_buffer_bytes", tool_json_count(limits->max_buffer_bytes), "flops_per_second",
        tool_json_real(limits->flops_per_second), "bytes_per_second",
        tool_json_real(limits->bytes_per_second), "launch_seconds", tool_json_real(limits->launch_seconds),
        "barrier_seconds", tool_json_real(limits->barrier_seconds), NULL);
}

static json_t *estimate_json(const quartic_estimate *estimate, const quartic_device_limits *limits) {
    const quartic_estimate_info info = quartic_estimate_get_info(estimate);
    json_t *arenas = tool_json_list(), *steps = tool_json_list();
    quartic_estimate_arena arena;
    quartic_estimate_dispatch dispatch;
    for (uint32_t k = 0; k < info.arena_count; ++k)
        if (quartic_estimate_get_arena(estimate, k, &arena) == QUARTIC_OK)
            tool_json_add(arenas, tool_json_object("name", tool_json_text(arena.name), "bytes",
                                                   tool_json_count(arena.bytes), NULL));
    for (uint32_t k = 0; k < info.dispatch_count; ++k) {
        if (quartic_estimate_get_dispatch(estimate, k, &dispatch) != QUARTIC_OK) continue;
        json_t *groups = tool_json_list();
        for (int axis = 0; axis < 3; ++axis) tool_json_add(groups, tool_json_count(dispatch.groups[axis]));
        const double count =
            (double)dispatch.groups[0] * (double)dispatch.groups[1] * (double)dispatch.groups[2];
        tool_json_add(
            steps, tool_json_object("op", tool_json_text(dispatch.op), "label",
                                    tool_json_text(dispatch.label), "shader", tool_json_text(dispatch.shader),
                                    "part", tool_json_count(dispatch.part), "groups", groups,
                                    "groups_per_unit", tool_json_real(count / limits->compute_units),
                                    "barrier", tool_json_flag(dispatch.barrier != 0), "flops",
                                    tool_json_real(dispatch.flops), "bytes", tool_json_real(dispatch.bytes),
                                    "seconds", tool_json_real(dispatch.seconds), NULL));
    }
    return tool_json_object(
        "dispatches", tool_json_count(info.dispatches), "barriers", tool_json_count(info.barriers),
        "longest_chain", tool_json_count(info.longest_chain), "submits", tool_json_count(info.submits),
        "batches", tool_json_count(info.batches), "few_groups", tool_json_count(info.few_groups),
        "memory_bytes", tool_json_count(info.memory_bytes), "flops", tool_json_real(info.flops), "bytes",
        tool_json_real(info.bytes), "estimated_seconds", tool_json_real(info.estimated_seconds),
        "launch_seconds", tool_json_real(info.launch_seconds), "barrier_seconds",
        tool_json_real(info.barrier_seconds), "bandwidth_seconds", tool_json_real(info.bandwidth_seconds),
        "arithmetic_seconds", tool_json_real(info.arithmetic_seconds), "chain_seconds",
        tool_json_real(info.chain_seconds), "longest_dispatch_seconds", tool_json_real(info.longest_seconds),
        "arenas", arenas, "steps", steps, NULL);
}

/* ---- for people ---- */

/* Dispatches of one shader. */
typedef struct estimate_row {
    const char *shader;
    uint32_t dispatches, few_groups;
    double least_groups, most_groups, flops, bytes, seconds;
} estimate_row;

static int estimate_slowest_first(const void *a, const void *b) {
    const estimate_row *x = a, *y = b;
    if (x->seconds != y->seconds) return x->seconds > y->seconds ? -1 : 1;
    return strcmp(x->shader, y->shader);
}

static uint32_t estimate_rows(const quartic_estimate *estimate, const quartic_device_limits *limits,
                              uint32_t dispatch_count, estimate_row *rows) {
    uint32_t count = 0;
    for (uint32_t k = 0; k < dispatch_count; ++k) {
        quartic_estimate_dispatch one;
        if (quartic_estimate_get_dispatch(estimate, k, &one) != QUARTIC_OK) continue;
        const double groups = (double)one.groups[0] * (double)one.groups[1] * (double)one.groups[2];
        uint32_t r = 0;
        while (r < count && strcmp(rows[r].shader, one.shader) != 0) ++r;
        if (r == count) rows[count++] = (estimate_row){.shader = one.shader, .least_groups = groups};
        estimate_row *row = &rows[r];
        ++row->dispatches;
        row->few_groups += groups < limits->compute_units;
        if (groups < row->least_groups) row->least_groups = groups;
        if (groups > row->most_groups) row->most_groups = groups;
        row->flops += one.flops, row->bytes += one.bytes, row->seconds += one.seconds;
    }
    qsort(rows, count, sizeof *rows, estimate_slowest_first);
    return count;
}

static void print_estimate_rows(const quartic_estimate *estimate, const quartic_device_limits *limits,
                                uint32_t dispatch_count) {
    estimate_row *rows = tool_alloc(dispatch_count, sizeof *rows);
    const uint32_t count = estimate_rows(estimate, limits, dispatch_count, rows);
    printf("    %-26s %10s  %-21s %9s %9s %10s\n", "shader", "dispatches", "workgroups", "FLOP", "bytes",
           "time alone");
    for (uint32_t r = 0; r < count && r < SHOWN_SHADERS; ++r) {
        char groups[64], flops[TOOL_NUMBER_BYTES], bytes[TOOL_NUMBER_BYTES];
        if (rows[r].few_groups > 0)
            snprintf(groups, sizeof groups, "%.0f-%.0f (%u few)", rows[r].least_groups, rows[r].most_groups,
                     rows[r].few_groups);
        else
            snprintf(groups, sizeof groups, "%.0f-%.0f", rows[r].least_groups, rows[r].most_groups);
        printf("    %-26s %10u  %-21s %9s %9s %7.0f us\n", rows[r].shader, rows[r].dispatches, groups,
               tool_count_text(rows[r].flops, flops), tool_bytes_text(rows[r].bytes, bytes),
               1e6 * rows[r].seconds);
    }
    if (count > SHOWN_SHADERS)
        printf("    and %u more (--json lists every dispatch)\n", count - SHOWN_SHADERS);
    free(rows);
}

static int estimate_largest_first(const void *a, const void *b) {
    const quartic_estimate_arena *x = a, *y = b;
    if (x->bytes != y->bytes) return x->bytes > y->bytes ? -1 : 1;
    return strcmp(x->name, y->name);
}

static void print_estimate_arenas(const quartic_estimate *estimate, uint32_t arena_count) {
    quartic_estimate_arena *arenas = tool_alloc(arena_count, sizeof *arenas);
    for (uint32_t k = 0; k < arena_count; ++k)
        if (quartic_estimate_get_arena(estimate, k, &arenas[k]) != QUARTIC_OK) arenas[k].name = "";
    qsort(arenas, arena_count, sizeof *arenas, estimate_largest_first);
    uint64_t rest = 0;
    for (uint32_t k = 0; k < arena_count; ++k) {
        char text[TOOL_NUMBER_BYTES];
        if (k >= SHOWN_ARENAS) {
            rest += arenas[k].bytes;
            continue;
        }
        printf("    %-26s %10s\n", arenas[k].name, tool_bytes_text((double)arenas[k].bytes, text));
    }
    char text[TOOL_NUMBER_BYTES];
    if (arena_count > SHOWN_ARENAS)
        printf("    %u smaller tensors %18s\n", arena_count - SHOWN_ARENAS,
               tool_bytes_text((double)rest, text));
    free(arenas);
}

static void print_estimate(const char *kind, const quartic_estimate *estimate,
                           const quartic_device_limits *limits) {
    const quartic_estimate_info info = quartic_estimate_get_info(estimate);
    char flops[TOOL_NUMBER_BYTES], bytes[TOOL_NUMBER_BYTES], memory[TOOL_NUMBER_BYTES];
    printf("  %s: %u dispatches (%u with fewer workgroups than units), %u barriers, longest chain %u, one "
           "submit of %u batch%s\n",
           kind, info.dispatches, info.few_groups, info.barriers, info.longest_chain, info.batches,
           info.batches == 1 ? "" : "es");
    printf("    %sFLOP, %s of traffic; estimate %.3f ms: launches %.3f, barriers %.3f, bandwidth %.3f, "
           "arithmetic %.3f; longest dispatch %.3f ms\n",
           tool_count_text(info.flops, flops), tool_bytes_text(info.bytes, bytes),
           1e3 * info.estimated_seconds, 1e3 * info.launch_seconds, 1e3 * info.barrier_seconds,
           1e3 * info.bandwidth_seconds, 1e3 * info.arithmetic_seconds, 1e3 * info.longest_seconds);
    print_estimate_rows(estimate, limits, info.dispatch_count);
    printf("    memory %s%s, by arena:\n", tool_bytes_text((double)info.memory_bytes, memory),
           info.memory_bytes > limits->memory_bytes ? ", more than the device has" : "");
    print_estimate_arenas(estimate, info.arena_count);
}

int tool_show_estimates(const command *command, const quartic_model *model, uint32_t batch,
                        const tool_run_shape *shape, const quartic_device_limits *limits, json_t *report) {
    quartic_estimate *forward = NULL, *training = NULL;
    quartic_trainer_config config = QUARTIC_TRAINER_CONFIG_INIT;
    config.batch = batch;
    config.length = shape->length;
    config.masked = shape->masked;
    quartic_status status =
        quartic_model_estimate(model, batch, shape->length, shape->masked, limits, &forward);
    if (status == QUARTIC_OK) status = quartic_trainer_estimate(model, &config, limits, &training);
    if (status == QUARTIC_OK && report != NULL) {
        tool_json_set(report, "limits", estimate_limits_json(limits));
        tool_json_set(report, "forward", estimate_json(forward, limits));
        tool_json_set(report, "training", estimate_json(training, limits));
    } else if (status == QUARTIC_OK) {
        char memory[TOOL_NUMBER_BYTES];
        printf("batch %u, length %u%s on %s (stated limits: %u units, %s, %.1f TFLOP/s, %.0f GB/s):\n", batch,
               shape->length, shape->masked ? ", masked" : "", limits->name, limits->compute_units,
               tool_bytes_text((double)limits->memory_bytes, memory), 1e-12 * limits->flops_per_second,
               1e-9 * limits->bytes_per_second);
        print_estimate("forward pass", forward, limits);
        print_estimate("training step", training, limits);
    }
    quartic_estimate_destroy(forward);
    quartic_estimate_destroy(training);
    return status == QUARTIC_OK ? EXIT_DONE : tool_fail_library(command, NULL);
}
