/* compare.h: how two results are compared, and how far apart they may be.
 *
 * A comparison has one bound for the whole tensor, so the worst element is the one with the largest error. An
 * element that is infinite or NaN on either side counts as an infinite error.
 */
#ifndef QUARTIC_VERIFY_COMPARE_H
#define QUARTIC_VERIFY_COMPARE_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "quartic/tensor.h"

typedef struct quartic_comparison {
    uint64_t elements;
    uint64_t worst; /* row-major index of the element with the largest error */
    double got, want;
    double error; /* |got - want| there */
    double bound;
    double largest; /* max |want| over the tensor */
    double nmse;    /* sum (got - want)^2 / sum want^2 */
    double zeros;   /* share of want that is exactly 0 */
} quartic_comparison;

/* An expected result with a larger share of zeros proves too little: a kernel that writes nothing might
 * pass. */
#define QUARTIC_MOSTLY_ZERO 0.9

void quartic_compare(const float *got, const float *want, uint64_t count, double bound,
                     quartic_comparison *out_comparison);
/* The same for integers, which must be equal. */
void quartic_compare_int(const int32_t *got, const int32_t *want, uint64_t count,
                         quartic_comparison *out_comparison);
static inline bool quartic_comparison_holds(const quartic_comparison *comparison) {
    return isfinite(comparison->error) && comparison->error <= comparison->bound;
}

/* Max |x|; infinite if anything is not finite. */
double quartic_largest(const float *numbers, uint64_t count);

/* The scale by which the error of a result is measured: its largest element. If that is zero but for rounding
 * (a sum that cancels), the largest element of the operands. */
double quartic_error_scale(double largest_want, double largest_operand);

/* The bounds for recorded cases, in float32 on any device:
 *     outputs, losses, trained parameters   2e-5 max(1, max |want|)
 *     gradients                             1e-4 max |want| + 1e-6 */
double quartic_output_bound(double largest_want);
double quartic_gradient_bound(double largest_want);

enum { QUARTIC_COMPARISON_TEXT = 256 };
/* "element (0, 3, 1): got 1.5, want 1.25, error 0.25, bound 2e-05, normalised mean square error 0.001" into a
 * buffer of that many bytes; returns it. */
const char *quartic_comparison_text(const quartic_comparison *comparison, const quartic_shape *shape,
                                    char *buffer);

#endif
