/* sum.h (fast): the inner loop of tuned sums, shared by all kernels that add up rows of a matrix. */
#ifndef QUARTIC_FAST_SUM_H
#define QUARTIC_FAST_SUM_H

#include <stdint.h>

/* y[c] += sum over r < rows of x[r * row_step + c * column_step], c < columns, in an order that depends on
 * rows only. */
void quartic_fast_add_rows(const float *x, // (rows, columns) at these strides
                           int64_t row_step, int64_t rows, int64_t column_step,
                           float *y, // (columns)
                           int64_t columns);

#endif
