/* device.c: opening a device by name, and what devices exist. See device.h for names and order. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/call.h"
#include "base/find.h"
#include "base/threads.h"
#include "run/device_name.h"
#include "run/run.h"
#include "run/run_vulkan.h"

/* The CPU devices, in the order of their kinds: name, kind, bytes of a real number. */
static const struct {
    const char *name;
    quartic_device_kind kind;
    uint32_t real_bytes;
} cpu_devices[] = {
    {"cpu", QUARTIC_DEVICE_CPU, 4},
    {"reference", QUARTIC_DEVICE_REFERENCE, 4},
    {"reference64", QUARTIC_DEVICE_REFERENCE64, 8},
};
enum { CPU_DEVICES = sizeof cpu_devices / sizeof cpu_devices[0], WHY_BYTES = 900 };

static quartic_device_info cpu_device_info(uint32_t index) {
    long pages = sysconf(_SC_PHYS_PAGES), page_bytes = sysconf(_SC_PAGESIZE);
    quartic_device_info info = {.kind = cpu_devices[index].kind, .usable = 1};
    if (pages > 0 && page_bytes > 0) info.memory_bytes = (uint64_t)pages * (uint64_t)page_bytes;
    snprintf(info.name, sizeof info.name, "%s", cpu_devices[index].name);
    snprintf(info.type, sizeof info.type, "cpu");
    return info;
}

static quartic_status open_cpu_device(uint32_t index, quartic_device **out_device) {
    quartic_device *device = quartic_alloc(1, sizeof *device);
    if (device == NULL) return QUARTIC_OUT_OF_MEMORY;
    *device = (quartic_device){.backend = &quartic_backend_cpu,
                               .process = quartic_process(),
                               .info = cpu_device_info(index),
                               .threads = quartic_threads_default(),
                               .real_bytes = cpu_devices[index].real_bytes};
    *out_device = device;
    return QUARTIC_OK;
}

/* ---- Vulkan devices ---- */

static quartic_device_info vulkan_device_info(const quartic_gpu_caps *caps, uint32_t index) {
    quartic_device_info info = {.kind = QUARTIC_DEVICE_VULKAN,
                                .index = index,
                                .memory_bytes = caps->memory_bytes,
                                .usable = caps->usable};
    snprintf(info.name, sizeof info.name, "%s", caps->name);
    snprintf(info.driver, sizeof info.driver, "%s", caps->driver);
    snprintf(info.type, sizeof info.type, "%s", caps->type);
    snprintf(info.why_not, sizeof info.why_not, "%s", caps->why_not);
    return info;
}

static quartic_status open_vulkan_device(const quartic_device_info *info, quartic_device **out_device) {
    if (!info->usable)
        return quartic_fail(QUARTIC_UNSUPPORTED, "the Vulkan device %u (%s) cannot be used: %s", info->index,
                            info->name, info->why_not);
    quartic_gpu_device *gpu = NULL;
    QUARTIC_TRY(quartic_gpu_device_create(info->index, &gpu));
    return quartic_device_wrap_gpu(gpu, info, out_device);
}

quartic_status quartic_device_wrap_gpu(quartic_gpu_device *gpu, const quartic_device_info *info,
                                       quartic_device **out_device) {
    *out_device = quartic_alloc(1, sizeof **out_device);
    if (*out_device == NULL) {
        quartic_gpu_device_destroy(gpu);
        return QUARTIC_OUT_OF_MEMORY;
    }
    **out_device = (quartic_device){.backend = &quartic_backend_vulkan,
                                    .process = quartic_process(),
                                    .info = *info,
                                    .threads = 1,
                                    .real_bytes = 4,
                                    .gpu = gpu};
    return QUARTIC_OK;
}

/* ---- the list ---- */

/* Every device, best first, in memory to be freed. Where no Vulkan device can be had, the status tells why
 * and *out_infos still holds the CPU devices; after other errors (no memory, an unknown switch) it is NULL.
 */
static quartic_status list_device_infos(quartic_device_info **out_infos, uint32_t *out_count) {
    quartic_gpu_caps *caps = NULL;
    uint32_t gpus = 0, count = 0;
    *out_infos = NULL;
    *out_count = 0;
    const quartic_status listed = quartic_gpu_list(&caps, &gpus);
    if (listed == QUARTIC_OUT_OF_MEMORY || listed == QUARTIC_INVALID_ARGUMENT) return listed;
    quartic_device_info *infos = quartic_alloc(CPU_DEVICES + gpus, sizeof *infos);
    if (infos == NULL) {
        quartic_free(caps);
        return QUARTIC_OUT_OF_MEMORY;
    }
    /* The Vulkan devices are sorted by rank: "cpu" stands between real and software devices. */
    uint32_t d = 0;
    for (; d < gpus && caps[d].rank < QUARTIC_GPU_OTHER; ++d)
        infos[count++] = vulkan_device_info(&caps[d], d);
    infos[count++] = cpu_device_info(0);
    for (; d < gpus; ++d) infos[count++] = vulkan_device_info(&caps[d], d);
    for (uint32_t c = 1; c < CPU_DEVICES; ++c) infos[count++] = cpu_device_info(c);
    quartic_free(caps);
    *out_infos = infos;
    *out_count = count;
    if (listed != QUARTIC_OK) return listed;
    return gpus > 0 ? QUARTIC_OK
                    : quartic_fail(QUARTIC_UNAVAILABLE, "no Vulkan driver of this machine has a device");
}

