/* run_vulkan.c: from a planned graph to recorded commands. See run_vulkan.h.
 *
 * Address of an operand = storage + 4 * layout offset; scratch lies in the workspace at the step's scratch
 * offset, and an offset in the workspace is one in an arena (plan/arenas.h). quartic_dispatch_fill puts these into the arguments and gives the bytes that a dispatch touches, of
 * which only the extent that a layout spans counts for hazards. No address may be null.
 */
#include "run/run_vulkan.h"

#include "base/alloc.h"
#include "gpu/adopt.h"
#include "run/hazard.h"
#include "shaders/fill.args.h"

#include <stdlib.h>
#include <string.h>

enum { FILL_INVOCATIONS = 256 /* of fill.comp */ };

struct quartic_run_vulkan {
    quartic_gpu_commands *commands;
};

quartic_gpu_limits quartic_run_vulkan_limits_of_caps(const quartic_gpu_caps *caps) {
    return (quartic_gpu_limits){.max_shared_bytes = caps->max_shared_bytes,
                                .max_invocations = caps->max_invocations,
                                .subgroup_size = caps->subgroup_size,
                                .compute_units = caps->compute_units,
                                .registers = caps->registers,
                                .max_iterations = caps->rank == QUARTIC_GPU_SOFTWARE ? 65535 : 0,
                                .has_subgroup_shuffle = caps->subgroup_shuffle,
                                .has_memory_model = caps->memory_model,
                                .least_subgroup_size = caps->least_subgroup_size,
                                .most_subgroup_size = caps->most_subgroup_size,
                                .is_software = caps->rank == QUARTIC_GPU_SOFTWARE};
}

quartic_gpu_limits quartic_run_vulkan_limits(const quartic_gpu_device *device) {
    return quartic_run_vulkan_limits_of_caps(quartic_gpu_device_caps(device));
}

/* The op's dispatches for a node; an error names the op and its scope. */
static quartic_status list_step_dispatches(const quartic_graph *graph, const quartic_gpu_limits *limits,
                                           const quartic_node *node, const quartic_op_call *call,
                                           quartic_dispatch_list *out_list) {
    const char *scope = graph->scopes[node->scope];
    *out_list = (quartic_dispatch_list){0};
    if (node->op->gpu == NULL)
        return quartic_fail(QUARTIC_UNSUPPORTED,
                            "the op %s (in \"%s\") has no Vulkan shader; use the device cpu", node->op->name,
                            scope);
    quartic_gpu_limits chosen = *limits;
    const quartic_tuning_choice *choice =
        limits->tuning == NULL ? NULL
                               : quartic_tuning_find(limits->tuning, quartic_tuning_problem(node->op, call));
    if (choice != NULL) chosen.choice = *choice;
    quartic_status status = node->op->gpu(call, &chosen, out_list);
    const uint32_t size = chosen.choice.subgroup_size;
    const bool can_ask = size >= limits->least_subgroup_size && size <= limits->most_subgroup_size;
    for (uint32_t d = 0; d < out_list->count && size != 0 && can_ask; ++d)
        out_list->items[d].subgroup_size = size;
    if (status == QUARTIC_OK) status = quartic_dispatch_expect_short(node->op->name, out_list);
    if (status == QUARTIC_OK) return QUARTIC_OK;
    char why[512];
    strncpy(why, quartic_error_detail(), sizeof why - 1);
    why[sizeof why - 1] = 0;
    return quartic_fail(status, "the op %s (in \"%s\") cannot run on this device: %s", node->op->name, scope,
                        why);
}

/* The stage of each dispatch of an op, from 0, and how many there are: a dispatch waits for those before it.
 * Where an output may lie over an input, all wait. */
static uint32_t find_stages(const quartic_node *node, const quartic_dispatch_list *list,
                            uint32_t stages[QUARTIC_DISPATCH_MAX]) {
    const bool aliases = node->op->in_place_inputs != 0 || node->op->mutated_inputs != 0;
    uint32_t count = 1;
    for (uint32_t d = 0; d < list->count; ++d) {
        stages[d] = 0;
        for (uint32_t before = 0; before < d && !list->apart; ++before)
            if (stages[before] + 1 > stages[d] &&
                (aliases || quartic_dispatch_must_wait(&list->items[d], &list->items[before])))
                stages[d] = stages[before] + 1;
        if (stages[d] + 1 > count) count = stages[d] + 1;
    }
    return count;
}

