/* triangle_key_grad.args.h: dk, dv of edges (first, l), contiguous as in triangle_rows.args.h. q, k, v, g
 * packed (unit, first, p or l); terms packed (unit, first, p); bias packed (unit, p, l). */
#include "lib/args.h"
QUARTIC_ARGS(triangle_key_grad, QUARTIC_FLOATS q; QUARTIC_FLOATS k; QUARTIC_FLOATS v; QUARTIC_FLOATS g;
             QUARTIC_FLOATS terms; QUARTIC_FLOATS bias; QUARTIC_INTS mask; QUARTIC_FLOATS dk;
             QUARTIC_FLOATS dv; uint32_t n; uint32_t heads; uint32_t width; uint32_t units;
             uint32_t edge_first; uint32_t edge_second;)
QUARTIC_OPERANDS(triangle_key_grad)
QUARTIC_READS(q, QUARTIC_SCRATCH)
QUARTIC_READS(k, QUARTIC_SCRATCH)
QUARTIC_READS(v, QUARTIC_SCRATCH)
QUARTIC_READS(g, QUARTIC_SCRATCH)
QUARTIC_READS(terms, QUARTIC_SCRATCH)
QUARTIC_READS(bias, QUARTIC_SCRATCH | QUARTIC_OPTIONAL)
QUARTIC_READS(mask, QUARTIC_INPUT(5) | QUARTIC_OPTIONAL)
QUARTIC_WRITES(dk, QUARTIC_OUTPUT(1))
QUARTIC_WRITES(dv, QUARTIC_OUTPUT(2))
QUARTIC_OPERANDS_END(triangle_key_grad)
