/* device.h: where programs run. All of it is stable but the budget of workspaces, which is unstable.
 *
 * Names of devices:
 *
 *   "cpu"            tuned kernels where there are some, else the reference kernels
 *   "reference"      the reference kernels: plain loops that define the result
 *   "reference64"    the same loops with every real number in double, for checking gradients
 *   "vulkan"         the best Vulkan device
 *   "auto"           the best of all: discrete > integrated > virtual GPU > cpu > software Vulkan
 *   digits, "0"      the Vulkan device with that index, and nothing else
 *   other, "radeon"  the device with that name, or else with that part of its name, capitals or not; if several
 *                    devices have it, it is refused with a list of them
 *
 * If the environment variable QUARTIC_DEVICE is set and not empty, "auto" and NULL mean the device that it
 * names. QUARTIC_DISABLE switches features of Vulkan devices off: float16, coopmat, shuffle, timestamps,
 * mapping, cache, separated by commas. Any other word in it is an error of every call that looks for a
 * device.
 *
 * One thread at a time may use a device and all objects on it; two threads may each use their own device.
 *
 * The process belongs to the program; the library changes as little of it as it can:
 *
 * After fork(), objects that the parent made cannot compute in the child, since threads and Vulkan drivers do
 * not survive: such calls return UNSUPPORTED. The child may read and write tensors of CPU devices that it
 * inherited, save a model that is on one, and destroy anything (objects of a Vulkan device are then left to
 * the end of the process). A device that the child opens itself works: CPU devices always (each run of a
 * program then makes its threads anew, which takes some tens of microseconds); Vulkan devices if the library
 * had none open in the parent at the moment of fork(), else UNAVAILABLE. The exit handlers of a Vulkan driver
 * may wait for threads of the parent, so a child that inherited Vulkan devices must end with _exit() or
 * exec(). exec() is always fine.
 *
 * Every call computes with rounding to nearest, without traps and with subnormal numbers, and restores the
 * calling thread's settings and flags. Where these settings are not the standard ones, it does the same for
 * the thread's OpenMP threads. (Settings of OpenMP's threads alone are not looked for.)
 *
 * "cpu" computes on the calling thread and on OpenMP's threads, as many as omp_get_max_threads() returns when
 * the device is opened (OMP_NUM_THREADS). They stay until the calling thread ends. Where they cannot be made
 * (ulimit -v, -u), a run returns OUT_OF_MEMORY.
 *
 * Nothing else of the process is changed: no signal handlers, locale, environment variables, umask or numbers
 * of threads. Files are written where a function says so; and there is the pipeline cache (quartic/vulkan.h).
 */
#ifndef QUARTIC_DEVICE_H
#define QUARTIC_DEVICE_H

#include <stddef.h>
#include <stdint.h>

#include "quartic/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct quartic_device quartic_device;

typedef enum quartic_device_kind {
    QUARTIC_DEVICE_CPU,
    QUARTIC_DEVICE_REFERENCE,
    QUARTIC_DEVICE_REFERENCE64,
    QUARTIC_DEVICE_VULKAN
} quartic_device_kind;

typedef struct quartic_device_info {
    char name[256];   /* the driver's name of the device, or "cpu", "reference", "reference64" */
    char driver[256]; /* driver name and version, "" for the CPU devices */
    char type[16];    /* "discrete", "integrated", "virtual", "software", "cpu" or "other" */
    quartic_device_kind kind;
    uint32_t index;        /* index among the Vulkan devices; 0 for the others */
    uint64_t memory_bytes; /* device-local heap in bytes (Vulkan) or physical memory (CPU) */
    uint32_t usable;       /* 1 if the device has what the library needs */
    char why_not[256];     /* what it lacks, if not usable */
} quartic_device_info;

/* Opens a device by name (see above; NULL: "auto"); the caller destroys it. Errors: UNAVAILABLE with the list
 * of what exists and why there is no Vulkan device; INVALID_ARGUMENT (an empty name, one that several devices
 * have, an unknown word in QUARTIC_DISABLE); UNSUPPORTED with what the device lacks; OUT_OF_MEMORY,
 * OUT_OF_DEVICE_MEMORY. Then *out_device is NULL. If the name came from QUARTIC_DEVICE, the message says
 * so. */
QUARTIC_API quartic_status quartic_device_create(const char *name, quartic_device **out_device);

/* Closes the device; NULL is fine. Everything that was created on it must have been destroyed. */
QUARTIC_API void quartic_device_destroy(quartic_device *device);

/* Gives what quartic_device_list says of the device. Errors: INVALID_ARGUMENT. */
QUARTIC_API quartic_status quartic_device_get_info(const quartic_device *device,
                                                   quartic_device_info *out_info);

/* What programs made on the device from now on take as workspace_budget where their own is 0 (program.h):
 * those of models and trainers, too. 0, as at first: the standard. Nothing for CPU devices. Errors:
 * INVALID_ARGUMENT for NULL. */
QUARTIC_API quartic_status quartic_device_set_workspace_budget(quartic_device *device, uint64_t bytes);

/* Lists the devices, best first in the order of "auto". Writes at most capacity entries to out_infos, which
 * may be NULL if capacity is 0, and the full count to *out_count. The CPU devices are always listed: that
 * there is no Vulkan loader or driver, or a broken driver manifest, is not an error. Errors: OUT_OF_MEMORY;
 * INVALID_ARGUMENT (also an unknown word in QUARTIC_DISABLE). */
QUARTIC_API quartic_status quartic_device_list(quartic_device_info *out_infos, uint32_t capacity,
                                               uint32_t *out_count);

/* Returns OK if the list has a Vulkan device, usable or not; else UNAVAILABLE, or the driver's error, with
 * the reason and, where there is one, the message of the Vulkan loader. Other errors: as
 * quartic_device_list. */
QUARTIC_API quartic_status quartic_device_check_vulkan(void);

#ifdef __cplusplus
}
#endif
#endif
