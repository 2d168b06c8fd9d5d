/* internal.h: what the files of src/gpu share: the structs behind gpu.h and the functions among these
 * files. No file outside src/gpu includes it, but for tests.
 */
#ifndef QUARTIC_GPU_INTERNAL_H
#define QUARTIC_GPU_INTERNAL_H

#include "gpu/adopt.h"
#include "gpu/caps.h"
#include "gpu/spirv.h"

/* ---- manifest.c ---------------------------------------------------------------------------------------- */

/* UNAVAILABLE, naming the file, if the Vulkan loader would read a driver manifest that ends the process. */
quartic_status quartic_gpu_check_manifests(void);
/* What is wrong with a manifest's text in that way; NULL: nothing. Errors: OUT_OF_MEMORY. */
quartic_status quartic_gpu_manifest_fault(const char *text, const char **out_fault);

/* ---- instance.c ---------------------------------------------------------------------------------------- */

typedef struct quartic_gpu_instance {
    VkInstance handle;
    quartic_vk_instance vk;
    VkDebugUtilsMessengerEXT messenger; /* with QUARTIC_VALIDATION=1 */
} quartic_gpu_instance;

quartic_status quartic_gpu_instance_create(quartic_gpu_instance *out_instance);
void quartic_gpu_instance_destroy(quartic_gpu_instance *instance);

typedef struct quartic_gpu_found {
    VkPhysicalDevice physical;
    quartic_gpu_caps caps;
} quartic_gpu_found;

/* The physical devices in the order of quartic_gpu_list; *out_found is freed by quartic_free. */
quartic_status quartic_gpu_instance_devices(const quartic_gpu_instance *instance,
                                            quartic_gpu_found **out_found, uint32_t *out_count);

/* ---- memory.c ------------------------------------------------------------------------------------------ */

/* One VkBuffer with its memory. Small buffers share a block; a large one has its own. */
typedef struct quartic_gpu_block {
    struct quartic_gpu_block *next;
    VkBuffer handle;
    VkDeviceMemory memory; /* none for a caller's buffer */
    uint64_t address, bytes;
    uint8_t *mapped;           /* where host and device share the memory, else NULL */
    quartic_gpu_buffer *first; /* its buffers in order of offset */
} quartic_gpu_block;

struct quartic_gpu_buffer {
    quartic_gpu_device *device;
    quartic_gpu_block *block;
    uint64_t offset, bytes;
    quartic_gpu_buffer *next; /* in the block */
};

/* INVALID_ARGUMENT for bytes outside of the buffer, DEVICE_LOST. */
quartic_status quartic_gpu_expect_inside(const quartic_gpu_buffer *buffer, uint64_t offset, uint64_t bytes);
quartic_status quartic_gpu_memory_create(quartic_gpu_device *device);
void quartic_gpu_memory_destroy(quartic_gpu_device *device);

/* A buffer of host-visible memory that copies go through. */
typedef struct quartic_gpu_staging {
    VkBuffer handle;
    VkDeviceMemory memory;
    uint8_t *mapped;
    uint64_t bytes; /* 0: there is none */
} quartic_gpu_staging;

/* After an error there is nothing to destroy. Errors: OUT_OF_DEVICE_MEMORY. */
quartic_status quartic_gpu_staging_create(quartic_gpu_device *device, uint64_t bytes,
                                          quartic_gpu_staging *out_staging);
/* The device must not use it any more. Nothing happens if there is none. */
void quartic_gpu_staging_destroy(quartic_gpu_device *device, quartic_gpu_staging *staging);

/* ---- uploads.c ----------------------------------------------------------------------------------------- */

typedef struct quartic_gpu_uploads {
    quartic_gpu_staging ring;
    uint64_t head; /* bytes taken so far, as if the ring had no end */
} quartic_gpu_uploads;

void quartic_gpu_uploads_destroy(quartic_gpu_device *device);

/* ---- fetches.c ----------------------------------------------------------------------------------------- */

typedef struct quartic_gpu_slots quartic_gpu_slots;

void quartic_gpu_fetch_slots_destroy(quartic_gpu_device *device);

/* ---- adopt.c: each UNSUPPORTED with what is missing
 * ----------------------------------------------------- */

/* The functions of Vulkan 1.1 to 1.3 that the library calls. name: of the device, for the message. */
quartic_status quartic_gpu_expect_functions(const struct VolkDeviceTable *table, const char *name);
/* INVALID_ARGUMENT for unknown bits of quartic_vulkan_config.optional; UNSUPPORTED if the device does not
 * offer the others. */
