/* estimate.c: graphs planned and lowered for stated limits, counted and put into seconds.
 *
 * Every storage gets an address of its own, far from the others; a name has the same address in all graphs.
 * The formulas of the times stand in docs/device-limits.md.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/call.h"
#include "gpu/schedule.h"
#include "run/chain.h"
#include "run/device_limits.h"
#include "run/run_vulkan.h"

struct quartic_estimate {
    quartic_estimate_info info;
    quartic_estimate_arena *arenas;
    quartic_estimate_dispatch *dispatches;
    char **texts; /* what names and labels point to */
    uint32_t text_count, text_capacity, arena_capacity;
    double enqueued_seconds; /* in the submit that is being filled */
    uint32_t recordings;     /* each begins with a barrier */
    uint32_t listed_runs;    /* of graphs that have dispatches */
};

/* Addresses: named storage k at NAMED + k * APART, the others of a graph are in the workspace. */
#define ESTIMATE_APART     (UINT64_C(1) << 44)
#define ESTIMATE_WORKSPACE (UINT64_C(1) << 62)
#define ESTIMATE_ABSENT    (UINT64_C(1) << 61)

/* ---- texts and arenas ---- */

/* A copy that lives as long as the estimate. */
static const char *keep_text(quartic_estimate *estimate, const char *text) {
    if (estimate->text_count == estimate->text_capacity) {
        const uint32_t capacity = 2 * estimate->text_capacity + 16;
        char **grown = quartic_realloc(estimate->texts, estimate->text_count, capacity, sizeof *grown);
        if (grown == NULL) return NULL;
        estimate->texts = grown;
        estimate->text_capacity = capacity;
    }
    const size_t bytes = strlen(text) + 1;
    char *copy = quartic_alloc(bytes, 1);
    if (copy == NULL) return NULL;
    memcpy(copy, text, bytes);
    return estimate->texts[estimate->text_count++] = copy;
}

/* The arena of that name, made if there is none. */
static quartic_status find_arena(quartic_estimate *estimate, const char *name, uint64_t bytes,
                                 uint32_t *out_index) {
    uint32_t *count = &estimate->info.arena_count;
    for (uint32_t k = 0; k < *count; ++k)
        if (strcmp(estimate->arenas[k].name, name) == 0) {
            *out_index = k;
            return QUARTIC_OK;
        }
    if (*count == estimate->arena_capacity) {
        const uint32_t capacity = 2 * estimate->arena_capacity + 16;
        quartic_estimate_arena *grown = quartic_realloc(estimate->arenas, *count, capacity, sizeof *grown);
        if (grown == NULL) return QUARTIC_OUT_OF_MEMORY;
        estimate->arenas = grown;
        estimate->arena_capacity = capacity;
    }
    const char *kept = keep_text(estimate, name);
    if (kept == NULL) return QUARTIC_OUT_OF_MEMORY;
    estimate->arenas[*count] = (quartic_estimate_arena){kept, bytes};
    estimate->info.memory_bytes += bytes;
    *out_index = (*count)++;
    return QUARTIC_OK;
}

/* ---- times ---- */

static double group_count(const uint32_t groups[3]) {
    return (double)groups[0] * (double)groups[1] * (double)groups[2];
}

/* The groups of a dispatch that are launched. */
static double launched_count(const quartic_gpu_command *command) {
    return group_count(command->groups) - (double)command->idle;
}

/* The work between two barriers. */
typedef struct estimate_span {
    double longest, flops, bytes;
} estimate_span;

static double span_seconds(const quartic_device_limits *limits, const estimate_span *span) {
    return fmax(span->longest, fmax(span->bytes / (QUARTIC_REACHED_BYTES * limits->bytes_per_second),
                                    span->flops / (QUARTIC_REACHED_FLOPS * limits->flops_per_second)));
}

static quartic_gpu_schedule begin_schedule(const quartic_device_limits *limits,
                                           const quartic_gpu_command *commands, uint32_t count) {
    double flops_per_second, bytes_per_second;
    quartic_gpu_kind_speeds(limits->kind == QUARTIC_LIMITS_DISCRETE ? QUARTIC_GPU_DISCRETE
                                                                    : QUARTIC_GPU_INTEGRATED,
                            &flops_per_second, &bytes_per_second);
    return quartic_gpu_schedule_begin(commands, count, flops_per_second, bytes_per_second);
}