/* The last message, to be part of another: without the function's name in front of it. */
static void keep_message(char why[WHY_BYTES]) {
    snprintf(why, WHY_BYTES, "%s", quartic_error_detail());
}

static quartic_status open_named_device(const char *name, quartic_device **out_device) {
    QUARTIC_TRY(quartic_gpu_check_switches());
    /* No driver is looked for where none is asked for. */
    const size_t cpu = quartic_find_name(cpu_devices, sizeof cpu_devices[0], CPU_DEVICES, name);
    if (cpu < CPU_DEVICES) return open_cpu_device((uint32_t)cpu, out_device);
    quartic_device_info *infos;
    uint32_t count, at;
    char why[WHY_BYTES] = "";
    const quartic_status listed = list_device_infos(&infos, &count);
    if (infos == NULL) return listed;
    if (listed != QUARTIC_OK) keep_message(why);
    quartic_status status = quartic_device_match(name, infos, count, listed == QUARTIC_OK ? NULL : why, &at);
    if (status == QUARTIC_UNAVAILABLE && listed != QUARTIC_OK && listed != QUARTIC_UNAVAILABLE) {
        keep_message(why);
        status = quartic_fail(listed, "%s", why); /* such as a driver out of memory */
    }
    if (status == QUARTIC_OK && infos[at].kind == QUARTIC_DEVICE_VULKAN)
        status = open_vulkan_device(&infos[at], out_device);
    else if (status == QUARTIC_OK)
        status = open_cpu_device((uint32_t)infos[at].kind, out_device);
    quartic_free(infos);
    return status;
}

quartic_status quartic_device_create(const char *name, quartic_device **out_device) {
    QUARTIC_CALL();
    QUARTIC_NEED(out_device);
    *out_device = NULL;
    const char *wanted = NULL;
    if (name == NULL || strcasecmp(name, "auto") == 0) wanted = getenv("QUARTIC_DEVICE");
    if (wanted == NULL || wanted[0] == 0) return open_named_device(name == NULL ? "auto" : name, out_device);
    const quartic_status status = open_named_device(wanted, out_device);
    if (status == QUARTIC_OK) return QUARTIC_OK;
    char why[WHY_BYTES];
    keep_message(why);
    return quartic_fail(status, "QUARTIC_DEVICE in the environment asks for \"%.60s\": %s", wanted, why);
}

void quartic_device_destroy(quartic_device *device) {
    if (device == NULL) return;
    device->backend->device_close(device);
    quartic_free(device);
}

quartic_status quartic_device_get_info(const quartic_device *device, quartic_device_info *out_info) {
    QUARTIC_CALL();
    QUARTIC_NEED(device);
    QUARTIC_NEED(out_info);
    *out_info = device->info;
    return QUARTIC_OK;
}

quartic_status quartic_device_set_workspace_budget(quartic_device *device, uint64_t bytes) {
    QUARTIC_CALL();
    QUARTIC_NEED(device);
    device->workspace_budget = bytes;
    return QUARTIC_OK;
}

quartic_status quartic_device_list(quartic_device_info *out_infos, uint32_t capacity, uint32_t *out_count) {
    QUARTIC_CALL();
    QUARTIC_NEED(out_count);
    if (out_infos == NULL && capacity != 0)
        return quartic_fail(QUARTIC_INVALID_ARGUMENT,
                            "out_infos is NULL, but its capacity is %u; NULL goes with a capacity of 0",
                            capacity);
    quartic_device_info *infos;
    *out_count = 0;
    QUARTIC_TRY(quartic_gpu_check_switches());
    quartic_status status = list_device_infos(&infos, out_count);
    if (infos == NULL) return status;
    for (uint32_t d = 0; d < *out_count && d < capacity; ++d) out_infos[d] = infos[d];
    quartic_free(infos);
    return QUARTIC_OK;
}

quartic_status quartic_device_check_vulkan(void) {
    QUARTIC_CALL();
    quartic_device_info *infos;
    uint32_t count;
    QUARTIC_TRY(quartic_gpu_check_switches());
    quartic_status status = list_device_infos(&infos, &count);
    quartic_free(infos);
    return status;
}
