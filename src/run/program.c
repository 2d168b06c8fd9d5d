/* program.c: compiling a graph for a device, binding its named tensors, running it. See program.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/call.h"
#include "base/options.h"
#include "run/run.h"

/* What the caller says of the program or of its device; 0: nothing. */
static uint64_t program_asked_budget(const quartic_device *device, const quartic_program_config *config) {
    return config->workspace_budget != 0 ? config->workspace_budget : device->workspace_budget;
}

/* config has been read. least: in graph order, whatever it says of a budget. */
static quartic_status program_plan_for(const quartic_device *device, const quartic_graph *graph,
                                       const quartic_program_config *config, bool least,
                                       quartic_plan *out_plan) {
    quartic_scratch_context context = {device, graph};
    const quartic_backend *backend = device->backend;
    if (backend->standard_budget == NULL)
        return quartic_plan_create(graph, device->real_bytes, backend->scratch, &context, out_plan);
    quartic_plan_budget budget = backend->standard_budget(device);
    const uint64_t asked = program_asked_budget(device, config);
    if (config->workspace != NULL)
        budget = (quartic_plan_budget){.bytes = config->workspace->device_bytes};
    else if (asked != 0)
        budget = (quartic_plan_budget){.bytes = asked, .allocation_bytes = budget.allocation_bytes};
    if (least || config->profile != 0) budget.bytes = 0;
    return quartic_plan_create_within(graph, device->real_bytes, backend->scratch, &context, &budget,
                                      out_plan);
}

static const quartic_storage *program_find_named(const quartic_graph *graph, const char *name) {
    const uint32_t storage = quartic_graph_find_named(graph, name);
    return storage == QUARTIC_NONE ? NULL : &graph->storages[storage];
}

static quartic_status program_check_binding(const quartic_device *device, const quartic_graph *graph,
                                            const quartic_binding *binding) {
    if (binding->name == NULL) return quartic_fail(QUARTIC_INVALID_ARGUMENT, "a binding has no name (NULL)");
    const quartic_storage *found = program_find_named(graph, binding->name);
    if (found == NULL)
        return quartic_fail(QUARTIC_INVALID_ARGUMENT,
                            "the graph has no input, parameter, state or output named \"%s\" to bind",
                            binding->name);
    if (binding->tensor == NULL)
        return quartic_fail(QUARTIC_INVALID_ARGUMENT, "\"%s\" is bound to no tensor (NULL)", binding->name);
    if (binding->tensor->device != device)
        return quartic_fail(QUARTIC_INVALID_ARGUMENT,
                            "\"%s\" is bound to a tensor on another device (%s) than the program's (%s)",
                            binding->name, binding->tensor->device->info.name, device->info.name);
    char want[QUARTIC_SHAPE_TEXT], got[QUARTIC_SHAPE_TEXT];
    if (binding->tensor->dtype != found->dtype)
        return quartic_fail(QUARTIC_SHAPE_MISMATCH,
                            "\"%s\" is %s in the graph but is bound to a tensor of %s", binding->name,
                            found->dtype == QUARTIC_INT32 ? "int32" : "float32",
                            binding->tensor->dtype == QUARTIC_INT32 ? "int32" : "float32");
    if (quartic_shape_elements(&binding->tensor->shape) == found->elements) return QUARTIC_OK;
    return quartic_fail(QUARTIC_SHAPE_MISMATCH,
                        "\"%s\" has shape %s in the graph but is bound to a tensor of shape %s",
                        binding->name, quartic_shape_text(&found->shape, want),
                        quartic_shape_text(&binding->tensor->shape, got));
}

static const quartic_program_config standard_config = QUARTIC_PROGRAM_CONFIG_INIT;
static const quartic_options_type config_type = {"quartic_program_config", "QUARTIC_PROGRAM_CONFIG_INIT",
                                                 sizeof standard_config, 0, &standard_config};

