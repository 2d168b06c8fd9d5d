/* backend_vulkan.c: the Vulkan devices as a backend: buffers as tensor memory, run_vulkan.c as the runner.
 *
 * In a process that was made by fork() nothing of the parent's devices reaches the driver, which would wait
 * for threads that are not there: calls are refused, and what is destroyed is left to the end of the process.
 */
#include "base/alloc.h"
#include "base/threads.h"
#include "run/run.h"
#include "run/run_vulkan.h"

static bool vulkan_is_inherited(const quartic_device *device) {
    return device->process != quartic_process();
}

static quartic_status vulkan_memory_create(quartic_device *device, uint64_t bytes, void **out_memory) {
    quartic_gpu_buffer *buffer = NULL;
    *out_memory = NULL;
    QUARTIC_TRY(quartic_device_expect_own_process(device));
    quartic_status status = quartic_gpu_buffer_create(device->gpu, bytes, &buffer);
    *out_memory = buffer;
    return status;
}

static void vulkan_memory_destroy(quartic_device *device, void *memory) {
    if (!vulkan_is_inherited(device)) quartic_gpu_buffer_destroy(memory);
}

static uint64_t vulkan_memory_address(const void *memory) {
    return quartic_gpu_buffer_address(memory);
}

static quartic_status vulkan_memory_write(quartic_device *device, void *memory, const void *data,
                                          uint64_t bytes) {
    QUARTIC_TRY(quartic_device_expect_own_process(device));
    return quartic_gpu_buffer_write(memory, 0, data, bytes);
}

static quartic_status vulkan_memory_read(quartic_device *device, const void *memory, void *out_data,
                                         uint64_t bytes) {
    QUARTIC_TRY(quartic_device_expect_own_process(device));
    return quartic_gpu_buffer_read(memory, 0, out_data, bytes);
}

static quartic_status vulkan_memory_upload(quartic_device *device, void *memory, const void *data,
                                           uint64_t bytes) {
    QUARTIC_TRY(quartic_device_expect_own_process(device));
    return quartic_gpu_buffer_upload(memory, 0, data, bytes);
}

static quartic_status vulkan_fetch_create(quartic_device *device, const void *memory, uint64_t bytes,
                                          void **out_fetch) {
    quartic_gpu_fetch *fetch = NULL;
    *out_fetch = NULL;
    QUARTIC_TRY(quartic_device_expect_own_process(device));
    quartic_status status = quartic_gpu_fetch_create(memory, bytes, &fetch);
    *out_fetch = fetch;
    return status;
}

static quartic_status vulkan_fetch_start(quartic_device *device, void *fetch) {
    QUARTIC_TRY(quartic_device_expect_own_process(device));
    return quartic_gpu_fetch_start(fetch);
}

static quartic_status vulkan_fetch_wait(quartic_device *device, void *fetch, void *out_data) {
    QUARTIC_TRY(quartic_device_expect_own_process(device));
    return quartic_gpu_fetch_wait(fetch, out_data);
}

static void vulkan_fetch_destroy(quartic_device *device, void *fetch) {
    if (!vulkan_is_inherited(device)) quartic_gpu_fetch_destroy(fetch);
}

static quartic_status vulkan_flush(quartic_device *device) {
    return quartic_gpu_flush(device->gpu);
}

static void vulkan_discard(quartic_device *device) {
    if (!vulkan_is_inherited(device)) quartic_gpu_discard(device->gpu);
}

static void vulkan_set_training_step(quartic_device *device, uint64_t number) {
    if (!vulkan_is_inherited(device)) quartic_gpu_set_training_step(device->gpu, number);
}

static uint64_t vulkan_submits(const quartic_device *device) {
    return quartic_gpu_submit_calls(device->gpu);
}

static quartic_status vulkan_scratch(void *context, const quartic_node *node, const quartic_op_call *call,
                                     quartic_step_need *out_need) {
    const quartic_scratch_context *scratch_context = context;
    quartic_run_vulkan_rule rule = {scratch_context->graph,
                                    quartic_run_vulkan_limits(scratch_context->device->gpu)};
    rule.limits.tuning = &scratch_context->device->tuning;
    return quartic_run_vulkan_scratch(&rule, node, call, out_need);
}

