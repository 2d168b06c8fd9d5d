/* gpu.h: the interface of the Vulkan layer, free of Vulkan types and of any knowledge of ops.
 *
 * A device owns one queue, one timeline semaphore, its memory pools, pipelines and staging memory. Buffers
 * are plain bytes with a device address; commands are a list of dispatches recorded once and replayed.
 * Uploads, replays and fetches may be enqueued and take effect in the order of the calls; all other calls wait.
 * Everything on a device is used by one thread at a time; devices share nothing, not even a VkInstance.
 * adopt.h adds the functions that take Vulkan's own types: a caller's device, buffers and command buffers.
 */
#ifndef QUARTIC_GPU_GPU_H
#define QUARTIC_GPU_GPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef struct quartic_gpu_device quartic_gpu_device;
typedef struct quartic_gpu_buffer quartic_gpu_buffer;
typedef struct quartic_gpu_commands quartic_gpu_commands;

enum {
    QUARTIC_GPU_ARGS_BYTES = 128,
    QUARTIC_GPU_MAX_SPEC = 16,
    QUARTIC_GPU_INVOCATIONS = 256,
    QUARTIC_GPU_SHARED_BYTES = 16384
};

/* Order of preference among devices; a smaller rank comes first. */
typedef enum quartic_gpu_rank {
    QUARTIC_GPU_DISCRETE,
    QUARTIC_GPU_INTEGRATED,
    QUARTIC_GPU_VIRTUAL,
    QUARTIC_GPU_OTHER,
    QUARTIC_GPU_SOFTWARE
} quartic_gpu_rank;

/* Pessimistic sustained speeds of devices of a rank, which bound the length of a submit; see caps. Pure. */
void quartic_gpu_kind_speeds(quartic_gpu_rank rank, double *out_flops_per_second,
                             double *out_bytes_per_second);

/* All that the library wants to know of a device: a plain value made by caps.h from what the driver says. */
typedef struct quartic_gpu_caps {
    char name[256];
    char driver[256]; /* driver name and version */
    char type[16];    /* "discrete", "integrated", "virtual", "software" or "other" */
    quartic_gpu_rank rank;
    bool usable;
    char why_not[256];                /* what it lacks, if not usable */
    uint8_t uuid[16], cache_uuid[16]; /* of the device; of its driver's pipeline caches */
    uint64_t memory_bytes;            /* largest device-local heap */
    uint64_t max_buffer_bytes;        /* of one buffer */
    uint32_t max_shared_bytes, max_invocations, max_groups[3];
    uint32_t subgroup_size; /* plans may choose a shader by it; correctness must not depend on it */
    uint32_t least_subgroup_size, most_subgroup_size; /* that a pipeline may ask for; 0: it may not */
    uint32_t compute_units;                           /* a guess by type where the driver does not say */
    uint32_t registers;      /* of 32 bits, of an invocation: a guess, since Vulkan does not say */
    bool subgroup_shuffle;   /* shuffles in compute shaders, subgroups of at least 8 */
    bool float16;            /* arithmetic and storage */
    bool cooperative_matrix; /* 16x16x16, float16 operands, float32 sums, subgroup scope */
    bool map_memory;         /* host and device may share memory instead of copying */
    bool memory_budget, portability_subset; /* extensions */
    uint32_t float_controls;                /* that shaders are compiled with: float_controls.h */
    bool device_fault;                      /* VK_EXT_device_fault and its feature */
    uint32_t queue_family;
    uint32_t timestamp_bits; /* 0: no timestamps */
    double timestamp_seconds;
    /* Pessimistic sustained speed, for bounding the length of a submit: never for choosing kernels. */
    double flops_per_second, bytes_per_second;
} quartic_gpu_caps;

/* ---- devices ------------------------------------------------------------------------------------------- */

/* INVALID_ARGUMENT if QUARTIC_DISABLE lists an unknown feature, QUARTIC_LOWER_LIMITS (caps.h) an unknown limit
 * or no number, or QUARTIC_VALIDATION is neither empty nor
 * 0 nor 1; the message names the variable and the first fault. */
quartic_status quartic_gpu_check_switches(void);

