/* taylor_sum_parts.args.h: state (units, parts, size), size a multiple of 4: part 0 becomes the sum of all parts, in order. */
#include "lib/args.h"
QUARTIC_ARGS(taylor_sum_parts, QUARTIC_FLOATS state; uint32_t count; uint32_t size; uint32_t parts;)
QUARTIC_OPERANDS(taylor_sum_parts)
QUARTIC_UPDATES(state, QUARTIC_SCRATCH)
QUARTIC_OPERANDS_END(taylor_sum_parts)
