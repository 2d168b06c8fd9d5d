/* triangle_rows.args.h: result and lse of edges (first, p), contiguous (b, i, j, heads, width): strides of
 * first and p in nodes. q, k, v packed (unit, first, p or l); bias packed (unit, l, p). */
#include "lib/args.h"
QUARTIC_ARGS(triangle_rows, QUARTIC_FLOATS q; QUARTIC_FLOATS k; QUARTIC_FLOATS v; QUARTIC_FLOATS bias;
             QUARTIC_INTS mask; QUARTIC_FLOATS result; QUARTIC_FLOATS lse; uint32_t n; uint32_t heads;
             uint32_t width; uint32_t units; uint32_t edge_first; uint32_t edge_second;)