static quartic_status program_check_config(const quartic_device *device, const quartic_graph *graph,
                                           const quartic_program_config *config) {
    if (config->bindings == NULL && config->binding_count != 0)
        return quartic_fail(QUARTIC_INVALID_ARGUMENT, "config->bindings is NULL, but binding_count is %u",
                            config->binding_count);
    for (uint32_t b = 0; b < config->binding_count; ++b)
        QUARTIC_TRY(program_check_binding(device, graph, &config->bindings[b]));
    if (config->workspace == NULL || config->workspace->device == device) return QUARTIC_OK;
    return quartic_fail(QUARTIC_INVALID_ARGUMENT,
                        "the workspace given is a tensor on another device (%s) than the program's (%s)",
                        config->workspace->device->info.name, device->info.name);
}

/* Memory of the caller's that a program is to use. */
typedef struct bound_range {
    uint64_t begin, end; /* addresses */
    const char *name;    /* NULL: the workspace */
    uint32_t storage;
    bool written;
} bound_range;

static int by_begin(const void *a, const void *b) {
    const bound_range *x = a, *y = b;
    return x->begin < y->begin ? -1 : x->begin > y->begin;
}

static int by_storage(const void *a, const void *b) {
    const bound_range *x = a, *y = b;
    return x->storage < y->storage ? -1 : x->storage > y->storage;
}

static bound_range bound_range_of(const quartic_tensor *tensor) {
    const uint64_t begin = tensor->device->backend->memory_address(tensor->memory);
    return (bound_range){.begin = begin, .end = begin + tensor->device_bytes, .storage = QUARTIC_NONE};
}

static quartic_status refuse_overlap(const bound_range *a, const bound_range *b) {
    const bound_range *writer = a->written ? a : b, *other = a->written ? b : a;
    if (writer->name == NULL || other->name == NULL)
        return quartic_fail(
            QUARTIC_INVALID_ARGUMENT,
            "the workspace given lies over the memory that \"%s\" is bound to, by %llu bytes; "
            "give each its own memory",
            writer->name == NULL ? other->name : writer->name,
            (unsigned long long)((a->end < b->end ? a->end : b->end) - b->begin));
    return quartic_fail(QUARTIC_INVALID_ARGUMENT,
                        "\"%s\" and \"%s\" are bound to memory that overlaps by %llu bytes, and a run writes "
                        "\"%s\"; give each "
                        "its own tensor",
                        a->name, b->name,
                        (unsigned long long)((a->end < b->end ? a->end : b->end) - b->begin), writer->name);
}

/* Sorts the ranges. Ranges that are only read may be the same memory. */
static quartic_status program_check_ranges(bound_range *ranges, uint32_t count) {
    qsort(ranges, count, sizeof *ranges, by_storage);
    for (uint32_t k = 1; k < count; ++k)
        if (ranges[k].name != NULL && ranges[k].storage == ranges[k - 1].storage)
            return quartic_fail(QUARTIC_INVALID_ARGUMENT, "\"%s\" is bound twice; a name takes one tensor",
                                ranges[k].name);
    qsort(ranges, count, sizeof *ranges, by_begin);
    for (uint32_t k = 0; k < count; ++k)
        for (uint32_t next = k + 1; next < count && ranges[next].begin < ranges[k].end; ++next)
            if (ranges[k].written || ranges[next].written) return refuse_overlap(&ranges[k], &ranges[next]);
    return QUARTIC_OK;
}

/* Refuses a name that is bound twice, and memory that a run writes and that is bound to another name, too. */
static quartic_status program_check_memory(const quartic_graph *graph, const quartic_program_config *config) {
    if (config == NULL || (config->binding_count == 0 && config->workspace == NULL)) return QUARTIC_OK;
    bound_range *ranges = quartic_alloc((size_t)config->binding_count + 1, sizeof *ranges);
    if (ranges == NULL) return QUARTIC_OUT_OF_MEMORY;
    uint32_t count = 0;
    for (; count < config->binding_count; ++count) {
        const quartic_storage *storage = program_find_named(graph, config->bindings[count].name);
        ranges[count] = bound_range_of(config->bindings[count].tensor);
        ranges[count].name = config->bindings[count].name;
        ranges[count].storage = (uint32_t)(storage - graph->storages);
        ranges[count].written = storage->kind == QUARTIC_STORAGE_OUTPUT || storage->updated;
    }
    if (config->workspace != NULL) {
        ranges[count] = bound_range_of(config->workspace);
        ranges[count++].written = true;
    }
    const quartic_status status = program_check_ranges(ranges, count);
    quartic_free(ranges);
    return status;
}

