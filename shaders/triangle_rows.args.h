/* triangle_rows.args.h: result and lse of edges (first, p), contiguous (b, i, j, heads, width): strides of
 * first and p in nodes. q, k, v packed (unit, first, p or l); bias packed (unit, l, p). */
#include "lib/args.h"
QUARTIC_ARGS(triangle_rows, QUARTIC_FLOATS q; QUARTIC_FLOATS k; QUARTIC_FLOATS v; QUARTIC_FLOATS bias;
             QUARTIC_INTS mask; QUARTIC_FLOATS result; QUARTIC_FLOATS lse; uint32_t n; uint32_t heads;
             uint32_t width; uint32_t units; uint32_t edge_first; uint32_t edge_second;)
QUARTIC_OPERANDS(triangle_rows)
QUARTIC_READS(q, QUARTIC_SCRATCH)
QUARTIC_READS(k, QUARTIC_SCRATCH)
QUARTIC_READS(v, QUARTIC_SCRATCH)
QUARTIC_READS(bias, QUARTIC_SCRATCH | QUARTIC_OPTIONAL)
QUARTIC_READS(mask, QUARTIC_INPUT(5) | QUARTIC_OPTIONAL)
QUARTIC_WRITES(result, QUARTIC_OUTPUT(0))
QUARTIC_WRITES(lse, QUARTIC_OUTPUT(1))
QUARTIC_OPERANDS_END(triangle_rows)
