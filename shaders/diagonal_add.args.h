/* diagonal_add.args.h: result = e (.., n, n, width) with d (.., n, width) added at (i, i). */
#include "lib/args.h"
QUARTIC_ARGS(diagonal_add, QUARTIC_FLOATS e; QUARTIC_FLOATS d; QUARTIC_FLOATS result; uint32_t count;
             uint32_t n; uint32_t width;)
QUARTIC_OPERANDS(diagonal_add)
QUARTIC_READS(e, QUARTIC_INPUT(0))
QUARTIC_READS(d, QUARTIC_INPUT(1))
QUARTIC_WRITES(result, QUARTIC_OUTPUT(0))
QUARTIC_OPERANDS_END(diagonal_add)
