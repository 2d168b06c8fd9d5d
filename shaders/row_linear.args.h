/* row_linear.args.h: y[p] (rows, n[p]) = f(x) w[p]^T (+ addend), x (rows, k), w[p] (n[p], k). side: the
 * norm's scale (k) or the gates (rows, heads). See src/ops/row_linear.c. */
#include "lib/args.h"
QUARTIC_ARGS(row_linear, QUARTIC_FLOATS x; QUARTIC_FLOATS side; QUARTIC_FLOATS addend; QUARTIC_FLOATS w[4];
             QUARTIC_FLOATS y[4]; uint32_t rows; uint32_t k; uint32_t n[4]; uint32_t heads; float eps;
             float offset; float alpha;)