/* Lists the physical devices, best first, one entry per UUID, usable or with the reason why not. The
 * caller frees *out_caps with quartic_free; after an error it is NULL. UNAVAILABLE, with what the loader
 * says as the message, if there is no Vulkan loader, no driver or a broken driver manifest. */
quartic_status quartic_gpu_list(quartic_gpu_caps **out_caps, uint32_t *out_count);

/* Opens the device of that index in the list; the caller destroys it. After an error *out_device is NULL.
 * Errors: UNAVAILABLE, UNSUPPORTED with what it lacks. */
quartic_status quartic_gpu_device_create(uint32_t index, quartic_gpu_device **out_device);
/* The device's buffers and commands must have been destroyed before. NULL is fine. */
void quartic_gpu_device_destroy(quartic_gpu_device *device);
const quartic_gpu_caps *quartic_gpu_device_caps(const quartic_gpu_device *device);

/* OK if that many bytes more fit the device now; else OUT_OF_DEVICE_MEMORY with the figures. what: "a
 * program", for the message. Call it before allocating a large problem piece by piece. */
quartic_status quartic_gpu_device_expect_room(const quartic_gpu_device *device, uint64_t bytes,
                                              const char *what);

/* ---- measured choices ------------------------------------------------------------------------------------ */

/* Contents of the file of measured choices of this device, driver and build, which lies beside the pipeline cache; freed
 * by quartic_free. NULL with size 0 if there is none or anything about it is odd. */
void *quartic_gpu_tuning_load(const quartic_gpu_caps *caps, size_t *out_bytes);
/* Replaces the file atomically. Errors: IO, also where the environment gives no place for it or
 * QUARTIC_DISABLE has the word cache. */
quartic_status quartic_gpu_tuning_save(const quartic_gpu_caps *caps, const void *data, size_t bytes);

/* ---- memory -------------------------------------------------------------------------------------------- */

/* A zeroed buffer, 256-byte aligned; the caller destroys it. After an error *out_buffer is NULL. Errors:
 * OUT_OF_DEVICE_MEMORY with the figures, OUT_OF_MEMORY. */
quartic_status quartic_gpu_buffer_create(quartic_gpu_device *device, uint64_t bytes,
                                         quartic_gpu_buffer **out_buffer);
void quartic_gpu_buffer_destroy(quartic_gpu_buffer *buffer); /* NULL is fine */
uint64_t quartic_gpu_buffer_address(const quartic_gpu_buffer *buffer);
uint64_t quartic_gpu_buffer_bytes(const quartic_gpu_buffer *buffer);
/* The address of readable zeros that stays as long as the device: what stands for an operand that a dispatch
 * leaves out, so that no shader holds a null address. The first call makes the block. */
enum { QUARTIC_GPU_ABSENT_BYTES = 1 << 16 };
quartic_status quartic_gpu_device_absent(quartic_gpu_device *device, uint64_t *out_address);
/* Copy to or from the host and wait. Everything submitted before is seen. Errors: INVALID_ARGUMENT outside
 * the buffer, DEVICE_LOST. */
quartic_status quartic_gpu_buffer_write(quartic_gpu_buffer *buffer, uint64_t offset, const void *data,
                                        uint64_t bytes);
quartic_status quartic_gpu_buffer_read(const quartic_gpu_buffer *buffer, uint64_t offset, void *out_data,
                                       uint64_t bytes);

/* The same without waiting: the bytes are taken at once, and are in the buffer for all that is enqueued from now
 * on, not for what was enqueued before. What is larger than the device's ring of uploads is written at once. */
quartic_status quartic_gpu_buffer_upload(quartic_gpu_buffer *buffer, uint64_t offset, const void *data,
                                         uint64_t bytes);

/* A way to read the first bytes of a buffer, as they are when the device comes to it, without waiting before
 * they are asked for. Errors: OUT_OF_MEMORY if too many are in use. The buffer must outlive it. */
enum { QUARTIC_GPU_FETCH_BYTES = 16 };
typedef struct quartic_gpu_fetch quartic_gpu_fetch;
quartic_status quartic_gpu_fetch_create(const quartic_gpu_buffer *buffer, uint64_t bytes,
                                        quartic_gpu_fetch **out_fetch);
