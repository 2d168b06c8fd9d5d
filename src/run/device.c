/* device.c: opening a device by name, and what devices exist. See device.h for names and order. */
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "run/run.h"

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

quartic_status quartic_device_create(const char *name, quartic_device **out_device) {
    *out_device = NULL;
    if (name == NULL || strcmp(name, "auto") == 0) name = getenv("QUARTIC_DEVICE");
    if (name == NULL || name[0] == 0 || strcmp(name, "auto") == 0) name = "cpu";
    for (uint32_t c = 0; c < CPU_DEVICES; ++c)
        if (strcmp(name, cpu_devices[c].name) == 0) return open_cpu(c, out_device);
    return quartic_fail(QUARTIC_UNAVAILABLE, "there is no device \"%s\" here", name);
}

void quartic_device_destroy(quartic_device *device) {
    if (device == NULL) return;
    device->backend->device_close(device);
    quartic_free(device);
}

quartic_status quartic_device_get_info(const quartic_device *device, quartic_device_info *out_info) {
    *out_info = device->info;
    return QUARTIC_OK;
}

quartic_status quartic_device_list(quartic_device_info *out_infos, uint32_t capacity, uint32_t *out_count) {
    for (uint32_t c = 0; c < CPU_DEVICES && c < capacity; ++c) out_infos[c] = cpu_info(c);
    *out_count = CPU_DEVICES;
    return QUARTIC_OK;
}