/* Puts a recording of so many seconds into the submit that is being filled, or into the next one. */
static void enqueue_recording(quartic_estimate *estimate, double seconds) {
    if (!quartic_gpu_submit_has_room(estimate->enqueued_seconds, seconds)) {
        ++estimate->info.submits;
        estimate->enqueued_seconds = 0.0;
    }
    estimate->enqueued_seconds += seconds;
    ++estimate->recordings;
}

/* The recordings that a list is cut into, by the pessimistic speeds of the device's kind. */
static void enqueue_list(quartic_estimate *estimate, const quartic_device_limits *limits,
                         const quartic_gpu_command *commands, uint32_t count) {
    quartic_gpu_schedule schedule = begin_schedule(limits, commands, count);
    quartic_gpu_piece piece;
    double seconds = 0.0;
    for (bool first = true; quartic_gpu_schedule_next(&schedule, &piece); first = false) {
        if (piece.new_submit && !first) enqueue_recording(estimate, seconds);
        seconds = schedule.spent;
    }
    if (count > 0) enqueue_recording(estimate, seconds);
}

/* The longest piece that a dispatch of a list is cut into. */
static double longest_piece(const quartic_device_limits *limits, const quartic_gpu_command *commands,
                            uint32_t count) {
    quartic_gpu_schedule schedule = begin_schedule(limits, commands, count);
    quartic_gpu_piece piece;
    double longest = 0.0;
    while (quartic_gpu_schedule_next(&schedule, &piece)) {
        const quartic_gpu_command *command = &commands[piece.command];
        const double groups = group_count(piece.groups), share = groups / launched_count(command);
        const double seconds =
            quartic_device_limits_work(limits, command->flops * share, command->bytes * share, groups);
        longest = fmax(longest, limits->launch_seconds + seconds);
    }
    return longest;
}

/* ---- one graph ---- */

static quartic_status list_part(quartic_estimate *estimate, const quartic_graph *graph,
                                const quartic_plan *plan, uint32_t part, uint32_t runs,
                                const quartic_device_limits *limits, const quartic_gpu_command *commands,
                                uint32_t count) {
    quartic_estimate_info *info = &estimate->info;
    quartic_estimate_dispatch *grown = quartic_realloc(estimate->dispatches, info->dispatch_count,
                                                       (size_t)info->dispatch_count + count, sizeof *grown);
    if (grown == NULL) return QUARTIC_OUT_OF_MEMORY;
    estimate->dispatches = grown;
    estimate_span span = {0};
    const double times = runs;
    for (uint32_t c = 0; c < count; ++c) {
        const quartic_gpu_command *command = &commands[c];
        const quartic_node *node = &graph->nodes[plan->steps[command->step].node];
        const char *label = keep_text(estimate, graph->scopes[node->scope]);
        if (label == NULL) return QUARTIC_OUT_OF_MEMORY;
        const double groups = launched_count(command);
        const double work = quartic_device_limits_work(limits, command->flops, command->bytes, groups);
        /* A run begins with a barrier, which stands between two dispatches unless the run is the first. */
        const bool barrier = command->barrier || (c == 0 && estimate->listed_runs > 0);
        if (c == 0 && !barrier && runs > 1) info->barriers += runs - 1;
        if (barrier) {
            info->estimated_seconds += times * span_seconds(limits, &span);
            span = (estimate_span){0};
            info->barriers += runs;
        }
        span.longest = fmax(span.longest, work);
        span.flops += command->flops;
        span.bytes += command->bytes;
        info->few_groups += groups < limits->compute_units ? runs : 0;
        info->flops += times * command->flops;
        info->bytes += times * command->bytes;
        estimate->dispatches[info->dispatch_count++] = (quartic_estimate_dispatch){
            .op = node->op->name,
            .label = label,
            .shader = command->shader,
            .part = part,
            .groups = {command->groups[0], command->groups[1], command->groups[2]},
            .barrier = barrier,
            .flops = command->flops,
            .bytes = command->bytes,
            .seconds = limits->launch_seconds + work};
    }
    info->estimated_seconds += times * span_seconds(limits, &span);
    info->dispatches += runs * count;
    if (count > 0) estimate->listed_runs += runs;
    return QUARTIC_OK;
}

