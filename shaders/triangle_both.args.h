/* triangle_both.args.h: result and lse of edges (first, second) = (i, j), contiguous (b, i, j, heads, width).
 * x, xv = q, v packed (unit, i, l); y, yv = k, v2 packed (unit, j, l). */
#include "lib/args.h"
QUARTIC_ARGS(triangle_both, QUARTIC_FLOATS x; QUARTIC_FLOATS xv; QUARTIC_FLOATS y; QUARTIC_FLOATS yv;
             QUARTIC_INTS mask; QUARTIC_FLOATS result; QUARTIC_FLOATS lse; uint32_t n; uint32_t heads;
             uint32_t width; uint32_t units;)
