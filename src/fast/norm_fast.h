/* norm_fast.h (fast): the tuned norm of dense rows, for kernels that multiply each block of rows right away.
 *
 *   rms: y = x / sqrt(mean(x^2) + eps) * weights
 *   l2:  y = x * sqrt(width) / max(|x|, least) * weights
 */
#ifndef QUARTIC_FAST_NORM_FAST_H
#define QUARTIC_FAST_NORM_FAST_H

#include "ops/norm.h"

/* y = the rms or l2 norm of x. */
void quartic_fast_norm_rows(const norm_attrs *attrs,
                            const float *weights, // (width), of quartic_fast_norm_weights
                            const float *x,       // (rows, width)
                            float *y,             // (rows, width)
                            uint64_t rows, uint32_t width);

/* weights = scale + offset, or ones without a scale. */
void quartic_fast_norm_weights(const norm_attrs *attrs,
                               const float *scale, // (width), or NULL
                               uint32_t width,
                               float *weights); // (width)

#endif
