/* program.h: a graph compiled for a device, to be run again and again.
 *
 * Compiling chooses and orders the steps, gives every intermediate value a place in one workspace and, on
 * Vulkan, builds the pipelines and records the commands. A run allocates nothing and compiles nothing.
 * Inputs, parameters, states and outputs are tensors that are found by name; each is the program's own unless
 * the caller binds one of its own when it creates the program.
 *
 * Stability: creating, running and destroying programs, and their tensors, are stable. Measuring memory, the
 * times of steps, the cost of a replay and workspace_budget are unstable. quartic.h says what that means.
 */
#ifndef QUARTIC_PROGRAM_H
#define QUARTIC_PROGRAM_H

#include "quartic/device.h"
#include "quartic/graph.h"
#include "quartic/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- programs: stable ---- */

typedef struct quartic_program quartic_program;

/* Binds the input, parameter, state or output of that name to a tensor of the caller, which must be on the
 * same device, have the same dtype and number of elements, and outlive the program. Each name is bound at
 * most once. The memory that a run writes (outputs, states and parameters that are updated in place, the
 * workspace) must not overlap other memory that is bound: else INVALID_ARGUMENT. Tensors that are only read
 * may share memory. The library cannot see that two VkBuffers of the caller share a VkDeviceMemory. */
typedef struct quartic_binding {
    const char *name;
    quartic_tensor *tensor;
} quartic_binding;

typedef struct quartic_program_config {
    size_t struct_size;
    const quartic_binding *bindings;
    uint32_t binding_count;
    quartic_tensor
        *workspace;   /* the caller's memory for intermediates, at least workspace_bytes; NULL: its own */
    uint32_t profile; /* 1: measure the time of every step; see quartic_program_step */
    /* The bytes that the workspace may take so that Vulkan devices wait less often: independent steps run side by
     * side and do not use each other's memory again. 1: the least. 0: as quartic_device_set_workspace_budget
     * says; else up to twice the least, within a quarter of the device's memory and the size of one buffer.
     * With a workspace of the caller's, its size is the budget. Profiled programs and CPU devices, which run
     * one step after the other, always take the least. */
    uint64_t workspace_budget;
} quartic_program_config;

#define QUARTIC_PROGRAM_CONFIG_INIT                                                                          \
    { sizeof(quartic_program_config), 0, 0, 0, 0, 0 }

/* Compiles a graph for a device, which must outlive the program; the caller destroys the program. The graph
 * may be destroyed afterwards. config may be NULL. Errors: the graph's own first error; INVALID_ARGUMENT for
 * a graph that has no output and updates nothing; INVALID_ARGUMENT or SHAPE_MISMATCH for a binding or
 * workspace that does not fit, such as a tensor on another device; OUT_OF_MEMORY or OUT_OF_DEVICE_MEMORY with
 * the figures; UNSUPPORTED naming the op; DEVICE_LOST. Then *out_program is NULL. Submits on a Vulkan
 * device. */
QUARTIC_API quartic_status quartic_program_create(quartic_device *device, const quartic_graph *graph,
                                                  const quartic_program_config *config,
                                                  quartic_program **out_program);
/* Frees the program and its own tensors; NULL is fine. Bound tensors stay. */
QUARTIC_API void quartic_program_destroy(quartic_program *program);

/* Returns the tensor of that name, which the program owns, or the caller if it is bound. Returns NULL, with
 * an error message that lists the names, if there is none; calls that get this NULL as a tensor fail with
 * INVALID_ARGUMENT and tell the name. */
QUARTIC_API quartic_tensor *quartic_program_tensor(quartic_program *program, const char *name);

/* Runs all steps once and waits. Errors: OUT_OF_MEMORY (the threads cannot be made), UNSUPPORTED (in a child
 * of fork()), DEVICE_LOST; on the CPU devices INVALID_ARGUMENT for an index operand out of range, with its
 * place. (Vulkan devices do not check indices; graph.h says op by op what such an index does.) After an error
 * what the steps write may hold anything. Submits on a Vulkan device. */
QUARTIC_API quartic_status quartic_program_run(quartic_program *program);

/* ---- memory and times: unstable ---- */

typedef struct quartic_program_memory {
    uint64_t workspace_bytes;  /* intermediates and scratch, after sharing by lifetime */
    uint64_t own_tensor_bytes; /* inputs, parameters, states and outputs that are not bound */
    uint64_t unshared_bytes;   /* of intermediates and scratch if they shared no memory */
    double flops;              /* of a run: estimated floating-point operations of all steps */
    double traffic_bytes;      /* of a run: every operand of every step, counted once */
} quartic_program_memory;

/* Gives what a program of this graph would need, without allocating device memory or compiling. config may be
 * NULL. Errors: as quartic_program_create. Never submits. */
QUARTIC_API quartic_status quartic_program_measure(quartic_device *device, const quartic_graph *graph,
                                                   const quartic_program_config *config,
                                                   quartic_program_memory *out_memory);

/* What one step did in the last run, for benchmarks. */
typedef struct quartic_step_info {
    const char *op;    /* name of the op, owned by the library */
    const char *label; /* the scope in which the graph's builder made it, "" if none; owned by the program */
    double seconds;    /* 0 unless config.profile was set */
    double flops;      /* estimated floating-point operations */
    double bytes;      /* least traffic: every operand once */
} quartic_step_info;

/* Return the number of steps of a run (0 for NULL, with an error message), and give one of them. Errors:
 * INVALID_ARGUMENT for an index beyond the last. */
QUARTIC_API uint32_t quartic_program_step_count(const quartic_program *program);
QUARTIC_API quartic_status quartic_program_step(const quartic_program *program, uint32_t index,
                                                quartic_step_info *out_info);

/* What the last run cost the host on a Vulkan device: seconds spent submitting recorded work, without
 * waiting, and how much was recorded. All 0 on the CPU devices. */
typedef struct quartic_replay_info {
    double host_seconds;
    uint32_t dispatches, submits;
} quartic_replay_info;

/* Returns that of the last run; all 0 for NULL, with an error message. */
QUARTIC_API quartic_replay_info quartic_program_replay_info(const quartic_program *program);

#ifdef __cplusplus
}
#endif
#endif
