/* triangle_bias_grad.args.h: partial (splits, b, n, n, heads): sums of ds over parts of the first nodes,
 * `firsts` each; strides of l and p in nodes. q, k, v, g packed (unit, first, p or l); terms packed (unit,
 * first, p); bias packed (unit, l, p). */
#include "lib/args.h"
QUARTIC_ARGS(triangle_bias_grad, QUARTIC_FLOATS q; QUARTIC_FLOATS k; QUARTIC_FLOATS v; QUARTIC_FLOATS g;
             QUARTIC_FLOATS terms; QUARTIC_FLOATS bias; QUARTIC_INTS mask; QUARTIC_FLOATS partial; uint32_t n;
             uint32_t heads; uint32_t units; uint32_t pivot_stride; uint32_t edge_stride; uint32_t splits;
             uint32_t firsts;)
QUARTIC_OPERANDS(triangle_bias_grad)
QUARTIC_READS(q, QUARTIC_SCRATCH)
QUARTIC_READS(k, QUARTIC_SCRATCH)
QUARTIC_READS(v, QUARTIC_SCRATCH)
QUARTIC_READS(g, QUARTIC_SCRATCH)
QUARTIC_READS(terms, QUARTIC_SCRATCH)
QUARTIC_READS(bias, QUARTIC_SCRATCH)
QUARTIC_READS(mask, QUARTIC_INPUT(5) | QUARTIC_OPTIONAL)
QUARTIC_WRITES(partial, QUARTIC_GIVEN)
QUARTIC_OPERANDS_END(triangle_bias_grad)
