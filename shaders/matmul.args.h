/* matmul.args.h: result[b, i, j] = alpha * sum over s, k of a[b, s, i, k] * b[b, s, k, j] + bias[j] +
 * addend[b, i, j]. axes: first the batch axes, then the summed ones, fastest last; axis_counts = batch axes |
 * summed axes << 8. A split of the contraction takes split_steps of its steps and writes
 * its part to (split, b, i, j) of result. See src/ops/matmul/problem.h. */
#include "lib/args.h"
QUARTIC_ARGS(matmul, QUARTIC_FLOATS a; QUARTIC_FLOATS b; QUARTIC_FLOATS bias; QUARTIC_FLOATS addend;
             QUARTIC_FLOATS result; uint32_t m; uint32_t n; uint32_t k; float alpha; int32_t a_row;
             int32_t a_k; int32_t b_k; int32_t b_col; uint32_t axis_counts; uint32_t split_steps;
             uint32_t extents[4]; int32_t a_strides[4]; int32_t b_strides[4];)
QUARTIC_OPERANDS(matmul)
QUARTIC_READS(a, QUARTIC_INPUT(0))
QUARTIC_READS(b, QUARTIC_INPUT(1))
QUARTIC_READS(bias, QUARTIC_GIVEN | QUARTIC_OPTIONAL)
QUARTIC_READS(addend, QUARTIC_GIVEN | QUARTIC_OPTIONAL)
QUARTIC_WRITES(result, QUARTIC_GIVEN)
QUARTIC_OPERANDS_END(matmul)
