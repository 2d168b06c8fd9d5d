/* run_vulkan.h: a planned graph on a Vulkan device: recorded once, replayed.
 *
 * The only place where ops meet Vulkan. Creation asks every step's op for its dispatches, puts addresses in
 * their arguments, decides the barriers (hazard.h) and records; a run is a replay. The caller (program.c)
 * owns the memory: one buffer per named storage and one per arena of the workspace.
 *
 * Order of use: quartic_run_vulkan_scratch as the scratch rule of quartic_plan_create; allocate;
 * quartic_run_vulkan_create; run, or record into the caller's own command buffer.
 */
#ifndef QUARTIC_RUN_RUN_VULKAN_H
#define QUARTIC_RUN_RUN_VULKAN_H

#include "gpu/gpu.h"
#include "ops/dispatch.h"
#include "plan/plan.h"
#include "run/hazard.h"

typedef struct quartic_run_vulkan quartic_run_vulkan;

/* The limits that op->gpu sees on a device, and on one with such capabilities. */
quartic_gpu_limits quartic_run_vulkan_limits(const quartic_gpu_device *device);
quartic_gpu_limits quartic_run_vulkan_limits_of_caps(const quartic_gpu_caps *caps);

/* Context of the scratch rule. */
typedef struct quartic_run_vulkan_rule {
    const quartic_graph *graph; /* for the scope in error messages */
    quartic_gpu_limits limits;
} quartic_run_vulkan_rule;

/* A quartic_scratch_rule: the scratch and the stages of the op's dispatches. UNSUPPORTED names the op and its
 * scope. */
quartic_status quartic_run_vulkan_scratch(void *rule, const quartic_node *node, const quartic_op_call *call,
                                          quartic_step_need *out_need);

/* The steps of a plan as dispatches with every address and barrier in place, by level: dispatches of one level
 * stand side by side. Pure: needs no device.
 * storages[k] is the device address of storage k of the graph (start of the storage, layout offset not
 * applied), for every storage that the plan uses and does not place in the workspace; others are ignored.
 * arenas[k] is the device address of arena k of the plan's workspace; absent is the address for operands that are left out
 * (quartic_gpu_device_absent). *out_commands and *out_touched (one entry per command; out_touched may be
 * NULL) are freed by quartic_free. Errors: UNSUPPORTED naming the op and its scope, OUT_OF_MEMORY; INTERNAL
 * if a shader would be given a null address. */
typedef struct quartic_run_vulkan_memory {
    const uint64_t *storages, *arenas;
    uint64_t absent;
} quartic_run_vulkan_memory;
/* The byte ranges that one command touches, as its op declares them: what its barrier was decided from. */
typedef struct quartic_run_vulkan_touched {
    uint32_t count;
    quartic_hazard_range ranges[QUARTIC_DISPATCH_MAX_POINTERS];
} quartic_run_vulkan_touched;
quartic_status quartic_run_vulkan_lower(const quartic_graph *graph, const quartic_plan *plan,
                                        const quartic_gpu_limits *limits,
                                        const quartic_run_vulkan_memory *memory,
                                        quartic_gpu_command **out_commands,
                                        quartic_run_vulkan_touched **out_touched, uint32_t *out_count);

/* Lowers and records on a device, with the choices of a table (NULL: none). plan and table are only read during the
 * call; graph must outlive *out_run, whose messages name its ops and scopes. Errors also: OUT_OF_DEVICE_MEMORY. */
quartic_status quartic_run_vulkan_create(quartic_gpu_device *device, const quartic_graph *graph,
                                         const quartic_plan *plan, const uint64_t *storages,
                                         const uint64_t *arenas, const quartic_tuning_table *tuning,
                                         bool profile, quartic_run_vulkan **out_run);
void quartic_run_vulkan_destroy(quartic_run_vulkan *run); /* NULL is fine */

/* Replays all steps and waits. Errors: DEVICE_LOST. */
quartic_status quartic_run_vulkan_run(quartic_run_vulkan *run);

/* Enqueues all steps behind what the device was given before, without waiting. */
quartic_status quartic_run_vulkan_submit(quartic_run_vulkan *run);

/* Records all steps into the caller's command buffer (a VkCommandBuffer). Nothing is submitted. */
quartic_status quartic_run_vulkan_record(quartic_run_vulkan *run, void *command_buffer);

/* Seconds that the host spent submitting the last run, and the dispatches and submits of a run. */
double quartic_run_vulkan_host_seconds(const quartic_run_vulkan *run);
void quartic_run_vulkan_counts(const quartic_run_vulkan *run, uint32_t *out_dispatches,
                               uint32_t *out_submits);

/* Seconds of a plan step in the last run; 0 unless created with profile. */
double quartic_run_vulkan_seconds(const quartic_run_vulkan *run, uint32_t step);

#endif
