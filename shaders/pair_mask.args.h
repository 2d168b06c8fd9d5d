/* pair_mask.args.h: mask (b, n), if there is one, to result (b, n, n); count: elements of the result. */
#include "lib/args.h"
QUARTIC_ARGS(pair_mask, QUARTIC_INTS mask; QUARTIC_INTS result; uint32_t count; uint32_t nodes;)
QUARTIC_OPERANDS(pair_mask)
QUARTIC_READS(mask, QUARTIC_INPUT(0) | QUARTIC_OPTIONAL)
QUARTIC_WRITES(result, QUARTIC_OUTPUT(0))
QUARTIC_OPERANDS_END(pair_mask)
