/* triple_rows.args.h: result (b, i, j, heads, width) and lse (b, i, j, heads), contiguous. q, k, v packed
 * (unit, i, pivot), q2, k2, v2 packed (unit, j, pivot), bias packed (unit, l, m); the scale is in q and q2. */
#include "lib/args.h"
QUARTIC_ARGS(triple_rows, QUARTIC_FLOATS q; QUARTIC_FLOATS q2; QUARTIC_FLOATS k; QUARTIC_FLOATS k2;
             QUARTIC_FLOATS v; QUARTIC_FLOATS v2; QUARTIC_FLOATS bias; QUARTIC_INTS mask;
             QUARTIC_FLOATS result; QUARTIC_FLOATS lse; uint32_t n; uint32_t heads; uint32_t width;
             uint32_t units;)
QUARTIC_OPERANDS(triple_rows)
QUARTIC_READS(q, QUARTIC_SCRATCH)
QUARTIC_READS(q2, QUARTIC_SCRATCH)
QUARTIC_READS(k, QUARTIC_SCRATCH)
QUARTIC_READS(k2, QUARTIC_SCRATCH)
QUARTIC_READS(v, QUARTIC_SCRATCH)
QUARTIC_READS(v2, QUARTIC_SCRATCH)
QUARTIC_READS(bias, QUARTIC_SCRATCH)
QUARTIC_READS(mask, QUARTIC_INPUT(7) | QUARTIC_OPTIONAL)
QUARTIC_WRITES(result, QUARTIC_OUTPUT(0))
QUARTIC_WRITES(lse, QUARTIC_OUTPUT(1))
QUARTIC_OPERANDS_END(triple_rows)