quartic_status quartic_run_vulkan_scratch(void *rule, const quartic_node *node, const quartic_op_call *call,
                                          quartic_step_need *out_need) {
    const quartic_run_vulkan_rule *context = rule;
    quartic_dispatch_list *list = quartic_alloc(1, sizeof *list);
    if (list == NULL) return QUARTIC_OUT_OF_MEMORY;
    quartic_status status = list_step_dispatches(context->graph, &context->limits, node, call, list);
    uint32_t stages[QUARTIC_DISPATCH_MAX];
    if (status == QUARTIC_OK) {
        out_need->scratch_bytes = list->scratch_bytes;
        out_need->counter_bytes = list->counter_bytes;
        out_need->stages = find_stages(node, list, stages);
    }
    quartic_free(list);
    return status;
}

/* What creation needs on the way. */
typedef struct builder {
    const quartic_graph *graph;
    const quartic_plan *plan;
    quartic_run_vulkan_memory memory;
    quartic_gpu_limits limits;
    quartic_dispatch_list *list; /* of the step at hand */
    quartic_gpu_command *commands;
    quartic_run_vulkan_touched *touched; /* as many as commands */
    uint32_t *levels;                    /* the same */
    uint32_t count, capacity;
} builder;

/* The address of an offset in the workspace. */
static uint64_t workspace_address(const builder *b, uint64_t offset) {
    const quartic_arenas *arenas = &b->plan->arenas;
    return b->memory.arenas[quartic_arena_of(arenas, offset)] + quartic_arena_offset(arenas, offset);
}

/* That of the counters of the plan's first step that has some. */
static uint64_t counters_address(const builder *b) {
    return workspace_address(b, b->plan->counters_offset);
}

/* Where the values of a node lie: the first element of each and the bytes that its layout spans around it. */
static void find_values(const builder *b, const uint32_t *ids, uint32_t count, quartic_operand_memory *out) {
    for (uint32_t k = 0; k < count; ++k) {
        out[k] = (quartic_operand_memory){0};
        if (ids[k] == 0) continue;
        const quartic_graph_value *value = quartic_graph_get(b->graph, ids[k]);
        const quartic_plan_place *place = &b->plan->places[value->storage];
        uint64_t storage;
        if (place->in_workspace)
            storage = workspace_address(b, place->offset);
        else if (place->alias.storage != QUARTIC_NONE)
            storage = b->memory.storages[place->alias.storage] + 4 * place->alias.offset;
        else
            storage = b->memory.storages[value->storage];
        int64_t begin, end;
        quartic_layout_extent(&value->layout, &begin, &end);
        out[k] = (quartic_operand_memory){.present = true,
                                          .address = storage + 4 * (uint64_t)value->layout.offset,
                                          .begin = storage + 4 * (uint64_t)begin,
                                          .end = storage + 4 * (uint64_t)end};
    }
}

/* The only way into a command: all addresses of the shader's arguments. */
static quartic_status set_addresses(const builder *b, const quartic_node *node, const quartic_plan_step *step,
                                    const quartic_dispatch *dispatch, uint8_t *args,
                                    quartic_hazard_range *ranges, uint32_t *out_count) {
    const char *table = quartic_gpu_shader_args(dispatch->shader);
    if (table == NULL || strcmp(table, dispatch->operands->name) != 0)
        return quartic_fail(QUARTIC_INTERNAL, "the op %s gives the shader %s the arguments of %s, not %s",
                            node->op->name, dispatch->shader, dispatch->operands->name,
                            table == NULL ? "one that there is" : table);
    quartic_operand_memory inputs[QUARTIC_OP_MAX_INPUTS], outputs[QUARTIC_OP_MAX_OUTPUTS];
    find_values(b, node->inputs, node->input_count, inputs);
    find_values(b, node->outputs, node->output_count, outputs);
    const uint64_t scratch = step->scratch_bytes == 0 ? 0 : workspace_address(b, step->scratch_offset);
    const uint64_t counters = step->counter_bytes == 0 ? 0 : counters_address(b) + step->counter_offset;
    const quartic_dispatch_memory memory = {
        .input_count = node->input_count,
        .output_count = node->output_count,
        .inputs = inputs,
        .outputs = outputs,
        .scratch = {true, scratch, scratch, scratch + step->scratch_bytes},
        .counters = {true, counters, counters, counters + step->counter_bytes},
        .absent = b->memory.absent};
    *out_count = quartic_dispatch_fill(dispatch, &memory, args, ranges);
    for (uint32_t p = 0; p < dispatch->operands->count; ++p) {
        uint64_t address;
        memcpy(&address, args + dispatch->operands->rows[p].args_offset, sizeof address);
        if (address == 0)
            return quartic_fail(QUARTIC_INTERNAL,
                                "address %u of the shader %s (op %s, in \"%s\") would be null", p,
                                dispatch->shader, node->op->name, b->graph->scopes[node->scope]);
    }
    return QUARTIC_OK;
}

