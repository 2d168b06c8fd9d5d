/* norm_fast.h: the tuned norm of dense rows, for rows that are multiplied right away. */
#ifndef QUARTIC_FAST_NORM_FAST_H
#define QUARTIC_FAST_NORM_FAST_H

#include "ops/norm.h"

/* y (rows, width) = rms or l2 norm of x (rows, width); weights (width): scale + offset, or ones. */
void quartic_fast_norm_rows(const norm_attrs *attrs, const float *weights, const float *x, float *y,
                            uint64_t rows, uint32_t width);

/* scale + offset, or ones without a scale, into weights (width). */
void quartic_fast_norm_weights(const norm_attrs *attrs, const float *scale, uint32_t width, float *weights);

#endif
