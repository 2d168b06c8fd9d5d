/* program.c: compiling a graph for a device, binding its named tensors, running it. See program.h. */
#include <string.h>

#include "base/alloc.h"
#include "base/floats.h"
#include "run/run.h"

static quartic_status plan_for(const quartic_device *device, const quartic_graph *graph,
                               quartic_plan *out_plan) {
    quartic_scratch_context context = {device, graph};
    return quartic_plan_create(graph, device->real_bytes, device->backend->scratch, &context, out_plan);
}

static quartic_tensor *bound_tensor(const quartic_program_config *config, const char *name) {
    for (uint32_t b = 0; config != NULL && b < config->binding_count; ++b)
        if (strcmp(config->bindings[b].name, name) == 0) return config->bindings[b].tensor;
    return NULL;
}

static const quartic_storage *find_named(const quartic_graph *graph, const char *name) {
    for (uint32_t s = 0; s < graph->storage_count; ++s)
        if (graph->storages[s].name != NULL && strcmp(graph->storages[s].name, name) == 0)
            return &graph->storages[s];
    return NULL;
}

static quartic_status check_binding(const quartic_device *device, const quartic_graph *graph,
                                    const quartic_binding *binding) {
    const quartic_storage *found = find_named(graph, binding->name);
    if (found == NULL)
        return quartic_fail(QUARTIC_INVALID_ARGUMENT,
                            "the graph has no input, parameter, state or output named \"%s\" to bind",
                            binding->name);
    if (binding->tensor == NULL || binding->tensor->device != device)
        return quartic_fail(QUARTIC_INVALID_ARGUMENT, "\"%s\" is bound to no tensor of the program's device",
                            binding->name);
    char want[QUARTIC_SHAPE_TEXT], got[QUARTIC_SHAPE_TEXT];
    if (binding->tensor->dtype == found->dtype &&
        quartic_shape_elements(&binding->tensor->shape) == found->elements)
        return QUARTIC_OK;
    return quartic_fail(
        QUARTIC_SHAPE_MISMATCH,
        "\"%s\" has shape %s in the graph but is bound to a tensor of shape %s or of another dtype",
        binding->name, quartic_shape_text(&found->shape, want),
        quartic_shape_text(&binding->tensor->shape, got));
}

static quartic_status check_config(const quartic_device *device, const quartic_graph *graph,
                                   const quartic_program_config *config) {
    if (config == NULL) return QUARTIC_OK;
    if (config->struct_size != sizeof *config)
        return quartic_fail(QUARTIC_INVALID_ARGUMENT,
                            "quartic_program_config has struct_size %zu, the library expects %zu; start from "
                            "QUARTIC_PROGRAM_CONFIG_INIT",
                            config->struct_size, sizeof *config);
    for (uint32_t b = 0; b < config->binding_count; ++b)
        QUARTIC_TRY(check_binding(device, graph, &config->bindings[b]));
    return QUARTIC_OK;
}

/* Bytes of the named tensors that the caller did not bind. */
static uint64_t own_tensor_bytes(const quartic_graph *graph, const quartic_plan *plan,
                                 const quartic_program_config *config) {
    uint64_t bytes = 0;
    for (uint32_t s = 0; s < graph->storage_count; ++s)
        if (graph->storages[s].name != NULL && bound_tensor(config, graph->storages[s].name) == NULL)
            bytes += plan->places[s].bytes;
    return bytes;
}

/* A step's estimated operations and its operands' bytes. */
static void step_cost(const quartic_graph *graph, const quartic_plan_step *step, double *out_flops,
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
    *out_memory = (quartic_program_memory){0};
    QUARTIC_TRY(quartic_graph_status(graph));
    QUARTIC_TRY(check_config(device, graph, config));
    quartic_plan plan;
    QUARTIC_TRY(plan_for(device, graph, &plan));
    out_memory->workspace_bytes = plan.workspace_bytes;
    out_memory->unshared_bytes = plan.unshared_bytes;
    out_memory->own_tensor_bytes = own_tensor_bytes(graph, &plan, config);
    for (uint32_t k = 0; k < plan.step_count; ++k) {
        double flops, bytes;
        step_cost(graph, &plan.steps[k], &flops, &bytes);
        out_memory->flops += flops;
        out_memory->traffic_bytes += bytes;
    }
    quartic_plan_destroy(&plan);
    return QUARTIC_OK;
}

static quartic_status attach_tensors(quartic_program *program, const quartic_program_config *config) {
    for (uint32_t s = 0; s < program->graph->storage_count; ++s) {
        const quartic_storage *storage = &program->graph->storages[s];
        if (storage->name == NULL) continue;
        program->tensors[s] = bound_tensor(config, storage->name);
        if (program->tensors[s] != NULL) continue;
        QUARTIC_TRY(
            quartic_tensor_create(program->device, storage->dtype, &storage->shape, &program->tensors[s]));
        program->owns[s] = true;
    }
    return QUARTIC_OK;
}