static quartic_status grow_commands(builder *b) {
    const uint32_t capacity = 2 * b->capacity + 64;
    quartic_gpu_command *grown = quartic_realloc(b->commands, b->count, capacity, sizeof *grown);
    if (grown == NULL) return QUARTIC_OUT_OF_MEMORY;
    b->commands = grown;
    quartic_run_vulkan_touched *touched = quartic_realloc(b->touched, b->count, capacity, sizeof *touched);
    if (touched == NULL) return QUARTIC_OUT_OF_MEMORY;
    b->touched = touched;
    uint32_t *levels = quartic_realloc(b->levels, b->count, capacity, sizeof *levels);
    if (levels == NULL) return QUARTIC_OUT_OF_MEMORY;
    b->levels = levels;
    b->capacity = capacity;
    return QUARTIC_OK;
}

/* Appends a dispatch of a step, without addresses. */
static quartic_status append_command(builder *b, uint32_t step, uint32_t level,
                                     const quartic_dispatch *dispatch) {
    if (b->count == b->capacity) QUARTIC_TRY(grow_commands(b));
    const quartic_node *node = &b->graph->nodes[b->plan->steps[step].node];
    quartic_gpu_command *command = &b->commands[b->count];
    *command =
        (quartic_gpu_command){.shader = dispatch->shader,
                              .spec_count = dispatch->spec_count,
                              .args_bytes = (dispatch->args_bytes + 3) / 4 * 4,
                              .groups = {dispatch->groups[0], dispatch->groups[1], dispatch->groups[2]},
                              .idle = dispatch->idle,
                              .flops = dispatch->flops,
                              .bytes = dispatch->bytes,
                              .subgroup_size = dispatch->subgroup_size,
                              .step = step,
                              .op = node->op->name,
                              .scope = b->graph->scopes[node->scope]};
    memcpy(command->spec, dispatch->spec, sizeof command->spec);
    memcpy(command->args, dispatch->args, sizeof command->args);
    b->levels[b->count++] = level;
    return QUARTIC_OK;
}

/* owner: see quartic_hazard_range. Level 0 is that before the plan's first. */
static quartic_status lower_dispatch(builder *b, const quartic_node *node, uint32_t step, uint32_t stage,
                                     uint32_t owner, const quartic_dispatch *dispatch) {
    QUARTIC_TRY(append_command(b, step, b->plan->steps[step].level + stage + 1, dispatch));
    quartic_gpu_command *command = &b->commands[b->count - 1];
    quartic_run_vulkan_touched *touched = &b->touched[b->count - 1];
    QUARTIC_TRY(set_addresses(b, node, &b->plan->steps[step], dispatch, command->args, touched->ranges,
                              &touched->count));
    for (uint32_t r = 0; r < touched->count; ++r) touched->ranges[r].owner = owner;
    return QUARTIC_OK;
}

