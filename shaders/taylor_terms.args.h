/* taylor_terms.args.h: for each of `count` rows (b, r, c, h): terms (count, 2) = (1 / z, D). */
#include "lib/args.h"
QUARTIC_ARGS(taylor_terms, QUARTIC_FLOATS g; QUARTIC_FLOATS result; QUARTIC_FLOATS z; QUARTIC_FLOATS terms;
             uint32_t count; uint32_t width;)
QUARTIC_OPERANDS(taylor_terms)
QUARTIC_READS(g, QUARTIC_INPUT(6))
QUARTIC_READS(result, QUARTIC_INPUT(4))
QUARTIC_READS(z, QUARTIC_INPUT(5))
QUARTIC_WRITES(terms, QUARTIC_SCRATCH)
QUARTIC_OPERANDS_END(taylor_terms)
