/* triple_bias_grad.args.h: partial (splits, b, l, m, heads): sums of ds over all j and over parts of the nodes
 * i, `firsts` each. q, k, v packed (unit, i, pivot), q2, k2, v2 packed (unit, j, pivot); g, terms packed
 * (unit, i, j); bias packed (unit, l, m). */
#include "lib/args.h"
QUARTIC_ARGS(triple_bias_grad, QUARTIC_FLOATS q; QUARTIC_FLOATS q2; QUARTIC_FLOATS k; QUARTIC_FLOATS k2;
             QUARTIC_FLOATS v; QUARTIC_FLOATS v2; QUARTIC_FLOATS g; QUARTIC_FLOATS terms; QUARTIC_FLOATS bias;
             QUARTIC_INTS mask; QUARTIC_FLOATS partial; uint32_t n; uint32_t heads; uint32_t units;
             uint32_t splits; uint32_t firsts;)
QUARTIC_OPERANDS(triple_bias_grad)
QUARTIC_READS(q, QUARTIC_SCRATCH)
QUARTIC_READS(q2, QUARTIC_SCRATCH)
QUARTIC_READS(k, QUARTIC_SCRATCH)
QUARTIC_READS(k2, QUARTIC_SCRATCH)
QUARTIC_READS(v, QUARTIC_SCRATCH)
QUARTIC_READS(v2, QUARTIC_SCRATCH)
QUARTIC_READS(g, QUARTIC_SCRATCH)
QUARTIC_READS(terms, QUARTIC_SCRATCH)
QUARTIC_READS(bias, QUARTIC_SCRATCH)
QUARTIC_READS(mask, QUARTIC_INPUT(7) | QUARTIC_OPTIONAL)
QUARTIC_WRITES(partial, QUARTIC_GIVEN)
QUARTIC_OPERANDS_END(triple_bias_grad)
