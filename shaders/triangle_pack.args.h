/* triangle_pack.args.h: packed (unit, first, second, lanes) = factor * x, zeros where a lane is not below
 * width. Strides of x: batch, first, second, head, component. lanes: 4 QUADS, or 1. */
#include "lib/args.h"
QUARTIC_ARGS(triangle_pack, QUARTIC_FLOATS x; QUARTIC_FLOATS packed; int32_t strides[5]; uint32_t n;
             uint32_t heads; uint32_t width; uint32_t lanes; uint32_t count; float factor;)
QUARTIC_OPERANDS(triangle_pack)
QUARTIC_READS(x, QUARTIC_GIVEN)
QUARTIC_WRITES(packed, QUARTIC_SCRATCH)
QUARTIC_OPERANDS_END(triangle_pack)
