/* fill.args.h: every 32-bit word of target (count) = bits. */
#include "lib/args.h"
QUARTIC_ARGS(fill, QUARTIC_INTS target; uint32_t count; int32_t bits;)
