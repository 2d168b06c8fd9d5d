/* triangle_both.args.h: result and lse of edges (first, second) = (i, j), contiguous (b, i, j, heads, width).
 * x, xv = q, v packed (unit, i, l); y, yv = k, v2 packed (unit, j, l). */
#include "lib/args.h"
QUARTIC_ARGS(triangle_both, QUARTIC_FLOATS x; QUARTIC_FLOATS xv; QUARTIC_FLOATS y; QUARTIC_FLOATS yv;
             QUARTIC_INTS mask; QUARTIC_FLOATS result; QUARTIC_FLOATS lse; uint32_t n; uint32_t heads;
             uint32_t width; uint32_t units;)
QUARTIC_OPERANDS(triangle_both)
QUARTIC_READS(x, QUARTIC_SCRATCH)
QUARTIC_READS(xv, QUARTIC_SCRATCH)
QUARTIC_READS(y, QUARTIC_SCRATCH)
QUARTIC_READS(yv, QUARTIC_SCRATCH)
QUARTIC_READS(mask, QUARTIC_INPUT(5) | QUARTIC_OPTIONAL)
QUARTIC_WRITES(result, QUARTIC_OUTPUT(0))
QUARTIC_WRITES(lse, QUARTIC_OUTPUT(1))
QUARTIC_OPERANDS_END(triangle_both)
