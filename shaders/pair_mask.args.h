/* pair_mask.args.h: mask (b, n), if there is one, to result (b, n, n); count: elements of the result. */
#include "lib/args.h"
QUARTIC_ARGS(pair_mask, QUARTIC_INTS mask; QUARTIC_INTS result; uint32_t count; uint32_t nodes;)
