/* plan.h: which shader computes a product, in which tiles, with how many splits. Pure. gpu.c writes it down.
 *
 * TILES   shaders/matmul.comp: tiles through shared memory, for everything of some size.
 * LANES   shaders/matmul_lanes.comp: for Vulkan on a CPU (subgroups of eight with shuffles).
 * DOT     shaders/matmul_dot.comp: few results of a long contraction over dense rows.
 * SMALL   shaders/matmul_small.comp: many tiny products.
 *
 * Too few groups to fill the device and a long contraction: it is split, each part goes to scratch, and the parts are
 * added in order, by the last group of each tile or by shaders/matmul_reduce.comp.
 */
#ifndef QUARTIC_OPS_MATMUL_PLAN_H
#define QUARTIC_OPS_MATMUL_PLAN_H

#include "ops/matmul/problem.h"

typedef enum quartic_matmul_kind {
    QUARTIC_MATMUL_TILES,
    QUARTIC_MATMUL_LANES,
    QUARTIC_MATMUL_DOT,
    QUARTIC_MATMUL_SMALL
} quartic_matmul_kind;

/* A group computes tile_m x tile_n results (SMALL: one per invocation) and walks step_k elements a step, an
 * invocation of TILES and LANES thread_m x thread_n of them. */
typedef struct quartic_matmul_plan {
    quartic_matmul_kind kind;
    uint32_t tile_m, tile_n, step_k, thread_m, thread_n, threads;
    uint64_t steps;       /* of the whole contraction, the summed axes included */
    uint32_t split_steps; /* of one part */
    uint32_t splits;
    uint64_t groups;
} quartic_matmul_plan;

quartic_matmul_plan quartic_matmul_choose(const quartic_matmul_problem *problem,
                                          const quartic_gpu_limits *limits);

/* Iterations of all loops of the product's shader that one invocation runs, for so many steps of the contraction; a bit
 * more where compilers unroll. */
uint64_t quartic_matmul_loop_iterations(const quartic_matmul_problem *problem,
                                        const quartic_matmul_plan *plan, uint64_t steps);

#endif
