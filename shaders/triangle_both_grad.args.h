/* triangle_both_grad.args.h: dx (own, l) = dx_factor * sum over the other node of ds * y and dxv = sum of
 * A * g * yv, for x = q or k. x, xv packed (unit, own, l); y, yv packed (unit, other, l); g, terms packed
 * (unit, i, j), their strides of own and other in rows; dx, dxv contiguous, their strides of own and l in
 * elements. */
#include "lib/args.h"
QUARTIC_ARGS(triangle_both_grad, QUARTIC_FLOATS x; QUARTIC_FLOATS xv; QUARTIC_FLOATS y; QUARTIC_FLOATS yv;
             QUARTIC_FLOATS g; QUARTIC_FLOATS terms; QUARTIC_INTS mask; QUARTIC_FLOATS dx; QUARTIC_FLOATS dxv;
             uint32_t n; uint32_t heads; uint32_t width; uint32_t units; uint32_t g_own; uint32_t g_other;
             uint32_t dx_own; uint32_t dx_pivot; float dx_factor;)
QUARTIC_OPERANDS(triangle_both_grad)
QUARTIC_READS(x, QUARTIC_SCRATCH)
QUARTIC_READS(xv, QUARTIC_SCRATCH)
QUARTIC_READS(y, QUARTIC_SCRATCH)
QUARTIC_READS(yv, QUARTIC_SCRATCH)
QUARTIC_READS(g, QUARTIC_SCRATCH)
QUARTIC_READS(terms, QUARTIC_SCRATCH)
QUARTIC_READS(mask, QUARTIC_INPUT(5) | QUARTIC_OPTIONAL)
QUARTIC_WRITES(dx, QUARTIC_GIVEN)
QUARTIC_WRITES(dxv, QUARTIC_GIVEN)
QUARTIC_OPERANDS_END(triangle_both_grad)
