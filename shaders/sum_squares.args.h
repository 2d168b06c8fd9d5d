/* sum_squares.args.h: result (groups) = each workgroup's share of the sum over x (count). */
#include "lib/args.h"
QUARTIC_ARGS(sum_squares, QUARTIC_FLOATS x; QUARTIC_FLOATS result; uint32_t count; uint32_t groups;)
QUARTIC_OPERANDS(sum_squares)
QUARTIC_READS(x, QUARTIC_GIVEN)
QUARTIC_WRITES(result, QUARTIC_GIVEN)
QUARTIC_OPERANDS_END(sum_squares)