quartic_status quartic_gpu_expect_optional(const quartic_gpu_facts *facts, uint32_t optional);
/* UNSUPPORTED if the device was created without what the library needs or what `optional` says; info is
 * NULL where that is not known, which is OK. */
quartic_status quartic_gpu_expect_enabled(const VkDeviceCreateInfo *info, uint32_t optional,
                                          const char *name);

/* ---- pipeline.c, cache.c ------------------------------------------------------------------------------- */

typedef struct quartic_gpu_pipeline {
    const quartic_spirv *shader;
    uint32_t spec_count;
    uint32_t spec[QUARTIC_GPU_MAX_SPEC];
    uint32_t subgroup_size; /* asked for; 0: the driver's own */
    VkPipeline handle;
} quartic_gpu_pipeline;

quartic_status quartic_gpu_pipelines_create(quartic_gpu_device *device);
void quartic_gpu_pipelines_destroy(quartic_gpu_device *device);
/* out_handles[k] is the pipeline of commands[k]; the missing ones are compiled in parallel. */
quartic_status quartic_gpu_pipelines_prepare(quartic_gpu_device *device, const quartic_gpu_command *commands,
                                             uint32_t count, VkPipeline *out_handles);

/* Contents of the cache file of this device and build, freed by quartic_free; NULL with size 0 if there is
 * none or anything about it is odd. */
void *quartic_gpu_cache_load(const quartic_gpu_caps *caps, size_t *out_bytes);
/* Replaces the file atomically; failures are silent, since the next start just compiles again. */
void quartic_gpu_cache_save(const quartic_gpu_caps *caps, const void *data, size_t bytes);
/* The header that Vulkan puts in front of every cache. lavapipe 26 announces it and gives less, of which
 * nothing can be made at the next start. */
enum { QUARTIC_GPU_LEAST_CACHE = 32 };
/* The file's path, "" if the environment gives no place for it. */
enum { QUARTIC_GPU_PATH = 1024 };
void quartic_gpu_cache_path(const quartic_gpu_caps *caps, char path[QUARTIC_GPU_PATH]);

/* ---- loss.c --------------------------------------------------------------------------------------------- */

/* Bytes of "submitting .."; how long nothing may be finished. */
enum { QUARTIC_GPU_WHAT = 460, QUARTIC_GPU_PATIENCE_SECONDS = 300 };

/* What a batch holds, for messages: steps first .. last of a program's count; 0 of them: a copy. The texts
 * are not copied: they stay until the batch has finished. */
typedef struct quartic_gpu_work {
    uint32_t first, last, count;
    bool continues; /* a program that an earlier batch began */
    const char *first_op, *first_scope, *last_op, *last_scope;
    uint32_t more;          /* programs in the same batch behind that one */
    const char *more_op;    /* the last op of the last of them */
    uint64_t training_step; /* that it belongs to; 0: to none */
} quartic_gpu_work;

/* Adds what comes next to what a batch, or all batches of a submit, hold. Copies count only where there is nothing
 * else. */
void quartic_gpu_add_work(quartic_gpu_work *all, const quartic_gpu_work *next);
void quartic_gpu_describe_submit(const quartic_gpu_work *work, char text[QUARTIC_GPU_WHAT]);
/* Makes room for notes of so many batches more, so that quartic_gpu_note_submit needs no memory. Errors:
 * OUT_OF_MEMORY, and nothing has changed. */
quartic_status quartic_gpu_reserve_notes(quartic_gpu_device *device, uint32_t count);
/* Notes the work of the batches that have just been submitted; device->submitted is the value that the last of them
 * signals. */
void quartic_gpu_note_submit(quartic_gpu_device *device, const quartic_gpu_work *works, uint32_t count);
/* Marks the device as lost. Returns DEVICE_LOST with what was running and what VK_EXT_device_fault tells.
 * what: the call that found out; how: what is known, "the device stopped responding .." */
quartic_status quartic_gpu_lose(quartic_gpu_device *device, const char *what, const char *how);
/* The same for a device that finishes nothing more: whatever it may still use is not destroyed later. */
quartic_status quartic_gpu_abandon(quartic_gpu_device *device, const char *what);

/* ---- queue.c: recorders of copies ---------------------------------------------------------------------- */

typedef struct quartic_gpu_recorder {
    VkCommandBuffer commands;
    uint64_t value;        /* that the batch with the last contents signals */
    uint64_t upload_begin; /* quartic_gpu_uploads.head when it was opened */
} quartic_gpu_recorder;

enum { QUARTIC_GPU_COPIES_TOUCHED = 16 };