static quartic_status lower_step(builder *b, uint32_t step) {
    const quartic_node *node = &b->graph->nodes[b->plan->steps[step].node];
    quartic_layout inputs[QUARTIC_OP_MAX_INPUTS], outputs[QUARTIC_OP_MAX_OUTPUTS];
    quartic_op_call call = quartic_graph_call(b->graph, node, inputs, outputs);
    QUARTIC_TRY(list_step_dispatches(b->graph, &b->limits, node, &call, b->list));
    uint32_t stages[QUARTIC_DISPATCH_MAX];
    find_stages(node, b->list, stages);
    const uint32_t owner = b->list->apart ? step + 1 : 0;
    for (uint32_t d = 0; d < b->list->count; ++d)
        QUARTIC_TRY(lower_dispatch(b, node, step, stages[d], owner, &b->list->items[d]));
    return QUARTIC_OK;
}

/* One dispatch that sets the counters of all steps to 0, a level before the first step that has some and as a part of
 * it. Every run begins with it, so nothing is left of a run that was cut short, nor of another program in the same
 * workspace. */
static quartic_status lower_counters(builder *b) {
    const quartic_plan *plan = b->plan;
    uint32_t first = QUARTIC_NONE;
    for (uint32_t s = 0; s < plan->step_count; ++s)
        if (plan->steps[s].counter_bytes != 0 &&
            (first == QUARTIC_NONE || plan->steps[s].level < plan->steps[first].level))
            first = s;
    if (first == QUARTIC_NONE) return QUARTIC_OK;
    const uint64_t address = counters_address(b), count = plan->counters_bytes / sizeof(uint32_t);
    const quartic_operand_memory memory = {true, address, address, address + plan->counters_bytes};
    const quartic_fill_args args = {.count = (uint32_t)count};
    *b->list = (quartic_dispatch_list){0};
    quartic_dispatch *fill = quartic_dispatch_add(b->list, "fill", quartic_fill_push(&args));
    if (fill == NULL) return QUARTIC_INTERNAL;
    quartic_dispatch_groups(fill, (count + FILL_INVOCATIONS - 1) / FILL_INVOCATIONS);
    fill->bytes = (double)plan->counters_bytes;
    QUARTIC_TRY(append_command(b, first, plan->steps[first].level, fill));
    quartic_run_vulkan_touched *touched = &b->touched[b->count - 1];
    touched->count = quartic_dispatch_fill(
        fill, &(quartic_dispatch_memory){.output_count = 1, .outputs = &memory, .absent = b->memory.absent},
        b->commands[b->count - 1].args, touched->ranges);
    return QUARTIC_OK;
}

static quartic_status lower_steps(builder *b) {
    b->list = quartic_alloc(1, sizeof *b->list);
    if (b->list == NULL) return QUARTIC_OUT_OF_MEMORY;
    for (uint32_t s = 0; s < b->plan->step_count; ++s) QUARTIC_TRY(lower_step(b, s));
    return lower_counters(b);
}

/* A command's place before it is put in order. */
typedef struct command_place {
    uint32_t level, index;
} command_place;

static int by_command_level(const void *a, const void *b) {
    const command_place *x = a, *y = b;
    if (x->level != y->level) return x->level < y->level ? -1 : 1;
    return x->index < y->index ? -1 : 1;
}

/* Puts dispatches of one level side by side, whichever steps they are of. */
static quartic_status order_commands(builder *b) {
    bool ordered = true;
    for (uint32_t c = 1; c < b->count; ++c) ordered = ordered && b->levels[c - 1] <= b->levels[c];
    if (ordered) return QUARTIC_OK;
    command_place *places = quartic_alloc(b->count, sizeof *places);
    quartic_gpu_command *commands = quartic_alloc(b->count, sizeof *commands);
    quartic_run_vulkan_touched *touched = quartic_alloc(b->count, sizeof *touched);
    if (places == NULL || commands == NULL || touched == NULL) {
        quartic_free(places);
        quartic_free(commands);
        quartic_free(touched);
        return QUARTIC_OUT_OF_MEMORY;
    }
    for (uint32_t c = 0; c < b->count; ++c) places[c] = (command_place){b->levels[c], c};
    qsort(places, b->count, sizeof *places, by_command_level);
    for (uint32_t c = 0; c < b->count; ++c) {
        commands[c] = b->commands[places[c].index];
        touched[c] = b->touched[places[c].index];
    }
    quartic_free(places);
    quartic_free(b->commands);
    quartic_free(b->touched);
    b->commands = commands;
    b->touched = touched;
    return QUARTIC_OK;
}

