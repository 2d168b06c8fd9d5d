/* run.h: devices, tensors and programs as src/run sees them, and what a backend must do for them. Folders
 * above include access.h and the public headers instead.
 *
 * A backend is one const struct: the CPU devices share run_cpu.c, Vulkan devices use backend_vulkan.c.
 * What does not depend on the backend (names, bindings, planning, errors) is in device.c, tensor.c and
 * program.c.
 */
#ifndef QUARTIC_RUN_RUN_H
#define QUARTIC_RUN_RUN_H

#include "gpu/gpu.h"
#include "ops/tuning.h"
#include "plan/plan.h"
#include "quartic/device.h"
#include "quartic/program.h"
#include "quartic/tensor.h"
#include "run/access.h"

typedef struct quartic_backend {
    /* Memory of a tensor: zeroed bytes on the device; *out_memory is the backend's own handle. */
    quartic_status (*memory_create)(quartic_device *device, uint64_t bytes, void **out_memory);
    void (*memory_destroy)(quartic_device *device, void *memory);
    /* Where the memory begins in the address space of the device: for finding memory that overlaps. */
    uint64_t (*memory_address)(const void *memory);
    /* Blocking copies of bytes from the start; the numbers are in the device's own element size. */
    quartic_status (*memory_write)(quartic_device *device, void *memory, const void *data, uint64_t bytes);
    quartic_status (*memory_read)(quartic_device *device, const void *memory, void *out_data, uint64_t bytes);
    /* The plan's scratch rule; its context is a quartic_scratch_context. */
    quartic_scratch_rule scratch;
    /* OK if that many bytes more fit the device, else the figures; NULL: allocation will tell. */
    quartic_status (*expect_room)(quartic_device *device, uint64_t bytes);
    /* What queued.c needs of a backend that runs behind the caller; all NULL: each call is done when it returns.
     * memory_upload: memory_write without waiting, for what is submitted from now on. */
    quartic_status (*memory_upload)(quartic_device *device, void *memory, const void *data, uint64_t bytes);
    /* See access.h: the handle of a fetch of that many bytes of a memory. */
    quartic_status (*fetch_create)(quartic_device *device, const void *memory, uint64_t bytes,
                                   void **out_fetch);
    quartic_status (*fetch_start)(quartic_device *device, void *fetch);
    quartic_status (*fetch_wait)(quartic_device *device, void *fetch, void *out_data);
    void (*fetch_destroy)(quartic_device *device, void *fetch);
    /* Hands over what was submitted. */
    quartic_status (*flush)(quartic_device *device);
    /* Forgets what was submitted and not handed over. */
    void (*discard)(quartic_device *device);
    uint64_t (*submits)(const quartic_device *device);
    /* Says which training step what follows belongs to, for messages; 0: none. */
    void (*set_training_step)(quartic_device *device, uint64_t number);
    /* Runs all steps without waiting, behind all that was submitted before. */
    quartic_status (*submit)(quartic_program *program);
    /* What a workspace may take to save barriers if the caller says nothing; NULL: nothing is saved by it. */
    quartic_plan_budget (*standard_budget)(const quartic_device *device);
    /* Makes program->compiled from its graph, plan, tensors and workspace; release undoes it. */
    quartic_status (*compile)(quartic_program *program);
    void (*release)(quartic_program *program);
    /* Runs all steps and waits; fills program->step_seconds if program->profile. */
    quartic_status (*run)(quartic_program *program);
    /* What replaying costs the host; NULL: nothing is replayed. */
    void (*replay_cost)(const quartic_program *program, quartic_replay_info *out_info);
    void (*device_close)(quartic_device *device);
} quartic_backend;

typedef struct quartic_scratch_context {
    const quartic_device *device;
    const quartic_graph *graph;
} quartic_scratch_context;

struct quartic_device {
    const quartic_backend *backend;
    int64_t process; /* that opened it */
    quartic_device_info info;
    uint32_t threads;            /* CPU devices: for tuned kernels */
    uint32_t real_bytes;         /* 4, or 8 on "reference64" */
    void *gpu;                   /* the Vulkan backend's device */
    uint64_t workspace_budget;   /* of programs that say nothing; 0: the standard */
    quartic_tuning_table tuning; /* measured choices that programs of a Vulkan device are made with */
};

struct quartic_tensor {
    quartic_device *device;
    quartic_dtype dtype;
    quartic_shape shape;
    uint64_t device_bytes; /* in the device's element size */
    void *memory;
};

struct quartic_program {
    quartic_device *device;
    quartic_graph *graph; /* the program's own copy */
    quartic_plan plan;
    quartic_tensor **tensors; /* per storage of the graph; NULL in the workspace or unused */
    bool *owns;               /* per storage: the tensor is the program's */
    quartic_tensor **arenas;  /* of the workspace: the plan's, or one that the caller gave */
    uint32_t arena_count;
    bool owns_arenas, profile;
    uint64_t jitter; /* not 0, on "reference64": the seed by which all numbers read and written are moved */
    double *step_seconds; /* per step */
    void *compiled;
};

extern const quartic_backend quartic_backend_cpu, quartic_backend_vulkan;

/* Takes the measured choices of a Vulkan device from their file, where there is a whole one. */
void quartic_device_load_tuning(quartic_device *device);

/* A device over an opened or adopted Vulkan device, which it takes over (also on failure). */
quartic_status quartic_device_wrap_gpu(quartic_gpu_device *gpu, const quartic_device_info *info,
                                       quartic_device **out_device);

/* UNSUPPORTED in a process that was made by fork() from the one that opened the device, which cannot be used
 * there. */
quartic_status quartic_device_expect_own_process(const quartic_device *device);
/* Notes that quartic_program_tensor found no tensor of that name or, with "", that it found one. The
 * message about a tensor that is NULL then tells the name, in the same thread. */
void quartic_tensor_note_missed(const char *name);

/* INVALID_ARGUMENT if no tensor can have that shape: it needs 1 to 2^31 - 1 elements. */
quartic_status quartic_tensor_check_elements(const quartic_shape *shape);

#endif