static quartic_status attach_workspace(quartic_program *program, const quartic_program_config *config) {
    uint64_t bytes = program->plan.workspace_bytes;
    if (config != NULL && config->workspace != NULL) {
        program->workspace = config->workspace;
        if (config->workspace->device == program->device && config->workspace->device_bytes >= bytes)
            return QUARTIC_OK;
        return quartic_fail(
            QUARTIC_INVALID_ARGUMENT,
            "the workspace given has %llu bytes, or is on another device; the program needs %llu bytes",
            (unsigned long long)config->workspace->device_bytes, (unsigned long long)bytes);
    }
    if (bytes == 0) return QUARTIC_OK;
    /* The workspace may exceed the largest tensor, so its memory is made directly. */
    quartic_tensor *workspace = quartic_alloc(1, sizeof *workspace);
    if (workspace == NULL) return QUARTIC_OUT_OF_MEMORY;
    *workspace = (quartic_tensor){.device = program->device, .dtype = QUARTIC_FLOAT32, .device_bytes = bytes};
    quartic_status status =
        program->device->backend->memory_create(program->device, bytes, &workspace->memory);
    if (status != QUARTIC_OK) {
        quartic_free(workspace);
        return status;
    }
    program->workspace = workspace;
    program->owns_workspace = true;
    return QUARTIC_OK;
}

static quartic_status build(quartic_program *program, const quartic_graph *graph,
                            const quartic_program_config *config) {
    QUARTIC_TRY(quartic_graph_clone(graph, &program->graph));
    QUARTIC_TRY(plan_for(program->device, program->graph, &program->plan));
    program->profile = config != NULL && config->profile != 0;
    program->tensors = quartic_alloc(graph->storage_count, sizeof *program->tensors);
    program->owns = quartic_alloc(graph->storage_count, sizeof *program->owns);
    program->step_seconds = quartic_alloc(program->plan.step_count, sizeof(double));
    if (program->tensors == NULL || program->owns == NULL || program->step_seconds == NULL)
        return QUARTIC_OUT_OF_MEMORY;
    if (program->device->backend->expect_room != NULL) {
        uint64_t workspace = config != NULL && config->workspace != NULL ? 0 : program->plan.workspace_bytes;
        uint64_t own = own_tensor_bytes(graph, &program->plan, config);
        QUARTIC_TRY(program->device->backend->expect_room(program->device, workspace + own));
    }
    QUARTIC_TRY(attach_tensors(program, config));
    QUARTIC_TRY(attach_workspace(program, config));
    return program->device->backend->compile(program);
}

quartic_status quartic_program_create(quartic_device *device, const quartic_graph *graph,
                                      const quartic_program_config *config, quartic_program **out_program) {
    *out_program = NULL;
    QUARTIC_STANDARD_FLOATS;
    QUARTIC_TRY(quartic_graph_status(graph));
    QUARTIC_TRY(quartic_device_expect_own_process(device));
    QUARTIC_TRY(check_config(device, graph, config));
    quartic_program *program = quartic_alloc(1, sizeof *program);
    if (program == NULL) return QUARTIC_OUT_OF_MEMORY;
    program->device = device;
    quartic_status status = build(program, graph, config);
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
    if (program->owns_workspace) quartic_tensor_destroy(program->workspace);
    quartic_free(program->tensors);
    quartic_free(program->owns);
    quartic_free(program->step_seconds);
    quartic_plan_destroy(&program->plan);
    quartic_graph_destroy(program->graph);
    quartic_free(program);
}

quartic_tensor *quartic_program_tensor(quartic_program *program, const char *name) {
    const quartic_storage *found = find_named(program->graph, name);
    if (found != NULL) return program->tensors[found - program->graph->storages];
    quartic_fail(QUARTIC_INVALID_ARGUMENT,
                 "the program has no input, parameter, state or output named \"%s\"", name);
    return NULL;
}

quartic_status quartic_program_run(quartic_program *program) {
    QUARTIC_TRY(quartic_device_expect_own_process(program->device));
    return program->device->backend->run(program);
}

uint32_t quartic_program_step_count(const quartic_program *program) {
    return program->plan.step_count;
}

quartic_status quartic_program_step(const quartic_program *program, uint32_t index,
                                    quartic_step_info *out_info) {
    if (index >= program->plan.step_count)
        return quartic_fail(QUARTIC_INVALID_ARGUMENT, "step %u was asked for; the program has %u steps",
                            index, program->plan.step_count);
    const quartic_node *node = &program->graph->nodes[program->plan.steps[index].node];
    double flops, bytes;
    step_cost(program->graph, &program->plan.steps[index], &flops, &bytes);
    *out_info = (quartic_step_info){.op = node->op->name,
                                    .label = program->graph->scopes[node->scope],
                                    .seconds = program->step_seconds[index],
                                    .flops = flops,
                                    .bytes = bytes};
    return QUARTIC_OK;
}

quartic_replay_info quartic_program_replay_info(const quartic_program *program) {
    quartic_replay_info info = {0};
    if (program->device->backend->replay_cost != NULL) program->device->backend->replay_cost(program, &info);
    return info;
}
