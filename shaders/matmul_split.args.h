/* matmul_split.args.h: the product of matmul.args.h where the contraction is split: every group puts its part into parts
 * (split, b, i, j), and the last group of a tile adds them up in that order and makes the result. At most two axes, batch
 * and summed ones together, so that all fits. counters (b, tiles of rows, tiles of columns) are 0 before. */
#include "lib/args.h"
QUARTIC_ARGS(matmul_split, QUARTIC_FLOATS a; QUARTIC_FLOATS b; QUARTIC_FLOATS bias; QUARTIC_FLOATS addend;
             QUARTIC_FLOATS result; QUARTIC_FLOATS parts; QUARTIC_INTS counters; uint32_t m; uint32_t n;
             uint32_t k; float alpha; int32_t a_row; int32_t a_k; int32_t b_k; int32_t b_col;
             uint32_t axis_counts; uint32_t split_steps; uint32_t extents[2]; int32_t a_strides[2];
             int32_t b_strides[2];)
QUARTIC_OPERANDS(matmul_split)
QUARTIC_READS(a, QUARTIC_INPUT(0))
QUARTIC_READS(b, QUARTIC_INPUT(1))
QUARTIC_READS(bias, QUARTIC_GIVEN | QUARTIC_OPTIONAL)
QUARTIC_READS(addend, QUARTIC_GIVEN | QUARTIC_OPTIONAL)
QUARTIC_WRITES(result, QUARTIC_OUTPUT(0))
QUARTIC_UPDATES(parts, QUARTIC_SCRATCH)
QUARTIC_UPDATES(counters, QUARTIC_COUNTERS)
QUARTIC_OPERANDS_END(matmul_split)