typedef struct quartic_gpu_copies {
    quartic_gpu_recorder *recorders, *open; /* open: the one that takes copies; NULL: none */
    uint32_t recorder_count, recorder_capacity;
    const quartic_gpu_buffer *touched[QUARTIC_GPU_COPIES_TOUCHED]; /* since the open one's last barrier */
    uint32_t touched_count;
} quartic_gpu_copies;

/* ---- device.c ------------------------------------------------------------------------------------------ */

struct quartic_gpu_device {
    quartic_gpu_instance instance;
    bool adopted;         /* instance, device and queue are the caller's */
    bool lost, abandoned; /* abandoned: it may still use its objects */
    char loss[1100];      /* how it was lost and what was running */
    VkPhysicalDevice physical;
    VkDevice handle;
    VkQueue queue;
    struct VolkDeviceTable vk;
    quartic_gpu_caps caps;
    VkPhysicalDeviceMemoryProperties memory;

    VkSemaphore timeline;
    uint64_t submitted;        /* value that the last batch signals */
    uint64_t finished;         /* value that is known to have been reached */
    quartic_gpu_work *running; /* of the unfinished batches: a ring, by the value that a batch signals */
    uint32_t running_capacity;
    uint64_t submit_calls;
    uint64_t training_step;             /* that is being enqueued; 0: none */
    VkCommandBufferSubmitInfo *pending; /* enqueued, not yet submitted */
    VkSubmitInfo2 *batches;             /* what they are cut into; the last one is being filled */
    VkSemaphoreSubmitInfo *signals;     /* one per batch */
    quartic_gpu_work *works;            /* what each batch holds */
    uint32_t pending_count, batch_count, pending_capacity;
    double batch_seconds; /* estimated time of the last batch */
    VkCommandPool pool;

    quartic_gpu_block *blocks;
    quartic_gpu_buffer *absent; /* see quartic_gpu_device_absent */
    uint64_t allocated_bytes;
    VkCommandBuffer transfer; /* host copies and zeroing */
    quartic_gpu_staging staging;
    quartic_gpu_copies copies;
    quartic_gpu_uploads uploads;
    quartic_gpu_slots *slots; /* of fetches: a list of chunks */

    VkPipelineLayout layout;
    VkPipelineCache cache;
    bool foreign_cache; /* the application's: no file */
    quartic_gpu_pipeline *pipelines;
    uint32_t pipeline_count, unsaved_pipelines;
};

/* ---- queue.c ------------------------------------------------------------------------------------------- */

/* DEVICE_LOST if the device was lost before, with how that was (loss.c). */
quartic_status quartic_gpu_expect_alive(const quartic_gpu_device *device);
/* quartic_vk_check that remembers a lost device. */
quartic_status quartic_gpu_check(quartic_gpu_device *device, VkResult result, const char *what);
/* Makes sure that so many command buffers can be enqueued without an allocation. */
quartic_status quartic_gpu_reserve_pending(quartic_gpu_device *device, uint32_t count);
/* Puts a recorded command buffer behind what was enqueued before. It begins with quartic_gpu_barrier, and may
 * be submitted only when the queue is flushed. seconds: its estimated time; work: what it
 * holds, if the device should be lost. */
quartic_status quartic_gpu_enqueue(quartic_gpu_device *device, VkCommandBuffer commands, double seconds,
                                   const quartic_gpu_work *work);
/* The same and quartic_gpu_flush. */
quartic_status quartic_gpu_submit(quartic_gpu_device *device, VkCommandBuffer commands);
quartic_status quartic_gpu_wait(quartic_gpu_device *device); /* for everything enqueued or submitted */
/* For the submit that signals the value, which may be the next one. Errors: those of a submit that failed. */
quartic_status quartic_gpu_wait_for(quartic_gpu_device *device, uint64_t value);
/* Whether nothing is enqueued nor, as far as is known, running. */
bool quartic_gpu_is_idle(const quartic_gpu_device *device);
/* Waits unless idle; OK without waiting if the device is lost: nothing runs there any more. */
quartic_status quartic_gpu_settle(quartic_gpu_device *device);
/* The same before something is destroyed, where there is no status to return. */
void quartic_gpu_wait_quietly(quartic_gpu_device *device);
/* The command buffer for a copy to or from the buffer, and the value that its submit signals. The copy comes
 * after all that is enqueued or was recorded before for that buffer. */
quartic_status quartic_gpu_record_copy(quartic_gpu_device *device, const quartic_gpu_buffer *buffer,
                                       VkCommandBuffer *out_commands, uint64_t *out_value);
/* What was written by compute and transfer before is seen by compute and transfer after (and by the host). */
void quartic_gpu_barrier(const quartic_gpu_device *device, VkCommandBuffer commands, bool host);

#endif
