/* no_vulkan.c: stands in for the Vulkan layer where the library is built with QUARTIC_VULKAN=OFF: no device
 * is ever found, so nothing else of the layer is reached. */
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
