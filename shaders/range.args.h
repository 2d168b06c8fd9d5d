/* range.args.h: result[k] = start + k * step for k < count. */
#include "lib/args.h"
QUARTIC_ARGS(range, QUARTIC_FLOATS result; uint32_t count; float start; float step;)
QUARTIC_OPERANDS(range)
QUARTIC_WRITES(result, QUARTIC_OUTPUT(0))
QUARTIC_OPERANDS_END(range)