static quartic_status set_barriers(builder *b) {
    quartic_hazards hazards = {0};
    quartic_status status = QUARTIC_OK;
    for (uint32_t c = 0; c < b->count && status == QUARTIC_OK; ++c)
        status =
            quartic_hazards_add(&hazards, b->touched[c].ranges, b->touched[c].count, &b->commands[c].barrier);
    quartic_hazards_destroy(&hazards);
    return status;
}

quartic_status quartic_run_vulkan_lower(const quartic_graph *graph, const quartic_plan *plan,
                                        const quartic_gpu_limits *limits,
                                        const quartic_run_vulkan_memory *memory,
                                        quartic_gpu_command **out_commands,
                                        quartic_run_vulkan_touched **out_touched, uint32_t *out_count) {
    builder b = {.graph = graph, .plan = plan, .memory = *memory, .limits = *limits};
    quartic_status status = lower_steps(&b);
    if (status == QUARTIC_OK) status = order_commands(&b);
    if (status == QUARTIC_OK) status = set_barriers(&b);
    quartic_free(b.list);
    quartic_free(b.levels);
    if (status != QUARTIC_OK) {
        quartic_free(b.commands);
        b.commands = NULL;
    }
    if (status != QUARTIC_OK || out_touched == NULL) {
        quartic_free(b.touched);
        b.touched = NULL;
    }
    *out_commands = b.commands;
    if (out_touched != NULL) *out_touched = b.touched;
    *out_count = status == QUARTIC_OK ? b.count : 0;
    return status;
}

quartic_status quartic_run_vulkan_create(quartic_gpu_device *device, const quartic_graph *graph,
                                         const quartic_plan *plan, const uint64_t *storages,
                                         const uint64_t *arenas, const quartic_tuning_table *tuning,
                                         bool profile, quartic_run_vulkan **out_run) {
    *out_run = NULL;
    quartic_gpu_limits limits = quartic_run_vulkan_limits(device);
    limits.tuning = tuning;
    quartic_gpu_command *list;
    uint32_t count;
    quartic_run_vulkan_memory memory = {.storages = storages, .arenas = arenas};
    QUARTIC_TRY(quartic_gpu_device_absent(device, &memory.absent));
    QUARTIC_TRY(quartic_run_vulkan_lower(graph, plan, &limits, &memory, &list, NULL, &count));
    quartic_run_vulkan *run = quartic_alloc(1, sizeof *run);
    quartic_status status = run == NULL ? QUARTIC_OUT_OF_MEMORY : QUARTIC_OK;
    if (status == QUARTIC_OK)
        status = quartic_gpu_commands_create(device, list, count, plan->step_count, profile, &run->commands);
    quartic_free(list);
    if (status == QUARTIC_OK)
        *out_run = run;
    else
        quartic_free(run);
    return status;
}

void quartic_run_vulkan_destroy(quartic_run_vulkan *run) {
    if (run == NULL) return;
    quartic_gpu_commands_destroy(run->commands);
    quartic_free(run);
}

quartic_status quartic_run_vulkan_run(quartic_run_vulkan *run) {
    return quartic_gpu_commands_run(run->commands);
}

quartic_status quartic_run_vulkan_submit(quartic_run_vulkan *run) {
    return quartic_gpu_commands_enqueue(run->commands);
}

quartic_status quartic_run_vulkan_record(quartic_run_vulkan *run, void *command_buffer) {
    quartic_gpu_commands_append(run->commands, command_buffer);
    return QUARTIC_OK;
}

double quartic_run_vulkan_host_seconds(const quartic_run_vulkan *run) {
    return quartic_gpu_commands_host_seconds(run->commands);
}

void quartic_run_vulkan_counts(const quartic_run_vulkan *run, uint32_t *out_dispatches,
                               uint32_t *out_submits) {
    *out_dispatches = quartic_gpu_commands_count(run->commands);
    *out_submits = quartic_gpu_commands_submit_count(run->commands);
}

double quartic_run_vulkan_seconds(const quartic_run_vulkan *run, uint32_t step) {
    return quartic_gpu_commands_seconds(run->commands, step);
}
