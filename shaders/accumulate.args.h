/* accumulate.args.h: target (count) += factor * x (count). */
#include "lib/args.h"
QUARTIC_ARGS(accumulate, QUARTIC_FLOATS target; QUARTIC_FLOATS x; uint32_t count; float factor;)
QUARTIC_OPERANDS(accumulate)
QUARTIC_UPDATES(target, QUARTIC_OUTPUT(0))
QUARTIC_READS(x, QUARTIC_INPUT(1))
QUARTIC_OPERANDS_END(accumulate)
