/* edge_keep.args.h: result = x (b, n, n, width), zeros at edges that mask (b, n) or the kept triangle leaves
 * out. */
#include "lib/args.h"
QUARTIC_ARGS(edge_keep, QUARTIC_FLOATS x; QUARTIC_INTS mask; QUARTIC_FLOATS result; uint32_t count;
             uint32_t n; uint32_t width;)
QUARTIC_OPERANDS(edge_keep)
QUARTIC_READS(x, QUARTIC_INPUT(0))
QUARTIC_READS(mask, QUARTIC_INPUT(1) | QUARTIC_OPTIONAL)
QUARTIC_WRITES(result, QUARTIC_OUTPUT(0))
QUARTIC_OPERANDS_END(edge_keep)
