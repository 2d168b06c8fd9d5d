/* triple_row_grad.args.h: dx (own, row) = factor * sum over the other node and the columns of ds * K and, where
 * wanted, dxv = sum of A * g * w. x, y, u or w packed (unit, own, pivot), the others of each pair (unit,
 * other, pivot): see the shader. g, terms packed (unit, i, j); bias packed (unit, row, column). dx, dxv
 * contiguous (b, n, n, heads, width). */
#include "lib/args.h"
QUARTIC_ARGS(triple_row_grad, QUARTIC_FLOATS x; QUARTIC_FLOATS x2; QUARTIC_FLOATS y; QUARTIC_FLOATS y2;
             QUARTIC_FLOATS u; QUARTIC_FLOATS w; QUARTIC_FLOATS g; QUARTIC_FLOATS terms; QUARTIC_FLOATS bias;
             QUARTIC_INTS mask; QUARTIC_FLOATS dx; QUARTIC_FLOATS dxv; uint32_t n; uint32_t heads;
             uint32_t width; uint32_t units; float factor;)
QUARTIC_OPERANDS(triple_row_grad)
QUARTIC_READS(x, QUARTIC_SCRATCH)
QUARTIC_READS(x2, QUARTIC_SCRATCH)
QUARTIC_READS(y, QUARTIC_SCRATCH)
QUARTIC_READS(y2, QUARTIC_SCRATCH)
QUARTIC_READS(u, QUARTIC_SCRATCH)
QUARTIC_READS(w, QUARTIC_SCRATCH)
QUARTIC_READS(g, QUARTIC_SCRATCH)
QUARTIC_READS(terms, QUARTIC_SCRATCH)
QUARTIC_READS(bias, QUARTIC_SCRATCH)
QUARTIC_READS(mask, QUARTIC_INPUT(7) | QUARTIC_OPTIONAL)
QUARTIC_WRITES(dx, QUARTIC_GIVEN)
QUARTIC_WRITES(dxv, QUARTIC_GIVEN | QUARTIC_OPTIONAL)
QUARTIC_OPERANDS_END(triple_row_grad)