static quartic_status estimate_lowered(quartic_estimate *estimate, const quartic_graph *graph,
                                       const quartic_plan *plan, uint32_t part, uint32_t runs,
                                       const quartic_device_limits *limits,
                                       const quartic_run_vulkan_memory *memory) {
    const quartic_gpu_limits gpu = quartic_device_limits_gpu(limits);
    quartic_gpu_command *commands;
    quartic_run_vulkan_touched *touched;
    uint32_t count;
    QUARTIC_TRY(quartic_run_vulkan_lower(graph, plan, &gpu, memory, &commands, &touched, &count));
    double chain = 0, seconds = 0, *weights = quartic_alloc(count, sizeof *weights);
    quartic_status status = weights == NULL ? QUARTIC_OUT_OF_MEMORY : QUARTIC_OK;
    for (uint32_t c = 0; c < count && weights != NULL; ++c)
        weights[c] = quartic_device_limits_work(limits, commands[c].flops, commands[c].bytes,
                                                launched_count(&commands[c]));
    if (status == QUARTIC_OK) status = quartic_chain_longest(touched, NULL, count, &chain);
    if (status == QUARTIC_OK) status = quartic_chain_longest(touched, weights, count, &seconds);
    if (status == QUARTIC_OK) {
        estimate->info.longest_chain += runs * (uint32_t)chain;
        estimate->info.chain_seconds += runs * seconds;
        for (uint32_t run = 0; run < runs; ++run) enqueue_list(estimate, limits, commands, count);
        estimate->info.longest_seconds =
            fmax(estimate->info.longest_seconds, longest_piece(limits, commands, count));
        status = list_part(estimate, graph, plan, part, runs, limits, commands, count);
    }
    quartic_free(weights);
    quartic_free(commands);
    quartic_free(touched);
    return status;
}

/* Names of workspaces: "workspace", and with a number for those after the first: "workspace.2". Where one is in
 * several allocations, theirs follows: "workspace.2/1". */
static quartic_status place_part(quartic_estimate *estimate, const quartic_graph *graph,
                                 const quartic_plan *plan, uint32_t part, uint64_t *storages,
                                 uint64_t *arenas) {
    uint32_t index;
    char name[64] = "workspace";
    if (part > 0) snprintf(name, sizeof name, "workspace.%u", part + 1);
    const size_t length = strlen(name);
    for (uint32_t a = 0; a < plan->arenas.count; ++a) {
        if (plan->arenas.count > 1) snprintf(name + length, sizeof name - length, "/%u", a + 1);
        QUARTIC_TRY(find_arena(estimate, name, plan->arenas.bytes[a], &index));
        arenas[a] = ESTIMATE_WORKSPACE + a * ESTIMATE_APART;
    }
    for (uint32_t s = 0; s < graph->storage_count; ++s) {
        if (graph->storages[s].name == NULL) continue;
        QUARTIC_TRY(find_arena(estimate, graph->storages[s].name, plan->places[s].bytes, &index));
        storages[s] = ESTIMATE_APART * (index + 1);
    }
    return QUARTIC_OK;
}

static quartic_status estimate_part(quartic_estimate *estimate, const quartic_estimate_part *given,
                                    uint32_t part, const quartic_device_limits *limits) {
    const quartic_graph *graph = given->graph;
    quartic_run_vulkan_rule rule = {graph, quartic_device_limits_gpu(limits)};
    quartic_plan_budget budget = quartic_plan_standard_budget(limits->memory_bytes, limits->max_buffer_bytes);
    if (limits->workspace_budget != 0)
        budget = (quartic_plan_budget){.bytes = limits->workspace_budget,
                                       .allocation_bytes = limits->max_buffer_bytes};
    quartic_plan plan;
    QUARTIC_TRY(quartic_graph_status(graph));
    QUARTIC_TRY(quartic_plan_create_within(graph, 4, quartic_run_vulkan_scratch, &rule, &budget, &plan));
    uint64_t *storages = quartic_alloc((size_t)graph->storage_count + plan.arenas.count, sizeof *storages);
    uint64_t *arenas = storages + graph->storage_count;
    quartic_status status =
        storages == NULL ? QUARTIC_OUT_OF_MEMORY : place_part(estimate, graph, &plan, part, storages, arenas);
    const quartic_run_vulkan_memory memory = {storages, arenas, ESTIMATE_ABSENT};
    if (status == QUARTIC_OK)
        status = estimate_lowered(estimate, graph, &plan, part, given->runs, limits, &memory);
    quartic_free(storages);
    quartic_plan_destroy(&plan);
    return status;
}

