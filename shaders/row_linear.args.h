/* row_linear.args.h: y[p] (rows, n[p]) = f(x) w[p]^T (+ addend), x (rows, k), w[p] (n[p], k). side: the
 * norm's scale (k) or the gates (rows, heads). See src/ops/row_linear.c. */
#include "lib/args.h"
QUARTIC_ARGS(row_linear, QUARTIC_FLOATS x; QUARTIC_FLOATS side; QUARTIC_FLOATS addend; QUARTIC_FLOATS w[4];
             QUARTIC_FLOATS y[4]; uint32_t rows; uint32_t k; uint32_t n[4]; uint32_t heads; float eps;
             float offset; float alpha;)
QUARTIC_OPERANDS(row_linear)
QUARTIC_READS(x, QUARTIC_INPUT(0))
QUARTIC_READS(side, QUARTIC_INPUT(1) | QUARTIC_OPTIONAL)
QUARTIC_READS(addend, QUARTIC_GIVEN | QUARTIC_OPTIONAL)
QUARTIC_READS(w[0], QUARTIC_GIVEN)
QUARTIC_READS(w[1], QUARTIC_GIVEN | QUARTIC_OPTIONAL)
QUARTIC_READS(w[2], QUARTIC_GIVEN | QUARTIC_OPTIONAL)
QUARTIC_READS(w[3], QUARTIC_GIVEN | QUARTIC_OPTIONAL)
QUARTIC_WRITES(y[0], QUARTIC_OUTPUT(0))
QUARTIC_WRITES(y[1], QUARTIC_OUTPUT(1) | QUARTIC_OPTIONAL)
QUARTIC_WRITES(y[2], QUARTIC_OUTPUT(2) | QUARTIC_OPTIONAL)
QUARTIC_WRITES(y[3], QUARTIC_OUTPUT(3) | QUARTIC_OPTIONAL)
QUARTIC_OPERANDS_END(row_linear)
