/* device.h: where programs run.
 *
 * Names: "cpu" (tuned rows where they exist), "reference" (plain loops that define the result), "reference64"
 * (the same loops with every real number held in double: for checking gradients), "vulkan" (the best Vulkan
 * device) and "auto": discrete > integrated > virtual GPU > cpu > software Vulkan. A name of digits alone is
 * the index of a Vulkan device and nothing else ("0"). Else a device's name in full, or a part of it,
 * capitals or not ("radeon"); what several devices have is refused with the list of them. QUARTIC_DEVICE in
 * the environment is what "auto" and NULL mean, if set and not empty. QUARTIC_DISABLE switches features of
 * Vulkan devices off: float16, coopmat, shuffle, timestamps, mapping, cache, registers (plans as for devices
 * with few of them), with commas between; other words in it are an error of every call that looks for a device. A device may be used by one thread at a time; two
 * threads may each drive their own device.
 *
 * The process belongs to the host.
 *
 * After fork() what a parent opened cannot compute in its child, since threads and Vulkan drivers do not
 * survive: such calls return UNSUPPORTED with a sentence. Allowed in the child on what it inherited: reading
 * and writing tensors of CPU devices, saving a model that is on one, and destroying anything (objects of a
 * Vulkan device are then left to the end of the process). A device that the child opens itself works: CPU
 * devices always (each program run then makes its threads anew, some tens of microseconds), Vulkan devices if
 * the library had none open in the parent at the moment of fork(), else UNAVAILABLE. A Vulkan driver's own
 * exit handlers may wait for threads of the parent, so a child that inherited Vulkan devices ends by _exit()
 * or exec(). exec() is always fine.
 *
 * Every call computes with rounding to nearest, without traps, with subnormal numbers, and gives the calling
 * thread's settings and flags back as they were; so it does for that thread's OpenMP threads where its own
 * settings are not the standard ones. (Settings of OpenMP threads alone are not looked for.)
 *
 * "cpu" computes on the calling thread and OpenMP's threads, as many as omp_get_max_threads() says when the
 * device is opened (OMP_NUM_THREADS). They stay until the calling thread ends. Where they cannot be made
 * (ulimit -v, -u), a run returns OUT_OF_MEMORY.
 *
 * Nothing else of the process is changed: no signal handlers, locale, environment variables, umask or numbers
 * of threads. Files are written where a function says so, and the pipeline cache (quartic/vulkan.h).
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

/* Opens a device by name (see above; NULL = "auto"); the caller destroys it. Errors: UNAVAILABLE with the
 * list of what exists and why there is no Vulkan device; INVALID_ARGUMENT (an empty name, one that several
 * devices have, an unknown word in QUARTIC_DISABLE); UNSUPPORTED with what the device lacks. A sentence about
 * QUARTIC_DEVICE names it. */
QUARTIC_API quartic_status quartic_device_create(const char *name, quartic_device **out_device);

/* Closes the device; everything created on it must be gone. NULL is fine. */
QUARTIC_API void quartic_device_destroy(quartic_device *device);

/* What the list says of the device. Errors: INVALID_ARGUMENT for NULL. */
QUARTIC_API quartic_status quartic_device_get_info(const quartic_device *device,
                                                   quartic_device_info *out_info);

/* Lists what exists, best first by the order of "auto". Writes at most capacity entries to out_infos (which
 * may be NULL if capacity is 0, else INVALID_ARGUMENT) and the full count to *out_count. No Vulkan loader or
 * driver is no error, nor is a broken driver manifest: the CPU devices are always listed. Errors:
 * OUT_OF_MEMORY; INVALID_ARGUMENT (an unknown word in QUARTIC_DISABLE). */
QUARTIC_API quartic_status quartic_device_list(quartic_device_info *out_infos, uint32_t capacity,
                                               uint32_t *out_count);

/* OK if the list holds a Vulkan device, usable or not; else UNAVAILABLE, or the driver's error, with the
 * reason, in the words of the Vulkan loader where it has some. Errors also: as quartic_device_list. */
QUARTIC_API quartic_status quartic_device_check_vulkan(void);

#ifdef __cplusplus
}
#endif
#endif