static quartic_plan_budget vulkan_standard_budget(const quartic_device *device) {
    const quartic_gpu_caps *caps = quartic_gpu_device_caps(device->gpu);
    return quartic_plan_standard_budget(caps->memory_bytes, caps->max_buffer_bytes);
}

/* Refuses what cannot fit before any of it is allocated. */
static quartic_status vulkan_expect_room(quartic_device *device, uint64_t bytes) {
    return quartic_gpu_device_expect_room(device->gpu, bytes, "a program");
}

static quartic_status vulkan_compile(quartic_program *program) {
    const uint32_t storage_count = program->graph->storage_count;
    uint64_t *addresses = quartic_alloc((size_t)storage_count + program->arena_count, sizeof *addresses);
    if (addresses == NULL) return QUARTIC_OUT_OF_MEMORY;
    uint64_t *storages = addresses, *arenas = addresses + storage_count;
    for (uint32_t s = 0; s < storage_count; ++s)
        if (program->tensors[s] != NULL)
            storages[s] = quartic_gpu_buffer_address(program->tensors[s]->memory);
    for (uint32_t a = 0; a < program->arena_count; ++a)
        arenas[a] = quartic_gpu_buffer_address(program->arenas[a]->memory);
    quartic_run_vulkan *run = NULL;
    quartic_status status =
        quartic_run_vulkan_create(program->device->gpu, program->graph, &program->plan, storages, arenas,
                                  &program->device->tuning, program->profile, &run);
    quartic_free(addresses);
    program->compiled = run;
    return status;
}

static void vulkan_release(quartic_program *program) {
    if (!vulkan_is_inherited(program->device)) quartic_run_vulkan_destroy(program->compiled);
    program->compiled = NULL;
}

static quartic_status vulkan_run(quartic_program *program) {
    QUARTIC_TRY(quartic_run_vulkan_run(program->compiled));
    for (uint32_t t = 0; program->profile && t < program->plan.step_count; ++t)
        program->step_seconds[t] = quartic_run_vulkan_seconds(program->compiled, t);
    return QUARTIC_OK;
}

/* A measured program runs alone. */
static quartic_status vulkan_submit(quartic_program *program) {
    return program->profile ? vulkan_run(program) : quartic_run_vulkan_submit(program->compiled);
}

static void vulkan_replay_cost(const quartic_program *program, quartic_replay_info *out_info) {
    out_info->host_seconds = quartic_run_vulkan_host_seconds(program->compiled);
    quartic_run_vulkan_counts(program->compiled, &out_info->dispatches, &out_info->submits);
}

static void vulkan_device_close(quartic_device *device) {
    if (!vulkan_is_inherited(device)) quartic_gpu_device_destroy(device->gpu);
}

const quartic_backend quartic_backend_vulkan = {.memory_create = vulkan_memory_create,
                                                .memory_destroy = vulkan_memory_destroy,
                                                .memory_address = vulkan_memory_address,
                                                .memory_write = vulkan_memory_write,
                                                .memory_read = vulkan_memory_read,
                                                .memory_upload = vulkan_memory_upload,
                                                .fetch_create = vulkan_fetch_create,
                                                .fetch_start = vulkan_fetch_start,
                                                .fetch_wait = vulkan_fetch_wait,
                                                .fetch_destroy = vulkan_fetch_destroy,
                                                .flush = vulkan_flush,
                                                .discard = vulkan_discard,
                                                .submits = vulkan_submits,
                                                .set_training_step = vulkan_set_training_step,
                                                .scratch = vulkan_scratch,
                                                .expect_room = vulkan_expect_room,
                                                .standard_budget = vulkan_standard_budget,
                                                .compile = vulkan_compile,
                                                .release = vulkan_release,
                                                .run = vulkan_run,
                                                .submit = vulkan_submit,
                                                .replay_cost = vulkan_replay_cost,
                                                .device_close = vulkan_device_close};
