/* triangle_query_grad.args.h: dq of edges (first, p), contiguous as in triangle_rows.args.h. q, k, v, g
 * packed (unit, first, p or l); terms packed (unit, first, p); bias packed (unit, l, p). */
#include "lib/args.h"
QUARTIC_ARGS(triangle_query_grad, QUARTIC_FLOATS q; QUARTIC_FLOATS k; QUARTIC_FLOATS v; QUARTIC_FLOATS g;
             QUARTIC_FLOATS terms; QUARTIC_FLOATS bias; QUARTIC_INTS mask; QUARTIC_FLOATS dq; uint32_t n;
             uint32_t heads; uint32_t width; uint32_t units; uint32_t edge_first; uint32_t edge_second;
             float factor;)
QUARTIC_OPERANDS(triangle_query_grad)
QUARTIC_READS(q, QUARTIC_SCRATCH)
QUARTIC_READS(k, QUARTIC_SCRATCH)
QUARTIC_READS(v, QUARTIC_SCRATCH)
QUARTIC_READS(g, QUARTIC_SCRATCH)
QUARTIC_READS(terms, QUARTIC_SCRATCH)
QUARTIC_READS(bias, QUARTIC_SCRATCH | QUARTIC_OPTIONAL)
QUARTIC_READS(mask, QUARTIC_INPUT(5) | QUARTIC_OPTIONAL)
QUARTIC_WRITES(dq, QUARTIC_OUTPUT(0))
QUARTIC_OPERANDS_END(triangle_query_grad)
