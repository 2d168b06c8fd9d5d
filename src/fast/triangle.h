/* triangle.h (fast): what the tuned kernels of triangle attention share: triangle_both.c for the kind both,
 * triangle_rows.c for the kinds start and end. triangle.c chooses between them and lays out their scratch.
 *
 * A unit is one head of one graph. Kernels look at visible pivots only, through the graph's list of them.
 */
#ifndef QUARTIC_FAST_TRIANGLE_H
#define QUARTIC_FAST_TRIANGLE_H

#include "fast/fast.h"
#include "fast/flash.h"
#include "ops/triangle/problem.h"

enum {
    QUARTIC_TRIANGLE_TASKS = 32,          /* enough parts for so many threads */
    QUARTIC_TRIANGLE_FLOPS_OF_THREAD = 16 /* operations that quartic_parts counts as one element */
};

typedef struct quartic_triangle_job {
    quartic_triangle_problem problem;
    const quartic_op_run *run;
    const quartic_matmul_kernels *kernels;
    bool backward;
    uint32_t threads, blocks; /* blocks of LANES nodes */
    int32_t *pivots;          // (b, n): the visible ones of a graph, in order
    uint32_t *pivot_counts;   // (b)
    float *deltas;            // (b, n, n, h): backward g . out of every edge
    float *shared;            /* what threads share, then own floats of each thread */
    float *own;
    size_t own_floats;
} quartic_triangle_job;

static inline uint32_t quartic_triangle_blocks(uint32_t n) {
    return (n + QUARTIC_FLASH_LANES - 1) / QUARTIC_FLASH_LANES;
}
static inline uint32_t quartic_triangle_least(uint32_t a, uint32_t b) {
    return a < b ? a : b;
}

/* Sizes in floats: of what threads share, and of each one's own. */
typedef struct quartic_triangle_sizes {
    size_t shared, own;
} quartic_triangle_sizes;

/* to = factor * one row of an operand. */
static inline void quartic_triangle_row(const float *from, // (d), component_step apart
                                        int64_t component_step, uint32_t d, float factor,
                                        float *to // (d)
) {
    if (component_step == 1)
        for (uint32_t c = 0; c < d; ++c) to[c] = factor * from[c];
    else
        for (uint32_t c = 0; c < d; ++c) to[c] = factor * from[c * component_step];
}

/* Whether edge (i, j) of a graph sees a pivot. */
static inline bool quartic_triangle_sees(const quartic_triangle_job *job, uint32_t b, uint32_t i,
                                         uint32_t j) {
    const int32_t *mask = job->run->inputs[QUARTIC_TRIANGLE_MASK].data; // (b, n)
    if (job->problem.masked) mask += (size_t)b * job->problem.n;
    return quartic_triangle_seen(&job->problem, job->problem.masked ? mask : NULL, i, j) != 0;
}

/* What the kernels of the kind both, and of the kinds start and end, need; and the kernels themselves: all of
 * the op, forward or its adjoint as the job says. */
quartic_triangle_sizes quartic_triangle_both_sizes(const quartic_triangle_problem *problem, bool backward);
void quartic_triangle_both_run(const quartic_triangle_job *job);
quartic_triangle_sizes quartic_triangle_rows_sizes(const quartic_triangle_problem *problem, bool backward);
void quartic_triangle_rows_run(const quartic_triangle_job *job);

#endif