/* A graph that has no output and updates nothing is refused: its outputs were forgotten. */
static quartic_status program_check_purpose(const quartic_graph *graph) {
    if (graph->update_count > 0) return QUARTIC_OK;
    for (uint32_t s = 0; s < graph->storage_count; ++s)
        if (graph->storages[s].kind == QUARTIC_STORAGE_OUTPUT) return QUARTIC_OK;
    return quartic_fail(
        QUARTIC_INVALID_ARGUMENT,
        "the graph has no output and updates nothing in place, so a run would do nothing; name "
        "what is wanted with quartic_graph_output");
}

/* Bytes of the named tensors that the caller did not bind. */
static uint64_t own_tensor_bytes(const quartic_graph *graph, const quartic_plan *plan,
                                 const quartic_program_config *config) {
    uint64_t bytes = 0;
    for (uint32_t s = 0; s < graph->storage_count; ++s)
        if (graph->storages[s].name != NULL) bytes += plan->places[s].bytes;
    for (uint32_t b = 0; config != NULL && b < config->binding_count; ++b)
        bytes -= plan->places[program_find_named(graph, config->bindings[b].name) - graph->storages].bytes;
    return bytes;
}

/* A step's estimated operations, and the bytes of its operands. */
static void program_step_cost(const quartic_graph *graph, const quartic_plan_step *step, double *out_flops,
                              double *out_bytes) {
    const quartic_node *node = &graph->nodes[step->node];
    quartic_layout inputs[QUARTIC_OP_MAX_INPUTS], outputs[QUARTIC_OP_MAX_OUTPUTS];
    const quartic_op_call call = quartic_graph_call(graph, node, inputs, outputs);
    double elements = 0;
    *out_bytes = 0;
    for (uint32_t i = 0; i < call.input_count; ++i)
        if (quartic_is_present(&inputs[i])) *out_bytes += 4.0 * (double)quartic_layout_elements(&inputs[i]);
    for (uint32_t o = 0; o < call.output_count; ++o) elements += (double)quartic_layout_elements(&outputs[o]);
    *out_bytes += 4.0 * elements;
    *out_flops = node->op->flops == NULL ? elements : node->op->flops(&call);
}

quartic_status quartic_program_measure(quartic_device *device, const quartic_graph *graph,
                                       const quartic_program_config *config,
                                       quartic_program_memory *out_memory) {
    QUARTIC_CALL();
    QUARTIC_NEED(device);
    QUARTIC_NEED(graph);
    QUARTIC_NEED(out_memory);
    *out_memory = (quartic_program_memory){0};
    quartic_program_config whole;
    QUARTIC_TRY(quartic_options_read(&config_type, config, &whole));
    config = &whole;
    QUARTIC_TRY(quartic_graph_status(graph));
    QUARTIC_TRY(program_check_config(device, graph, config));
    QUARTIC_TRY(program_check_memory(graph, config));
    QUARTIC_TRY(program_check_purpose(graph));
    quartic_plan plan;
    QUARTIC_TRY(program_plan_for(device, graph, config, false, &plan));
    out_memory->workspace_bytes = plan.workspace_bytes;
    out_memory->unshared_bytes = plan.unshared_bytes;
    out_memory->workspace_allocations = plan.arenas.count;
    out_memory->own_tensor_bytes = own_tensor_bytes(graph, &plan, config);
    for (uint32_t k = 0; k < plan.step_count; ++k) {
        double flops, bytes;
        program_step_cost(graph, &plan.steps[k], &flops, &bytes);
        out_memory->flops += flops;
        out_memory->traffic_bytes += bytes;
    }
    quartic_plan_destroy(&plan);
    return QUARTIC_OK;
}

static quartic_status attach_tensors(quartic_program *program, const quartic_program_config *config) {
    for (uint32_t b = 0; config != NULL && b < config->binding_count; ++b)
        program->tensors[program_find_named(program->graph, config->bindings[b].name) -
                         program->graph->storages] = config->bindings[b].tensor;
    for (uint32_t s = 0; s < program->graph->storage_count; ++s) {
        const quartic_storage *storage = &program->graph->storages[s];
        if (storage->name == NULL || program->tensors[s] != NULL) continue;
        QUARTIC_TRY(
            quartic_tensor_create(program->device, storage->dtype, &storage->shape, &program->tensors[s]));
        program->owns[s] = true;
    }
    return QUARTIC_OK;
}

