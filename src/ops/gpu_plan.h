/* gpu_plan.h: what the GPU plans (op->gpu) of several ops share: rounding up, facts about a device, and the
 * dispatches that add up the parts of a divided sum. Pure: no device is needed.
 */
#ifndef QUARTIC_OPS_GPU_PLAN_H
#define QUARTIC_OPS_GPU_PLAN_H

#include "ops/dispatch.h"
#include "shaders/matmul_reduce.args.h"
#include "shaders/norm_columns.args.h"
#include "tensor/layout.h"

/* The least number of pieces of size `by` that hold `count`. */
static inline uint64_t quartic_divide_up64(uint64_t count, uint64_t by) {
    return (count + by - 1) / by;
}
static inline uint32_t quartic_divide_up(uint64_t count, uint64_t by) {
    return (uint32_t)quartic_divide_up64(count, by);
}

/* Whether an extent, a stride or an offset is a multiple of four elements, so that vec4 loads may be used. */
static inline bool quartic_in_fours(int64_t number) {
    return number % 4 == 0;
}

/* Whether shaders of lib/flat.glsl may take four elements at once: every operand is contiguous, begins at a multiple
 * of 16 bytes and has at least four elements. */
bool quartic_gpu_flat_quads(const quartic_layout *const *operands, uint32_t count);

/* Compute units of the device; 16 where the limits say 0. */
static inline uint32_t quartic_gpu_compute_units(const quartic_gpu_limits *limits) {
    return limits->compute_units == 0 ? 16 : limits->compute_units;
}

/* Bytes of shared memory that a plan may use: those of the device, at most 32 KiB. */
static inline uint32_t quartic_gpu_shared_bytes(const quartic_gpu_limits *limits) {
    return limits->max_shared_bytes < 32768 ? limits->max_shared_bytes : 32768;
}

/* Whether a plan should keep the arrays of an invocation small, so that none is spilled to memory. */
static inline bool quartic_gpu_has_few_registers(const quartic_gpu_limits *limits) {
    return limits->registers != 0 && limits->registers < 255;
}

/* Vulkan on a CPU has subgroups of eight. A load costs much there, so some ops have a second shader,
 * shaders/<name>_lanes.comp, in which groups of eight invocations pass numbers round by shuffles. Such a
 * shader is right only where a group of eight is one subgroup, and made for a CPU: a GPU with subgroups of
 * eight takes the others. A plan asks here before it takes one. */
enum { QUARTIC_LANES = 8 };
static inline bool quartic_gpu_has_lanes(const quartic_gpu_limits *limits) {
    return limits->is_software && limits->subgroup_size == QUARTIC_LANES && limits->has_subgroup_shuffle;
}

/* UNSUPPORTED, with a message, where an invocation would run more loop iterations than the device allows.
 * what: the op and its size, the subject of the message. */
quartic_status quartic_gpu_expect_iterations(const char *what, const quartic_gpu_limits *limits,
                                             double iterations);

/* Appends matmul_reduce.comp, which adds the parts of a divided sum in order and applies alpha, and the bias
 * and the addend where args has them. INTERNAL if the list is full. */
quartic_status quartic_add_parts(quartic_dispatch_list *list, const quartic_matmul_reduce_args *args);

/* Appends norm_columns.comp, which adds args->count rows of partial sums column by column. columns: how many
 * neighbouring columns one workgroup takes, a power of two up to 256. INTERNAL if the list is full. */
quartic_status quartic_add_columns(quartic_dispatch_list *list, const quartic_norm_columns_args *args,
                                   uint32_t columns);

#endif
