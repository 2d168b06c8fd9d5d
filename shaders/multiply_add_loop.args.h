/* multiply_add_loop.args.h: y[i] = x[i] taken `count` times through y * factor + offset, for i < elements. */
#include "lib/args.h"
QUARTIC_ARGS(multiply_add_loop, QUARTIC_FLOATS x; QUARTIC_FLOATS y; uint32_t elements; uint32_t count;
             float factor; float offset;)
QUARTIC_OPERANDS(multiply_add_loop)
QUARTIC_READS(x, QUARTIC_INPUT(0))
QUARTIC_WRITES(y, QUARTIC_OUTPUT(0))
QUARTIC_OPERANDS_END(multiply_add_loop)
