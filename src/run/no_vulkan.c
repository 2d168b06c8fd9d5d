/* no_vulkan.c: stands in for the Vulkan layer where the library is built with QUARTIC_VULKAN=OFF: no device
 * is ever found, so nothing else of the layer is reached. */
#include "base/call.h"
#include "run/device_limits.h"
#include "run/run.h"

quartic_status quartic_gpu_list(quartic_gpu_caps **out_caps, uint32_t *out_count) {
    *out_caps = NULL;
    *out_count = 0;
    return quartic_fail(
        QUARTIC_UNAVAILABLE,
        "this library was built without Vulkan; configure with QUARTIC_VULKAN=ON for Vulkan devices");
}

quartic_status quartic_gpu_check_switches(void) {
    return QUARTIC_OK; /* there is nothing to switch off */
}

quartic_status quartic_gpu_device_create(uint32_t index, quartic_gpu_device **out_device) {
    *out_device = NULL;
    return quartic_fail(QUARTIC_UNAVAILABLE,
                        "Vulkan device %u was asked for, but this library was built without Vulkan", index);
}

void quartic_gpu_device_destroy(quartic_gpu_device *device) {
    (void)device;
}

const quartic_backend quartic_backend_vulkan = {0};

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
    (void)part_count;
    return quartic_fail(QUARTIC_UNSUPPORTED, "this library was built without Vulkan, so it has no shaders to "
                                             "estimate; configure with QUARTIC_VULKAN=ON");
}

void quartic_estimate_destroy(quartic_estimate *estimate) {
    (void)estimate; /* there is none */
}

quartic_estimate_info quartic_estimate_get_info(const quartic_estimate *estimate) {
    QUARTIC_CALL();
    QUARTIC_NEED_OR(estimate, (quartic_estimate_info){0});
    return (quartic_estimate_info){0};
}

quartic_status quartic_estimate_get_arena(const quartic_estimate *estimate, uint32_t index,
                                          quartic_estimate_arena *out_arena) {
    QUARTIC_CALL();
    QUARTIC_NEED(estimate);
    QUARTIC_NEED(out_arena);
    return quartic_fail(QUARTIC_INVALID_ARGUMENT, "arena %u was asked for; there is none", index);
}

quartic_status quartic_estimate_get_dispatch(const quartic_estimate *estimate, uint32_t index,
                                             quartic_estimate_dispatch *out_dispatch) {
    QUARTIC_CALL();
    QUARTIC_NEED(estimate);
    QUARTIC_NEED(out_dispatch);
    return quartic_fail(QUARTIC_INVALID_ARGUMENT, "dispatch %u was asked for; there is none", index);
}
