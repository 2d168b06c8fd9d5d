/* triple_terms.args.h: terms (unit, i, j) = (lse, g . result); g, result (b, i, j, heads, width) and lse (b,
 * i, j, heads) contiguous; for an edge that sees one pair only (lse, LONE). mask (b, n). count = units * n *
 * n. */
#include "lib/args.h"
QUARTIC_ARGS(triple_terms, QUARTIC_FLOATS g; QUARTIC_FLOATS result; QUARTIC_FLOATS lse; QUARTIC_INTS mask;
             QUARTIC_FLOATS terms; uint32_t n; uint32_t heads; uint32_t width; uint32_t count;)
QUARTIC_OPERANDS(triple_terms)
QUARTIC_READS(g, QUARTIC_INPUT(10))
QUARTIC_READS(result, QUARTIC_INPUT(8))
QUARTIC_READS(lse, QUARTIC_INPUT(9))
QUARTIC_READS(mask, QUARTIC_INPUT(7) | QUARTIC_OPTIONAL)
QUARTIC_WRITES(terms, QUARTIC_SCRATCH)
QUARTIC_OPERANDS_END(triple_terms)
