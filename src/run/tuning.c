/* tuning.c: a device's measured choices: from their file when it is opened, to it when there are new ones.
 *
 * The file's payload is the table's entries as they lie in memory, checked by gpu/cache.c against its device, driver and
 * build. Entries that are out of order are no table of ours.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/call.h"
#include "quartic/tune.h"
#include "run/run.h"
#include "run/run_vulkan.h"

static bool tuning_is_ascending(const quartic_tuning_entry *entries, size_t count) {
    for (size_t k = 1; k < count; ++k)
        if (entries[k].problem <= entries[k - 1].problem) return false;
    return true;
}

void quartic_device_load_tuning(quartic_device *device) {
    size_t bytes;
    void *data = quartic_gpu_tuning_load(quartic_gpu_device_caps(device->gpu), &bytes);
    const size_t count = bytes / sizeof(quartic_tuning_entry);
    if (data == NULL || bytes % sizeof(quartic_tuning_entry) != 0 || count > UINT32_MAX ||
        !tuning_is_ascending(data, count)) {
        quartic_free(data);
        return;
    }
    quartic_tuning_clear(&device->tuning);
    device->tuning = (quartic_tuning_table){data, (uint32_t)count, (uint32_t)count};
}

quartic_tuning_table *quartic_device_tuning(quartic_device *device) {
    return &device->tuning;
}

quartic_status quartic_device_plan_limits(const quartic_device *device, quartic_gpu_limits *out_limits) {
    if (device->info.kind != QUARTIC_DEVICE_VULKAN)
        return quartic_fail(QUARTIC_UNSUPPORTED, "%s is no Vulkan device: there is nothing to tune",
                            device->info.name);
    *out_limits = quartic_run_vulkan_limits(device->gpu);
    return QUARTIC_OK;
}

quartic_status quartic_device_save_tuning(const quartic_device *device) {
    return quartic_gpu_tuning_save(quartic_gpu_device_caps(device->gpu), device->tuning.entries,
                                   device->tuning.count * sizeof(quartic_tuning_entry));
}

uint64_t quartic_device_tuning_hash(const quartic_device *device) {
    QUARTIC_CALL();
    QUARTIC_NEED_OR(device, 0);
    return quartic_tuning_hash(&device->tuning);
}

quartic_status quartic_device_ignore_tuning(quartic_device *device) {
    QUARTIC_CALL();
    QUARTIC_NEED(device);
    quartic_tuning_clear(&device->tuning);
    return QUARTIC_OK;
}
