/* taylor_problem.h: one use of Taylor attention as numbers: what every kernel of it needs to know.
 *
 * Operands are (b, r, c, h, width). The sequence runs along axis 1 or 2; the other of the two is a batch,
 * called "other". A unit is one head of one sequence: (b, other, head). Which keys of a sequence are visible
 * does not depend on the query, so it is a property of (b, other, position); except that with options.block
 * the sequence is cut into blocks of `span` tokens, and a query sees keys of its own block and of earlier
 * ones only.
 *
 * The linear form's features are the products x_a x_b, a <= b, of the extended vector (1, x_1 .. x_d),
 * weighted by 1/2 where a = b > 0: then 1 + s + s^2/2 = sum_f weight_f f(q) f(k), (d + 1)(d + 2) / 2 of them,
 * numbered (0,0) (0,1) .. (0,d) (1,1) (1,2) .. (d,d). A unit's state is sum_j weight_f f(k_j) (v_j, 1), of
 * shape (features, dv + 1). With blocks there is one for each block: queries take the sum over the keys up to
 * the end of their block, and in the adjoint keys take the sum over the queries from the start of their
 * block.
 */
#ifndef QUARTIC_OPS_TAYLOR_PROBLEM_H
#define QUARTIC_OPS_TAYLOR_PROBLEM_H

#include "ops/ops.h"
#include "quartic/graph.h"

/* The denominator's least value: max(sum w, QUARTIC_TAYLOR_LEAST). */
#define QUARTIC_TAYLOR_LEAST 1e-5

enum { QUARTIC_TAYLOR_QUADRATIC = 1, QUARTIC_TAYLOR_LINEAR = 2 };

/* Operands of the adjoint op; the first four are the forward op's too. */
enum {
    QUARTIC_TAYLOR_Q, /* (b, r, c, h, d) */
    QUARTIC_TAYLOR_K, /* (b, r, c, h, d) */
    QUARTIC_TAYLOR_V, /* (b, r, c, h, dv) */
    QUARTIC_TAYLOR_MASK,
    QUARTIC_TAYLOR_OUT, /* (b, r, c, h, dv) */
    QUARTIC_TAYLOR_Z,   /* (b, r, c, h): the denominators */
    QUARTIC_TAYLOR_G,   /* (b, r, c, h, dv): the cotangent of out */
    QUARTIC_TAYLOR_INPUTS
};

/* Strides in elements of an operand seen as (b, other, position, head, component). */
typedef struct quartic_taylor_strides {
    int64_t batch, other, position, head, component;
} quartic_taylor_strides;

typedef struct quartic_taylor_problem {
    uint32_t batch, others, tokens, heads; /* tokens: of one sequence */
    uint32_t span; /* tokens of a block; `tokens` where all queries see the same keys */
    uint32_t d, dv, features;
    uint32_t form;             /* never 0 */
    uint32_t axis;             /* 1 or 2 */
    bool masked, pair, causal; /* masked: there is a mask; pair: it is (b, n), else (b, r, c) */
    quartic_taylor_strides q, k, v;
    quartic_taylor_strides value; /* out, g, dv: contiguous (b, r, c, h, dv) */
    quartic_taylor_strides key;   /* dq, dk: contiguous (b, r, c, h, d) */
    quartic_taylor_strides z;     /* contiguous (b, r, c, h) */
} quartic_taylor_problem;

/* The numbers of a call or run of either op whose operands infer accepted. mask may be NULL. */
quartic_taylor_problem quartic_taylor_problem_of(const void *attrs, const quartic_layout *q,
                                                 const quartic_layout *k, const quartic_layout *v,
                                                 const quartic_layout *mask);
quartic_taylor_problem quartic_taylor_problem_of_call(const quartic_op_call *call);
quartic_taylor_problem quartic_taylor_problem_of_run(const quartic_op_run *run);

/* Whether queries differ in what they see, and the number of blocks, at least 1. */
static inline bool quartic_taylor_blocked(const quartic_taylor_problem *problem) {
    return problem->span < problem->tokens;
}
static inline uint32_t quartic_taylor_blocks(const quartic_taylor_problem *problem) {
    return (problem->tokens - 1) / problem->span + 1;
}
/* The end of a position's block: its query sees no key from there on. */
static inline uint32_t quartic_taylor_block_end(const quartic_taylor_problem *problem, uint32_t position) {
    const uint64_t end = ((uint64_t)position / problem->span + 1) * problem->span;
    return end < problem->tokens ? (uint32_t)end : problem->tokens;
}

/* Number of units: heads of sequences. */
static inline uint64_t quartic_taylor_units(const quartic_taylor_problem *problem) {
    return (uint64_t)problem->batch * problem->others * problem->heads;
}

/* Pairs of a query and a key that it may see, before masks, and estimated operations, of all units together.
 */
double quartic_taylor_pairs(const quartic_taylor_problem *problem);
double quartic_taylor_flops(const quartic_taylor_problem *problem, bool backward);

/* Keys of sequence (b, other) at or beyond this position are all hidden. mask may be NULL. */
uint32_t quartic_taylor_key_end(const quartic_taylor_problem *problem, const int32_t *mask, uint32_t b,
                                uint32_t other);
/* Whether the key at a position before that end is visible. */
bool quartic_taylor_visible(const quartic_taylor_problem *problem, const int32_t *mask, uint32_t b,
                            uint32_t other, uint32_t position);

/* The reference kernels (taylor_reference.c) and the GPU plans (taylor_gpu.c) of the two ops. */
void quartic_taylor_reference(const quartic_op_run *run);
void quartic_taylor_reference_grad(const quartic_op_run *run);
size_t quartic_taylor_reference_scratch(const quartic_op_call *call);
quartic_status quartic_taylor_gpu(const quartic_op_call *call, const quartic_gpu_limits *limits,
                                  quartic_dispatch_list *list);
quartic_status quartic_taylor_gpu_grad(const quartic_op_call *call, const quartic_gpu_limits *limits,
                                       quartic_dispatch_list *list);

#endif