/* Enqueues the copy. */
quartic_status quartic_gpu_fetch_start(quartic_gpu_fetch *fetch);
/* Waits for the copy started last (not for what was enqueued after it) and gives its bytes. */
quartic_status quartic_gpu_fetch_wait(quartic_gpu_fetch *fetch, void *out_data);
void quartic_gpu_fetch_destroy(quartic_gpu_fetch *fetch); /* NULL is fine */

/* The training step that what is enqueued from now on belongs to, for messages; 0: to none. */
void quartic_gpu_set_training_step(quartic_gpu_device *device, uint64_t number);
/* Submits all that is enqueued by one call, without waiting. */
quartic_status quartic_gpu_flush(quartic_gpu_device *device);
/* Forgets what is enqueued and was not submitted, such as the first part of what could not be enqueued whole. */
void quartic_gpu_discard(quartic_gpu_device *device);
/* How many times the device was given work so far. */
uint64_t quartic_gpu_submit_calls(const quartic_gpu_device *device);

/* ---- commands ------------------------------------------------------------------------------------------ */

/* One dispatch with every address in place. */
typedef struct quartic_gpu_command {
    const char *shader; /* a name in the SPIR-V table; must stay valid while the device lives */
    uint32_t spec_count;
    uint32_t spec[QUARTIC_GPU_MAX_SPEC]; /* constant_id 0, 1, .. */
    uint32_t args_bytes;
    _Alignas(8) uint8_t args[QUARTIC_GPU_ARGS_BYTES];
    uint32_t groups[3];
    uint32_t idle;          /* groups at the end of the last row that are not launched; then groups[2] is 1 */
    double flops, bytes;    /* estimates, bound the length of a submit */
    uint32_t subgroup_size; /* that the pipeline asks for, within the caps' range; 0: the driver's own */
    uint32_t step;          /* non-decreasing; times are reported per step */
    /* What the step is, for messages: valid as long as the commands; NULL: the shader's name stands for it. */
    const char *op, *scope;
    bool barrier; /* wait for all earlier dispatches of the list */
} quartic_gpu_command;

/* The file shaders/<args>.args.h that declares a shader's arguments; NULL if this build has no such shader.
 */
const char *quartic_gpu_shader_args(const char *shader);

/* Builds the missing pipelines in parallel and records the list, split into submits that stay short on this
 * device. The list is copied. profile: measure the time of every step, which puts a barrier between steps.
 * The caller destroys *out_commands; after an error it is NULL. */
quartic_status quartic_gpu_commands_create(quartic_gpu_device *device, const quartic_gpu_command *commands,
                                           uint32_t count, uint32_t step_count, bool profile,
                                           quartic_gpu_commands **out_commands);
void quartic_gpu_commands_destroy(quartic_gpu_commands *commands); /* NULL is fine */
/* Enqueues a replay, behind all that was enqueued before, without waiting; flush submits it. The times of its
 * steps are not measured. */
quartic_status quartic_gpu_commands_enqueue(quartic_gpu_commands *commands);
/* Replays and waits; nothing is allocated or recorded. Errors: DEVICE_LOST. */
quartic_status quartic_gpu_commands_run(quartic_gpu_commands *commands);
/* Seconds of a step in the last run; 0 without profile or where the device has no timestamps. */
double quartic_gpu_commands_seconds(const quartic_gpu_commands *commands, uint32_t step);
/* Seconds that the host spent handing the last run to the driver, waiting not counted. */
double quartic_gpu_commands_host_seconds(const quartic_gpu_commands *commands);
uint32_t quartic_gpu_commands_count(const quartic_gpu_commands *commands);
uint32_t quartic_gpu_commands_submit_count(const quartic_gpu_commands *commands);

/* ---- for tests ----------------------------------------------------------------------------------------- */

/* Messages of the validation layers (on if QUARTIC_VALIDATION=1) in this process so far. Each also goes
 * where quartic_log_set says. */
uint64_t quartic_gpu_validation_messages(void);

#endif
