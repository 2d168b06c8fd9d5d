/* edge_keep.args.h: result = x (b, n, n, width), zeros at edges that mask (b, n) or the kept triangle leaves
 * out. */
#include "lib/args.h"
QUARTIC_ARGS(edge_keep, QUARTIC_FLOATS x; QUARTIC_INTS mask; QUARTIC_FLOATS result; uint32_t count;
             uint32_t n; uint32_t width;)
