/* program.h: a compiled graph, ready to be run again and again.
 *
 * Compiling orders the steps, assigns every intermediate a place in one workspace, and (on Vulkan) builds the
 * pipelines and records the commands. A run allocates nothing and compiles nothing. Inputs, parameters,
 * states and outputs are tensors found by name; each is the program's own unless bound at creation.
 */
#ifndef QUARTIC_PROGRAM_H
#define QUARTIC_PROGRAM_H

#include "quartic/device.h"
#include "quartic/graph.h"
#include "quartic/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct quartic_program quartic_program;

/* Binds the input, parameter, state or output of that name to a tensor of the caller's on the same device,
 * of the same dtype and element count; it must outlive the program. A name is bound once. What a run writes
 * (outputs, states and parameters updated in place, the workspace) must not lie over other memory that is
 * bound, in whole or in part: INVALID_ARGUMENT. Tensors that are only read may share theirs. Two VkBuffers of
 * the caller's over the same VkDeviceMemory are not seen to be one. */
typedef struct quartic_binding {
    const char *name;
    quartic_tensor *tensor;
} quartic_binding;

typedef struct quartic_program_config {
    size_t struct_size;
    const quartic_binding *bindings;
    uint32_t binding_count;
    quartic_tensor *workspace; /* memory for intermediates of at least workspace_bytes, or NULL: own */
    uint32_t profile;          /* 1: measure the time of every step (see quartic_program_step) */
    /* Bytes that the workspace may take so that Vulkan devices wait less often: independent steps run side by
     * side and do not use each other's memory again. 1: the least. 0: as quartic_device_set_workspace_budget
     * says, else up to twice the least, within a quarter of the device's memory and the size of one buffer.
     * With a workspace of the caller's, its size is the budget. Profiled programs and CPU devices, which run
     * one step after the other, always take the least. */
    uint64_t workspace_budget;
} quartic_program_config;

#define QUARTIC_PROGRAM_CONFIG_INIT                                                                          \
    { sizeof(quartic_program_config), 0, 0, 0, 0, 0 }

typedef struct quartic_program_memory {
    uint64_t workspace_bytes;  /* intermediates and scratch, after sharing by lifetime */
    uint64_t own_tensor_bytes; /* inputs, parameters, states and outputs that are not bound */
    uint64_t unshared_bytes;   /* what the intermediates would take without sharing */
    double flops;              /* of a run: estimated floating point operations, all steps together */
    double traffic_bytes;      /* of a run: every operand of every step once */
} quartic_program_memory;

/* What a program of this graph would need, before anything is allocated. config may be NULL. */
QUARTIC_API quartic_status quartic_program_measure(quartic_device *device, const quartic_graph *graph,
                                                   const quartic_program_config *config,
                                                   quartic_program_memory *out_memory);

/* Compiles. The device must outlive the program; the graph may be destroyed afterwards. Errors: the graph's
 * own first error; INVALID_ARGUMENT for a graph that has no output and updates nothing; INVALID_ARGUMENT or
 * SHAPE_MISMATCH for a binding or workspace that does not fit, such as a tensor on another device;
 * OUT_OF_MEMORY or OUT_OF_DEVICE_MEMORY with the figures; UNSUPPORTED naming the op. The caller destroys the
 * program; config may be NULL. */
QUARTIC_API quartic_status quartic_program_create(quartic_device *device, const quartic_graph *graph,
                                                  const quartic_program_config *config,
                                                  quartic_program **out_program);
/* NULL is fine. The program's own tensors are gone with it; those that were bound stay. */
QUARTIC_API void quartic_program_destroy(quartic_program *program);

/* The tensor of that name, owned by the program (or the caller, if bound); NULL if there is none, with a
 * sentence that lists the names. Using that NULL as a tensor is INVALID_ARGUMENT and tells the name. */
QUARTIC_API quartic_tensor *quartic_program_tensor(quartic_program *program, const char *name);

/* Runs all steps once and waits. Errors: DEVICE_LOST; on the CPU devices INVALID_ARGUMENT for an index
 * operand out of range, with its place (Vulkan devices do not look: graph.h says op by op what such an index
 * does). */
QUARTIC_API quartic_status quartic_program_run(quartic_program *program);

/* What one step did in the last run, for benchmarks. seconds is 0 unless config.profile was set. */
typedef struct quartic_step_info {
    const char *op;    /* name of the op, owned by the library */
    const char *label; /* the scope in which the graph's builder made it, "" if none; owned by the program */
    double seconds;
    double flops; /* estimated floating point operations */
    double bytes; /* compulsory traffic: every operand once */
} quartic_step_info;

/* How many steps a run has, and one of them. Errors: INVALID_ARGUMENT for an index beyond the last. */
QUARTIC_API uint32_t quartic_program_step_count(const quartic_program *program);
QUARTIC_API quartic_status quartic_program_step(const quartic_program *program, uint32_t index,
                                                quartic_step_info *out_info);

/* What the last run cost the host on a Vulkan device: seconds spent handing recorded work to the driver,
 * waiting not counted, and how much was recorded. All 0 on the CPU devices, where nothing is replayed. */
typedef struct quartic_replay_info {
    double host_seconds;
    uint32_t dispatches, submits;
} quartic_replay_info;

QUARTIC_API quartic_replay_info quartic_program_replay_info(const quartic_program *program);

#ifdef __cplusplus
}
#endif
#endif