static quartic_status attach_workspace(quartic_program *program, const quartic_program_config *config) {
    const quartic_arenas *arenas = &program->plan.arenas;
    const uint64_t bytes = program->plan.workspace_bytes;
    const bool given = config != NULL && config->workspace != NULL;
    program->arenas = quartic_alloc(given ? 1 : arenas->count, sizeof *program->arenas);
    if (program->arenas == NULL) return QUARTIC_OUT_OF_MEMORY;
    if (given) {
        program->arenas[program->arena_count++] = config->workspace;
        if (config->workspace->device == program->device && config->workspace->device_bytes >= bytes)
            return QUARTIC_OK;
        return quartic_fail(QUARTIC_INVALID_ARGUMENT,
                            "the workspace given has %llu bytes; the program needs %llu bytes",
                            (unsigned long long)config->workspace->device_bytes, (unsigned long long)bytes);
    }
    program->owns_arenas = true;
    /* An arena may exceed the largest tensor, so no shape says its size. */
    for (; program->arena_count < arenas->count; ++program->arena_count)
        QUARTIC_TRY(quartic_tensor_create_bytes(program->device, QUARTIC_FLOAT32, &(quartic_shape){0},
                                                arenas->bytes[program->arena_count],
                                                &program->arenas[program->arena_count]));
    return QUARTIC_OK;
}

/* Whether there is room for what the program will own. Where there is none for a workspace that saves
 * barriers and that nobody asked for, the least is taken. */
static quartic_status program_expect_room(quartic_program *program, const quartic_program_config *config) {
    const quartic_backend *backend = program->device->backend;
    if (backend->expect_room == NULL) return QUARTIC_OK;
    const uint64_t own = own_tensor_bytes(program->graph, &program->plan, config);
    if (config->workspace != NULL) return backend->expect_room(program->device, own);
    const quartic_status status = backend->expect_room(program->device, program->plan.workspace_bytes + own);
    if (status != QUARTIC_OUT_OF_DEVICE_MEMORY || program_asked_budget(program->device, config) != 0)
        return status;
    quartic_plan_destroy(&program->plan);
    QUARTIC_TRY(program_plan_for(program->device, program->graph, config, true, &program->plan));
    return backend->expect_room(program->device, program->plan.workspace_bytes + own);
}

static quartic_status program_build(quartic_program *program, const quartic_graph *graph,
                                    const quartic_program_config *config) {
    QUARTIC_TRY(quartic_graph_clone(graph, &program->graph));
    QUARTIC_TRY(program_plan_for(program->device, program->graph, config, false, &program->plan));
    QUARTIC_TRY(program_expect_room(program, config));
    program->profile = config != NULL && config->profile != 0;
    program->tensors = quartic_alloc(graph->storage_count, sizeof *program->tensors);
    program->owns = quartic_alloc(graph->storage_count, sizeof *program->owns);
    program->step_seconds = quartic_alloc(program->plan.step_count, sizeof(double));
    if (program->tensors == NULL || program->owns == NULL || program->step_seconds == NULL)
        return QUARTIC_OUT_OF_MEMORY;
    QUARTIC_TRY(attach_tensors(program, config));
    QUARTIC_TRY(attach_workspace(program, config));
    return program->device->backend->compile(program);
}

quartic_status quartic_program_create(quartic_device *device, const quartic_graph *graph,
                                      const quartic_program_config *config, quartic_program **out_program) {
    QUARTIC_CALL();
    QUARTIC_NEED(out_program);
    *out_program = NULL;
    QUARTIC_NEED(device);
    QUARTIC_NEED(graph);
    quartic_program_config whole;
    QUARTIC_TRY(quartic_options_read(&config_type, config, &whole));
    config = &whole;
    QUARTIC_TRY(quartic_graph_status(graph));
    QUARTIC_TRY(quartic_device_expect_own_process(device));
    QUARTIC_TRY(program_check_config(device, graph, config));
    QUARTIC_TRY(program_check_memory(graph, config));
    QUARTIC_TRY(program_check_purpose(graph));
    quartic_program *program = quartic_alloc(1, sizeof *program);
    if (program == NULL) return QUARTIC_OUT_OF_MEMORY;
    program->device = device;
    quartic_status status = program_build(program, graph, config);
    if (status != QUARTIC_OK) {
        quartic_program_destroy(program);
        return status;
    }
    *out_program = program;
    return QUARTIC_OK;
}

