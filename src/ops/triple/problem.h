/* problem.h: one use of triple attention as numbers: what every kernel of it needs to know.
 *
 * Edge (i, j) attends over pairs of pivots (l, m), so it sees all six edges among the nodes i, l, m, j:
 *     Q_ijl = scale (q_il + q2_lj),   K_ijm = k_im + k2_mj
 *     s_ijlm = Q_ijl . K_ijm + bias_lm,   A = softmax over the visible pairs (l, m) of s
 *     out_ij = sum_lm A_ijlm v_il * v2_mj
 * Adjoint, with g the cotangent of out and delta_ij = g_ij . out_ij:
 *     ds_ijlm = A_ijlm (g_ij . (v_il * v2_mj) - delta_ij)
 *     dQ_ijl = sum_m ds_ijlm K_ijm,   dq_il = scale sum_j dQ_ijl,   dq2_lj = scale sum_i dQ_ijl
 *     dK_ijm = sum_l ds_ijlm Q_ijl,   dk_im = sum_j dK_ijm,         dk2_mj = sum_i dK_ijm
 *     dv_il = sum_jm A_ijlm g_ij * v2_mj,   dv2_mj = sum_il A_ijlm g_ij * v_il,   dbias_lm = sum_ij ds_ijlm
 * Saved for the adjoint is lse_ij = log sum_lm exp s, so that A = exp(s - lse); 0 where no pair is visible.
 * A pair is visible unless the mask hides l or m; if causal, j <= m <= l <= i.
 *
 * All operands exchange their roles when every edge is turned round: with i and j, and l and m, exchanged, q
 * becomes k2, q2 becomes k, and v becomes v2. Kernels of the gradients are written once and run for both.
 *
 * An edge that sees one pair only has A = 1 whatever its scores, so ds = 0. Kernels mark it by a delta of
 * 3e38, as in triangle/problem.h.
 */
#ifndef QUARTIC_OPS_TRIPLE_PROBLEM_H
#define QUARTIC_OPS_TRIPLE_PROBLEM_H

#include "ops/ops.h"
#include "quartic/graph.h"

/* Operands of the adjoint op; those before OUT are the forward op's too. The first seven are the order of the
 * gradients as well. */
enum {
    QUARTIC_TRIPLE_Q, // (b, n, n, h, d)
    QUARTIC_TRIPLE_Q2,
    QUARTIC_TRIPLE_K,
    QUARTIC_TRIPLE_K2,
    QUARTIC_TRIPLE_V,
    QUARTIC_TRIPLE_V2,
    QUARTIC_TRIPLE_BIAS, // (b, n, n, h)
    QUARTIC_TRIPLE_MASK, // (b, n), or left out
    QUARTIC_TRIPLE_OUT,  // (b, n, n, h, d)
    QUARTIC_TRIPLE_LSE,  // (b, n, n, h)
    QUARTIC_TRIPLE_G,    // (b, n, n, h, d): the cotangent of out
    QUARTIC_TRIPLE_INPUTS,
    QUARTIC_TRIPLE_GRADIENTS = QUARTIC_TRIPLE_MASK
};

/* Strides of an operand in elements; component is 1 where it has none. */
typedef struct quartic_triple_operand {
    int64_t batch, row, column, head, component;
} quartic_triple_operand;

typedef struct quartic_triple_problem {
    uint32_t batch, n, heads, d;
    float scale;
    bool causal, masked;
    quartic_triple_operand operands[QUARTIC_TRIPLE_GRADIENTS]; /* q to bias */
    quartic_triple_operand wide;                               /* contiguous (b, n, n, h, d) */
    quartic_triple_operand narrow;                             /* contiguous (b, n, n, h) */
} quartic_triple_problem;

/* From a checked call or run of either op. */
quartic_triple_problem quartic_triple_of_call(const quartic_op_call *call);
quartic_triple_problem quartic_triple_of_run(const quartic_op_run *run);

static inline int64_t quartic_triple_at(const quartic_triple_operand *operand, uint32_t b, uint32_t h,
                                        uint32_t row, uint32_t column) {
    return operand->batch * b + operand->head * h + operand->row * row + operand->column * column;
}

/* The pivots of edge (i, j) that causality leaves: *out_begin <= m <= l < *out_end; not causal, any two. */
static inline void quartic_triple_pivots(const quartic_triple_problem *problem, uint32_t i, uint32_t j,
                                         uint32_t *out_begin, uint32_t *out_end) {
    *out_begin = problem->causal ? j : 0;
    *out_end = problem->causal ? i + 1 : problem->n; // empty where j > i
}

/* Whether causality leaves the pair (l, m), both of them pivots. */
static inline bool quartic_triple_follows(const quartic_triple_problem *problem, uint32_t l, uint32_t m) {
    return !problem->causal || m <= l;
}

/* Whether edge (i, j) sees one pair only, which is the pair (l, l) of its one visible pivot. mask: of its
 * graph, (n), or NULL. */
bool quartic_triple_is_lone(const quartic_triple_problem *problem, const int32_t *mask, uint32_t i,
                            uint32_t j);

/* Heads of graphs: each is a problem of its own. */
static inline uint64_t quartic_triple_units(const quartic_triple_problem *problem) {
    return (uint64_t)problem->batch * problem->heads;
}

/* Operations that a kernel without recomputation needs. */
double quartic_triple_flops(const quartic_triple_problem *problem, bool backward);

/* The reference kernels (reference.c) and the GPU plans (plan.c) of the two ops. */
void quartic_triple_reference(const quartic_op_run *run);
void quartic_triple_reference_grad(const quartic_op_run *run);
size_t quartic_triple_reference_scratch(const quartic_op_call *call);
quartic_status quartic_triple_gpu(const quartic_op_call *call, const quartic_gpu_limits *limits,
                                  quartic_dispatch_list *list);
quartic_status quartic_triple_gpu_grad(const quartic_op_call *call, const quartic_gpu_limits *limits,
                                       quartic_dispatch_list *list);
/* A quartic_op.candidates of the adjoint. */
void quartic_triple_candidates_grad(const quartic_op_call *call, const quartic_gpu_limits *limits,
                                    quartic_tuning_choice *out, uint32_t capacity, uint32_t *inout_count);

#endif
