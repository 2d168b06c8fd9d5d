/* access.c: see access.h. */
#include "run/access.h"

#include <string.h>

#include "base/alloc.h"
#include "run/run.h"

uint32_t quartic_device_element_bytes(const quartic_device *device, quartic_dtype dtype) {
    return dtype == QUARTIC_FLOAT32 ? device->real_bytes : 4;
}

quartic_status quartic_tensor_create_bytes(quartic_device *device, quartic_dtype dtype,
                                           const quartic_shape *shape, uint64_t device_bytes,
                                           quartic_tensor **out_tensor) {
    *out_tensor = NULL;
    quartic_tensor *tensor = quartic_alloc(1, sizeof *tensor);
    if (tensor == NULL) return QUARTIC_OUT_OF_MEMORY;
    *tensor =
        (quartic_tensor){.device = device, .dtype = dtype, .shape = *shape, .device_bytes = device_bytes};
    quartic_status status = device->backend->memory_create(device, device_bytes, &tensor->memory);
    if (status == QUARTIC_OK)
        *out_tensor = tensor;
    else
        quartic_free(tensor);
    return status;
}

quartic_device *quartic_tensor_device(const quartic_tensor *tensor) {
    return tensor->device;
}

uint64_t quartic_tensor_device_bytes(const quartic_tensor *tensor) {
    return tensor->device_bytes;
}

quartic_status quartic_tensor_write_memory(quartic_tensor *tensor, const void *data) {
    return tensor->device->backend->memory_write(tensor->device, tensor->memory, data, tensor->device_bytes);
}

quartic_status quartic_tensor_read_memory(const quartic_tensor *tensor, void *out_data) {
    return tensor->device->backend->memory_read(tensor->device, tensor->memory, out_data,
                                                tensor->device_bytes);
}

uint32_t quartic_program_arena_count(const quartic_program *program) {
    return program->arena_count;
}

const quartic_tensor *quartic_program_arena(const quartic_program *program, uint32_t arena) {
    return program->arenas[arena];
}

static void mark_in_arena(const quartic_arenas *arenas, uint32_t arena, uint64_t offset, uint64_t bytes,
                          uint8_t *out_used) {
    if (quartic_arena_of(arenas, offset) == arena)
        memset(out_used + quartic_arena_offset(arenas, offset), 1, bytes);
}

void quartic_program_mark_arena(const quartic_program *program, uint32_t arena, uint8_t *out_used) {
    const quartic_plan *plan = &program->plan;
    for (uint32_t s = 0; s < plan->storage_count; ++s)
        if (plan->places[s].used && plan->places[s].in_workspace)
            mark_in_arena(&plan->arenas, arena, plan->places[s].offset, plan->places[s].bytes, out_used);
    if (plan->counters_bytes > 0)
        mark_in_arena(&plan->arenas, arena, plan->counters_offset, plan->counters_bytes, out_used);
    for (uint32_t k = 0; k < plan->step_count; ++k)
        mark_in_arena(&plan->arenas, arena, plan->steps[k].scratch_offset, plan->steps[k].scratch_bytes,
                      out_used);
}

void quartic_program_set_jitter(quartic_program *program, uint64_t seed) {
    program->jitter = seed;
}
