/* dropout.args.h: result[i] = 0 where the uniform number i of the stream is below probability, else
 * x[i] * factor; seed holds the low and the high word. */
#include "lib/args.h"
QUARTIC_ARGS(dropout, QUARTIC_FLOATS x; QUARTIC_INTS seed; QUARTIC_FLOATS result; uint32_t count;
             uint32_t stream; float probability; float factor;)
QUARTIC_OPERANDS(dropout)
QUARTIC_READS(x, QUARTIC_INPUT(0))
QUARTIC_READS(seed, QUARTIC_INPUT(1))
QUARTIC_WRITES(result, QUARTIC_OUTPUT(0))
QUARTIC_OPERANDS_END(dropout)
