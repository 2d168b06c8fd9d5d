/* problem.h: one use of softmax attention among edges as numbers: what every kernel of it needs to know.
 *
 * Tokens are edges of a graph of n nodes; token t of a graph is edge (i, j) = (position / n, position % n)
 * with position = t where no positions are given; position -1 stands for no edge. A unit is one head
 * of one graph. Two numbers of each token say who sees whom:
 *     as a key, its row      i; HIDDEN if masked, if there is no edge, or if causal and j > i
 *     as a query, its limit  n; -1 if there is no edge; if causal i, or -1 where j > i
 * A key is visible to a query iff its row <= the query's limit.
 */
#ifndef QUARTIC_OPS_EDGE_SOFTMAX_PROBLEM_H
#define QUARTIC_OPS_EDGE_SOFTMAX_PROBLEM_H

#include "ops/ops.h"
#include "quartic/graph.h"

/* Operands of the adjoint op; the first five are the forward op's too. */
enum {
    QUARTIC_EDGE_Q,         /* (b, m, h, d), comes scaled */
    QUARTIC_EDGE_K,         /* (b, m, h, d) */
    QUARTIC_EDGE_V,         /* (b, m, h, d) */
    QUARTIC_EDGE_POSITIONS, /* int32 (b, m), or left out */
    QUARTIC_EDGE_MASK,      /* int32 (b, n), or left out */
    QUARTIC_EDGE_OUT,       /* (b, m, h, d) */
    QUARTIC_EDGE_LSE,       /* (b, m, h): log-sum-exp of the scores that a query sees; 0 if it sees none */
    QUARTIC_EDGE_G,         /* (b, m, h, d): the cotangent of out */
    QUARTIC_EDGE_INPUTS
};

/* The row of a key that nobody sees. */
#define QUARTIC_EDGE_HIDDEN INT32_MAX

/* Strides in elements of an operand seen as (b, token, head, component). */
typedef struct quartic_edge_strides {
    int64_t batch, token, head, component;
} quartic_edge_strides;

typedef struct quartic_edge_problem {
    uint32_t batch, tokens, heads, d, nodes;
    bool positioned, masked, causal;
    quartic_edge_strides q, k, v;
    quartic_edge_strides own; /* out, g and the gradients: contiguous (b, m, h, d) */
    quartic_edge_strides row; /* contiguous (b, m, h) */
} quartic_edge_problem;

quartic_edge_problem quartic_edge_problem_of_call(const quartic_op_call *call);
quartic_edge_problem quartic_edge_problem_of_run(const quartic_op_run *run);

static inline uint64_t quartic_edge_units(const quartic_edge_problem *problem) {
    return (uint64_t)problem->batch * problem->heads;
}

/* See above; positions and mask are NULL where left out. */
int32_t quartic_edge_key_row(const quartic_edge_problem *problem, const int32_t *positions,
                             const int32_t *mask, uint32_t b, uint32_t token);
int32_t quartic_edge_query_limit(const quartic_edge_problem *problem, const int32_t *positions, uint32_t b,
                                 uint32_t token);

/* Operations per pair of tokens: scores and the sum of values; backward scores, g v, and three sums. */
static inline double quartic_edge_pair_flops(const quartic_edge_problem *problem, bool backward) {
    return backward ? 10.0 * problem->d + 30 : 4.0 * problem->d + 25;
}
double quartic_edge_flops(const quartic_edge_problem *problem, bool backward);

/* The reference kernels (reference.c) and the GPU plans (plan.c) of the two ops. */
void quartic_edge_reference(const quartic_op_run *run);
void quartic_edge_reference_grad(const quartic_op_run *run);
size_t quartic_edge_reference_scratch(const quartic_op_call *call);
quartic_status quartic_edge_gpu(const quartic_op_call *call, const quartic_gpu_limits *limits,
                                quartic_dispatch_list *list);
/* A quartic_op.candidates. */
void quartic_edge_candidates(const quartic_op_call *call, const quartic_gpu_limits *limits,
                             quartic_tuning_choice *out, uint32_t capacity, uint32_t *inout_count);
quartic_status quartic_edge_gpu_grad(const quartic_op_call *call, const quartic_gpu_limits *limits,
                                     quartic_dispatch_list *list);

#endif
