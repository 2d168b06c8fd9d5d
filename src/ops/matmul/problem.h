/* problem.h: one matrix product reduced to its canonical form, for the GPU plan and the tuned CPU kernels.
 *
 *     out[b, i, j] = alpha * sum over s, k of A[b, s, i, k] * B[b, s, k, j]  + bias[j] + addend[b, i, j]
 *
 * out and addend are contiguous (batch, m, n). A and B lie at any strides (in elements): transposes,
 * broadcast axes and views are only strides here. b runs over at most four batch axes and s over summed axes,
 * together at most four, as a tensor has at most six. Axes are merged and folded into m or k where the
 * strides allow, so a product of (b, i, j, K) with one shared weight is a single product with m = b * i * j,
 * and its weight gradient a single one with k = b * i * j.
 */
#ifndef QUARTIC_OPS_MATMUL_PROBLEM_H
#define QUARTIC_OPS_MATMUL_PROBLEM_H

#include "ops/ops.h"

/* summed: bit k says that axis k of the common leading shape is contracted too and vanishes from the result;
 * only gradients use it, for operands that were broadcast. */
typedef struct quartic_matmul_attrs {
    uint32_t transpose_a, transpose_b;
    float alpha;
    uint32_t summed;
} quartic_matmul_attrs;

enum { QUARTIC_MATMUL_MAX_AXES = QUARTIC_MAX_RANK - 2 };

/* The inputs by index. */
enum { QUARTIC_MATMUL_A, QUARTIC_MATMUL_B, QUARTIC_MATMUL_BIAS, QUARTIC_MATMUL_ADDEND };

typedef struct quartic_matmul_axis {
    uint32_t extent;
    int64_t a_stride, b_stride;
} quartic_matmul_axis;

typedef struct quartic_matmul_problem {
    uint32_t m, n, k;
    int64_t a_row, a_k; /* strides of A's m and k axes */
    int64_t b_k, b_col; /* strides of B's k and n axes */
    uint32_t batch_axes, summed_axes;
    quartic_matmul_axis
        axes[QUARTIC_MATMUL_MAX_AXES]; /* the batch axes, then the summed ones; fastest last */
    uint64_t batches, sums;            /* products of their extents, 1 if there are none */
    float alpha;
    bool has_bias, has_addend;
} quartic_matmul_problem;

/* The canonical form of a call whose operands infer accepted. Reads inputs and attrs only. */
quartic_matmul_problem quartic_matmul_describe(const quartic_op_call *call);

/* Offsets of A and B for the index-th batch; of the index-th sum in addition. In elements. */
void quartic_matmul_batch_offsets(const quartic_matmul_problem *problem, uint64_t index, int64_t *out_a,
                                  int64_t *out_b);
void quartic_matmul_sum_offsets(const quartic_matmul_problem *problem, uint64_t index, int64_t *out_a,
                                int64_t *out_b);

/* Floating point operations of the product, a multiplication and an addition counting two. */
double quartic_matmul_flops(const quartic_matmul_problem *problem);

/* The op's GPU rule: plan.c and gpu.c. */
/* A quartic_op.candidates. */
void quartic_matmul_candidates(const quartic_op_call *call, const quartic_gpu_limits *limits,
                               quartic_tuning_choice *out, uint32_t capacity, uint32_t *inout_count);
quartic_status quartic_matmul_gpu(const quartic_op_call *call, const quartic_gpu_limits *limits,
                                  quartic_dispatch_list *list);

#endif
