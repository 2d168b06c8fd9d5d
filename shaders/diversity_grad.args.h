/* diversity_grad.args.h: dp (b, streams * heads, queries, keys), the shape of p, from g (b, queries): the
 * outer choices begin .. end - 1, added to dp unless begin is 0. */
#include "lib/args.h"
QUARTIC_ARGS(diversity_grad, QUARTIC_FLOATS p; QUARTIC_FLOATS g; QUARTIC_FLOATS dp; uint32_t elements;
             uint32_t queries; uint32_t keys; uint32_t begin; uint32_t end; float factor;)
QUARTIC_OPERANDS(diversity_grad)
QUARTIC_READS(p, QUARTIC_INPUT(0))
QUARTIC_READS(g, QUARTIC_INPUT(1))
QUARTIC_UPDATES(dp, QUARTIC_OUTPUT(0))
QUARTIC_OPERANDS_END(diversity_grad)
