/* device_get_limits.c: the limits that an open device's driver states; see quartic/estimate.h. */
#include <string.h>

#include "base/call.h"
#include "run/device_limits.h"
#include "run/run.h"

quartic_status quartic_device_get_limits(const quartic_device *device, quartic_device_limits *inout_limits) {
    QUARTIC_CALL();
    QUARTIC_NEED(device);
    QUARTIC_NEED(inout_limits);
    quartic_device_limits limits;
    QUARTIC_TRY(quartic_options_read(&quartic_device_limits_type, inout_limits, &limits));
    if (device->info.kind != QUARTIC_DEVICE_VULKAN)
        return quartic_fail(QUARTIC_UNSUPPORTED, "%s is no Vulkan device, so no driver states limits of it",
                            device->info.name);
    const quartic_gpu_caps *caps = quartic_gpu_device_caps(device->gpu);
    memset(limits.name, 0, sizeof limits.name);
    memcpy(limits.name, caps->name, strnlen(caps->name, sizeof limits.name - 1));
    limits.kind = caps->rank == QUARTIC_GPU_DISCRETE ? QUARTIC_LIMITS_DISCRETE : QUARTIC_LIMITS_INTEGRATED;
    limits.compute_units = caps->compute_units;
    limits.subgroup_size = caps->subgroup_size;
    limits.max_invocations = caps->max_invocations;
    limits.max_shared_bytes = caps->max_shared_bytes;
    limits.float16 = caps->float16;
    limits.cooperative_matrix = caps->cooperative_matrix;
    limits.subgroup_shuffle = caps->subgroup_shuffle;
    limits.memory_model = caps->memory_model;
    limits.memory_bytes = caps->memory_bytes;
    limits.max_buffer_bytes = caps->max_buffer_bytes;
    return quartic_options_write(&quartic_device_limits_type, &limits, inout_limits);
}