/* ---- the whole ---- */

quartic_status quartic_estimate_create(const quartic_estimate_part *parts, uint32_t part_count,
                                       const quartic_device_limits *limits, quartic_estimate **out_estimate) {
    QUARTIC_CALL();
    QUARTIC_NEED(out_estimate);
    *out_estimate = NULL;
    QUARTIC_NEED(parts);
    QUARTIC_NEED(limits);
    quartic_device_limits whole;
    QUARTIC_TRY(quartic_options_read(&quartic_device_limits_type, limits, &whole));
    QUARTIC_TRY(quartic_device_limits_check(&whole));
    quartic_estimate *estimate = quartic_alloc(1, sizeof *estimate);
    if (estimate == NULL) return QUARTIC_OUT_OF_MEMORY;
    quartic_status status = QUARTIC_OK;
    for (uint32_t p = 0; p < part_count && status == QUARTIC_OK; ++p)
        status = parts[p].graph == NULL ? quartic_fail_null("parts[].graph")
                                        : estimate_part(estimate, &parts[p], p, &whole);
    if (status != QUARTIC_OK) {
        quartic_estimate_destroy(estimate);
        return status;
    }
    quartic_estimate_info *info = &estimate->info;
    info->launch_seconds = whole.launch_seconds * info->dispatches;
    info->submits += estimate->recordings > 0; /* the last one, which is not full */
    /* Where a recording begins a run, its barrier is among those counted, but for the first. */
    const uint32_t others = estimate->recordings - estimate->listed_runs + (estimate->listed_runs > 0);
    info->barrier_seconds = whole.barrier_seconds * (info->barriers + others);
    info->bandwidth_seconds = info->bytes / (QUARTIC_REACHED_BYTES * whole.bytes_per_second);
    info->arithmetic_seconds = info->flops / (QUARTIC_REACHED_FLOPS * whole.flops_per_second);
    info->estimated_seconds += info->launch_seconds + info->barrier_seconds;
    *out_estimate = estimate;
    return QUARTIC_OK;
}

void quartic_estimate_destroy(quartic_estimate *estimate) {
    if (estimate == NULL) return;
    for (uint32_t t = 0; t < estimate->text_count; ++t) quartic_free(estimate->texts[t]);
    quartic_free(estimate->texts);
    quartic_free(estimate->arenas);
    quartic_free(estimate->dispatches);
    quartic_free(estimate);
}

quartic_estimate_info quartic_estimate_get_info(const quartic_estimate *estimate) {
    QUARTIC_CALL();
    QUARTIC_NEED_OR(estimate, (quartic_estimate_info){0});
    return estimate->info;
}

static quartic_status no_such_entry(const char *what, uint32_t index, uint32_t count) {
    return quartic_fail(QUARTIC_INVALID_ARGUMENT, "%s %u was asked for; the estimate has %u", what, index,
                        count);
}

quartic_status quartic_estimate_get_arena(const quartic_estimate *estimate, uint32_t index,
                                          quartic_estimate_arena *out_arena) {
    QUARTIC_CALL();
    QUARTIC_NEED(estimate);
    QUARTIC_NEED(out_arena);
    if (index >= estimate->info.arena_count) return no_such_entry("arena", index, estimate->info.arena_count);
    *out_arena = estimate->arenas[index];
    return QUARTIC_OK;
}

quartic_status quartic_estimate_get_dispatch(const quartic_estimate *estimate, uint32_t index,
                                             quartic_estimate_dispatch *out_dispatch) {
    QUARTIC_CALL();
    QUARTIC_NEED(estimate);
    QUARTIC_NEED(out_dispatch);
    if (index >= estimate->info.dispatch_count)
        return no_such_entry("dispatch", index, estimate->info.dispatch_count);
    *out_dispatch = estimate->dispatches[index];
    return QUARTIC_OK;
}