void quartic_program_destroy(quartic_program *program) {
    if (program == NULL) return;
    if (program->compiled != NULL) program->device->backend->release(program);
    for (uint32_t s = 0; program->owns != NULL && s < program->graph->storage_count; ++s)
        if (program->owns[s]) quartic_tensor_destroy(program->tensors[s]);
    for (uint32_t a = 0; program->owns_arenas && a < program->arena_count; ++a)
        quartic_tensor_destroy(program->arenas[a]);
    quartic_free(program->arenas);
    quartic_free(program->tensors);
    quartic_free(program->owns);
    quartic_free(program->step_seconds);
    quartic_plan_destroy(&program->plan);
    quartic_graph_destroy(program->graph);
    quartic_free(program);
}

enum { MISSED_TEXT = 512 };

/* The names of a graph's tensors, as many as fit. */
static const char *program_list_names(const quartic_graph *graph, char text[MISSED_TEXT]) {
    size_t used = 0;
    text[0] = 0;
    for (uint32_t s = 0; s < graph->storage_count; ++s) {
        const char *name = graph->storages[s].name;
        if (name == NULL) continue;
        if (used + strlen(name) + 8 > MISSED_TEXT) return strcat(text, ", ..");
        used += (size_t)sprintf(text + used, "%s%s", used == 0 ? "" : ", ", name);
    }
    return text;
}

quartic_tensor *quartic_program_tensor(quartic_program *program, const char *name) {
    QUARTIC_CALL();
    QUARTIC_NEED_OR(program, NULL);
    QUARTIC_NEED_OR(name, NULL);
    const quartic_storage *found = program_find_named(program->graph, name);
    quartic_tensor_note_missed(found == NULL ? name : "");
    if (found != NULL) return program->tensors[found - program->graph->storages];
    char names[MISSED_TEXT];
    quartic_fail(QUARTIC_INVALID_ARGUMENT,
                 "the program has no input, parameter, state or output named \"%s\"; its names are: %s", name,
                 program_list_names(program->graph, names));
    return NULL;
}

quartic_status quartic_program_run(quartic_program *program) {
    QUARTIC_CALL();
    QUARTIC_NEED(program);
    QUARTIC_TRY(quartic_device_expect_own_process(program->device));
    return program->device->backend->run(program);
}

uint32_t quartic_program_step_count(const quartic_program *program) {
    QUARTIC_CALL();
    QUARTIC_NEED_OR(program, 0);
    return program->plan.step_count;
}

quartic_status quartic_program_step(const quartic_program *program, uint32_t index,
                                    quartic_step_info *out_info) {
    QUARTIC_CALL();
    QUARTIC_NEED(program);
    QUARTIC_NEED(out_info);
    if (index >= program->plan.step_count)
        return quartic_fail(QUARTIC_INVALID_ARGUMENT, "step %u was asked for; the program has %u steps",
                            index, program->plan.step_count);
    const quartic_node *node = &program->graph->nodes[program->plan.steps[index].node];
    double flops, bytes;
    program_step_cost(program->graph, &program->plan.steps[index], &flops, &bytes);
    *out_info = (quartic_step_info){.op = node->op->name,
                                    .label = program->graph->scopes[node->scope],
                                    .seconds = program->step_seconds[index],
                                    .flops = flops,
                                    .bytes = bytes};
    return QUARTIC_OK;
}

quartic_replay_info quartic_program_replay_info(const quartic_program *program) {
    QUARTIC_CALL();
    QUARTIC_NEED_OR(program, (quartic_replay_info){0});
    quartic_replay_info info = {0};
    if (program->device->backend->replay_cost != NULL) program->device->backend->replay_cost(program, &info);
    return info;
}
