/* device.h: pipelines through a driver's compiler, and what the driver says of them.
 *
 * Needs no hardware: Mesa's RADV makes a device for compiling only (RADV_FORCE_FAMILY), and ANV and NVK run on
 * Mesa's no-op drm shims (scripts/vendor_compile.sh).
 */
#ifndef QUARTIC_TESTS_COMPILE_DEVICE_H
#define QUARTIC_TESTS_COMPILE_DEVICE_H

#include "compile/keys.h"
#include "gpu/internal.h"

typedef struct compile_device {
    quartic_gpu_instance instance;
    quartic_gpu_caps caps;
    quartic_gpu_limits limits; /* what the library plans with on this device */
    VkDriverId driver;
    VkDevice device;
    struct VolkDeviceTable vk;
    VkPipelineLayout layout;
} compile_device;

/* What one pipeline takes. Of several executables of one pipeline (Intel compiles widths) the worst. */
typedef struct compile_result {
    uint32_t registers; /* vector registers of an invocation, as the driver counts them */
    uint32_t shared_bytes;
    uint32_t waves;               /* per SIMD unit; 0: the driver does not say */
    uint64_t spills;              /* registers or bytes outside of registers */
    uint64_t code;                /* bytes or instructions */
    bool has_memory;              /* whether the next ones are known */
    uint32_t loads[3], stores[3]; /* instructions of 4 bytes and less, 8 (and 12), 16; not shared memory */
} compile_result;

/* Opens the first device of that driver; any driver: 0. False without one. */
bool compile_device_open(VkDriverId driver, compile_device *out_device);
void compile_device_close(compile_device *device);

/* Compiles one pipeline. False, with the driver's name and the VkResult on stderr, if that fails. */
bool compile_device_run(const compile_device *device, const compile_key *key, compile_result *out_result);

/* The constants of a key as text, "default" without any. */
enum { COMPILE_TEXT = 192 };
const char *compile_key_text(const compile_key *key, char text[COMPILE_TEXT]);

#endif
