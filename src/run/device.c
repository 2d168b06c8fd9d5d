/* device.c: opening a device by name, and what devices exist. See device.h for names and order. */
#include <ctype.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/call.h"
#include "run/run.h"
#include "run/run_vulkan.h"

/* The CPU devices: name, kind, bytes of a real number. */
static const struct {
    const char *name;
    quartic_device_kind kind;
    uint32_t real_bytes;
} cpu_devices[] = {
    {"cpu", QUARTIC_DEVICE_CPU, 4},
    {"reference", QUARTIC_DEVICE_REFERENCE, 4},
    {"reference64", QUARTIC_DEVICE_REFERENCE64, 8},
};
enum { CPU_DEVICES = sizeof cpu_devices / sizeof cpu_devices[0] };

static quartic_device_info cpu_info(uint32_t index) {
    long pages = sysconf(_SC_PHYS_PAGES), page_bytes = sysconf(_SC_PAGESIZE);
    quartic_device_info info = {.kind = cpu_devices[index].kind, .usable = 1};
    if (pages > 0 && page_bytes > 0) info.memory_bytes = (uint64_t)pages * (uint64_t)page_bytes;
    snprintf(info.name, sizeof info.name, "%s", cpu_devices[index].name);
    snprintf(info.type, sizeof info.type, "cpu");
    return info;
}

static quartic_status open_cpu(uint32_t index, quartic_device **out_device) {
    quartic_device *device = quartic_alloc(1, sizeof *device);
    if (device == NULL) return QUARTIC_OUT_OF_MEMORY;
    *device = (quartic_device){.backend = &quartic_backend_cpu,
                               .info = cpu_info(index),
                               .threads = (uint32_t)omp_get_max_threads(),
                               .real_bytes = cpu_devices[index].real_bytes};
    *out_device = device;
    return QUARTIC_OK;
}

/* ---- Vulkan devices ---- */

static quartic_device_info vulkan_info(const quartic_gpu_caps *caps, uint32_t index) {
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

static quartic_status open_vulkan(const quartic_gpu_caps *caps, uint32_t index, quartic_device **out_device) {
    if (!caps->usable)
        return quartic_fail(QUARTIC_UNSUPPORTED, "the Vulkan device %u (%s) cannot be used: %s", index,
                            caps->name, caps->why_not);
    quartic_gpu_device *gpu = NULL;
    QUARTIC_TRY(quartic_gpu_device_create(index, &gpu));
    quartic_device_info info = vulkan_info(caps, index);
    return quartic_device_wrap_gpu(gpu, &info, out_device);
}

quartic_status quartic_device_wrap_gpu(quartic_gpu_device *gpu, const quartic_device_info *info,
                                       quartic_device **out_device) {
    *out_device = quartic_alloc(1, sizeof **out_device);
    if (*out_device == NULL) {
        quartic_gpu_device_destroy(gpu);
        return QUARTIC_OUT_OF_MEMORY;
    }
    **out_device = (quartic_device){
        .backend = &quartic_backend_vulkan, .info = *info, .threads = 1, .real_bytes = 4, .gpu = gpu};
    return QUARTIC_OK;
}

static bool contains_ignoring_case(const char *text, const char *part) {
    for (; *text != 0; ++text) {
        size_t k = 0;
        while (part[k] != 0 && tolower((unsigned char)text[k]) == tolower((unsigned char)part[k])) ++k;
        if (part[k] == 0) return true;
    }
    return false;
}

/* Whether the name asks for the Vulkan device of that index: "vulkan" takes the first usable one. */
static bool is_meant(const char *name, const quartic_gpu_caps *caps, uint32_t index) {
    char number[16];
    snprintf(number, sizeof number, "%u", index);
    if (strcmp(name, "vulkan") == 0) return caps->usable;
    if (strcmp(name, "auto") == 0) return caps->usable && caps->rank < QUARTIC_GPU_OTHER;
    return strcmp(name, number) == 0 || contains_ignoring_case(caps->name, name);
}

/* UNAVAILABLE, naming what there is. */
static quartic_status no_such_device(const char *name, const quartic_gpu_caps *caps, uint32_t count) {
    char found[600] = "";
    size_t used = 0;
    for (uint32_t d = 0; d < count && used < sizeof found; ++d)
        used += (size_t)snprintf(found + used, sizeof found - used, ", %u (%s)", d, caps[d].name);
    return quartic_fail(QUARTIC_UNAVAILABLE,
                        "there is no device \"%s\"; there are cpu, reference, reference64%s%s", name, found,
                        count == 0 ? " and no Vulkan device" : "");
}

quartic_status quartic_device_create(const char *name, quartic_device **out_device) {
    QUARTIC_CALL();
    QUARTIC_NEED(out_device);
    *out_device = NULL;
    if (name == NULL || strcmp(name, "auto") == 0) name = getenv("QUARTIC_DEVICE");
    if (name == NULL || name[0] == 0) name = "auto";
    for (uint32_t c = 0; c < CPU_DEVICES; ++c)
        if (strcmp(name, cpu_devices[c].name) == 0) return open_cpu(c, out_device);
    quartic_gpu_caps *caps = NULL;
    uint32_t count = 0;
    quartic_status listed = quartic_gpu_list(&caps, &count);
    bool automatic = strcmp(name, "auto") == 0;
    if (listed != QUARTIC_OK && !automatic) return listed;
    uint32_t index = 0;
    while (index < count && !is_meant(name, &caps[index], index)) ++index;
    quartic_status status;
    if (index < count)
        status = open_vulkan(&caps[index], index, out_device);
    else if (automatic)
        status = open_cpu(0, out_device);
    else
        status = no_such_device(name, caps, count);
    quartic_free(caps);
    return status;
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

static void put_info(quartic_device_info *infos, uint32_t capacity, uint32_t *count,
                     quartic_device_info info) {
    if (*count < capacity) infos[*count] = info;
    ++*count;
}

quartic_status quartic_device_list(quartic_device_info *out_infos, uint32_t capacity, uint32_t *out_count) {
    QUARTIC_CALL();
    QUARTIC_NEED(out_count);
    if (out_infos == NULL && capacity != 0)
        return quartic_fail(QUARTIC_INVALID_ARGUMENT,
                            "out_infos is NULL, but its capacity is %u; NULL goes with a capacity of 0",
                            capacity);
    quartic_gpu_caps *caps = NULL;
    uint32_t gpus = 0;
    *out_count = 0;
    quartic_status listed = quartic_gpu_list(&caps, &gpus);
    if (listed == QUARTIC_OUT_OF_MEMORY) return listed;
    /* The list is sorted by rank: "cpu" stands between real and software devices. */
    uint32_t d = 0;
    for (; d < gpus && caps[d].rank < QUARTIC_GPU_OTHER; ++d)
        put_info(out_infos, capacity, out_count, vulkan_info(&caps[d], d));
    put_info(out_infos, capacity, out_count, cpu_info(0));
    for (; d < gpus; ++d) put_info(out_infos, capacity, out_count, vulkan_info(&caps[d], d));
    for (uint32_t c = 1; c < CPU_DEVICES; ++c) put_info(out_infos, capacity, out_count, cpu_info(c));
    quartic_free(caps);
    return QUARTIC_OK;
}
