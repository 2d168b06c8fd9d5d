/* sum.h: the inner loop of tuned sums, shared by rows that add up rows. */
#ifndef QUARTIC_FAST_SUM_H
#define QUARTIC_FAST_SUM_H

#include <stdint.h>

/* y[c] += sum over r < rows of x[r * row_step + c * column_step], c < columns, in an order that depends on
 * rows only. */
void quartic_fast_add_rows(const float *x, int64_t row_step, int64_t rows, int64_t column_step, float *y,
                           int64_t columns);

#endif
