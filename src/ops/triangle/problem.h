/* problem.h: one use of triangle attention as numbers: what every kernel of it needs to know.
 *
 * A triangle is three nodes i, l, j. Edge (i, j) attends over its pivots l. Every operand lies on one edge of
 * the triangle, by kind:
 *              q    k    v    v2   bias
 *     both     il   lj   il   lj   -
 *     start    ij   il   il   -    lj
 *     end      ij   lj   lj   -    il
 * All kinds then have the same formulas:
 *     s = scale q . k + bias,   A = softmax over the visible l of s,   out_ij = sum_l A v * v2
 * Adjoint, with g the cotangent of out and delta_ij = g_ij . out_ij:
 *     dA = g . (v * v2),   ds = A (dA - delta)
 * The gradient of an operand sums, over the node that is not on its edge:
 *     dq: scale ds k   dk: scale ds q   dv: A g * v2   dv2: A g * v   dbias: ds
 * Saved for the adjoint is lse_ij = log sum_l exp s, so that A = exp(s - lse); 0 where no pivot is visible.
 * Pivot l is visible unless the mask hides it; if causal, j <= l <= i.
 *
 * An edge that sees one pivot only has A = 1 whatever its scores, so ds = 0. Rounding would leave dA - delta
 * as noise where the gradients of scores are 0 as a whole (n = 1, say); kernels mark such an edge by a delta
 * of 3e38.
 */
#ifndef QUARTIC_OPS_TRIANGLE_PROBLEM_H
#define QUARTIC_OPS_TRIANGLE_PROBLEM_H

#include "ops/ops.h"
#include "quartic/graph.h"

/* Operands of the adjoint op; those before OUT are the forward op's too. */
enum {
    QUARTIC_TRIANGLE_Q, // (b, n, n, h, d)
    QUARTIC_TRIANGLE_K,
    QUARTIC_TRIANGLE_V,
    QUARTIC_TRIANGLE_V2,
    QUARTIC_TRIANGLE_BIAS, // (b, n, n, h)
    QUARTIC_TRIANGLE_MASK, // (b, n)
    QUARTIC_TRIANGLE_OUT,  // (b, n, n, h, d)
    QUARTIC_TRIANGLE_LSE,  // (b, n, n, h)
    QUARTIC_TRIANGLE_G,    // (b, n, n, h, d): the cotangent of out
    QUARTIC_TRIANGLE_INPUTS
};
/* Outputs of the adjoint op: dq, dk, dv and, where there is a v2 or a bias, its gradient. */
enum { QUARTIC_TRIANGLE_DQ, QUARTIC_TRIANGLE_DK, QUARTIC_TRIANGLE_DV, QUARTIC_TRIANGLE_DLAST };

typedef enum quartic_triangle_edge {
    QUARTIC_EDGE_IJ,
    QUARTIC_EDGE_IL,
    QUARTIC_EDGE_LJ
} quartic_triangle_edge;

/* Where an operand lies: its edge, and strides in elements. */
typedef struct quartic_triangle_operand {
    bool present;
    quartic_triangle_edge edge;
    int64_t batch, row, column, head, component;
} quartic_triangle_operand;

typedef struct quartic_triangle_problem {
    quartic_triangle_kind kind;
    uint32_t batch, n, heads, d;
    float scale;
    bool causal, masked;
    quartic_triangle_operand q, k, v, v2, bias;
    quartic_triangle_operand wide; /* any contiguous (b, n, n, h, d) on edge ij: out, g; gradients by edge */
    quartic_triangle_operand narrow; /* the same for (b, n, n, h): lse */
} quartic_triangle_problem;

/* From a checked call or run of either op. */
quartic_triangle_problem quartic_triangle_of_call(const quartic_op_call *call);
quartic_triangle_problem quartic_triangle_of_run(const quartic_op_run *run);

static inline int64_t quartic_triangle_at(const quartic_triangle_operand *operand, uint32_t b, uint32_t h,
                                          uint32_t i, uint32_t l, uint32_t j) {
    const uint32_t row = operand->edge == QUARTIC_EDGE_LJ ? l : i;
    const uint32_t column = operand->edge == QUARTIC_EDGE_IL ? l : j;
    return operand->batch * b + operand->head * h + operand->row * row + operand->column * column;
}

/* The pivots of edge (i, j) that causality leaves: *out_begin <= l < *out_end. */
static inline void quartic_triangle_pivots(const quartic_triangle_problem *problem, uint32_t i, uint32_t j,
                                           uint32_t *out_begin, uint32_t *out_end) {
    *out_begin = problem->causal ? j : 0;
    *out_end = problem->causal ? i + 1 : problem->n; // empty where j > i
}

/* How many pivots edge (i, j) sees: 0, 1, or 2 for more. mask: of its graph, (n), or NULL. */
static inline uint32_t quartic_triangle_seen(const quartic_triangle_problem *problem, const int32_t *mask,
                                             uint32_t i, uint32_t j) {
    uint32_t begin, end, count = 0;
    quartic_triangle_pivots(problem, i, j, &begin, &end);
    for (uint32_t l = begin; l < end && count < 2; ++l) count += mask == NULL || mask[l] != 0;
    return count;
}

/* Whether edge (i, j) sees one pivot only. */
static inline bool quartic_triangle_is_lone(const quartic_triangle_problem *problem, const int32_t *mask,
                                            uint32_t i, uint32_t j) {
    return quartic_triangle_seen(problem, mask, i, j) == 1;
}

/* Heads of graphs: each is a problem of its own. */
static inline uint64_t quartic_triangle_units(const quartic_triangle_problem *problem) {
    return (uint64_t)problem->batch * problem->heads;
}

/* Triangles with a visible pivot, as far as the shapes tell. */
double quartic_triangle_count(const quartic_triangle_problem *problem);
/* Operations that a kernel without recomputation needs. */
double quartic_triangle_flops(const quartic_triangle_problem *problem, bool backward);

/* The reference kernels (reference.c) and the GPU plans (plan.c) of the two ops. */
void quartic_triangle_reference(const quartic_op_run *run);
void quartic_triangle_reference_grad(const quartic_op_run *run);
size_t quartic_triangle_reference_scratch(const quartic_op_call *call);
quartic_status quartic_triangle_gpu(const quartic_op_call *call, const quartic_gpu_limits *limits,
                                    quartic_dispatch_list *list);
quartic_status quartic_triangle_gpu_grad(const quartic_op_call *call, const quartic_gpu_limits *limits,
                                         quartic_dispatch_list *list);
/* A quartic_op.candidates of the adjoint. */
void quartic_triangle_candidates_grad(const quartic_op_call *call, const quartic_gpu_limits *limits,
                                      quartic_tuning_choice *out, uint32_t capacity, uint32_t *inout_count);

#endif
