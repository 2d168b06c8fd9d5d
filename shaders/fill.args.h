/* fill.args.h: every 32-bit word of target (count) = bits. */
#include "lib/args.h"
QUARTIC_ARGS(fill, QUARTIC_INTS target; uint32_t count; int32_t bits;)
QUARTIC_OPERANDS(fill)
QUARTIC_WRITES(target, QUARTIC_OUTPUT(0))
QUARTIC_OPERANDS_END(fill)
