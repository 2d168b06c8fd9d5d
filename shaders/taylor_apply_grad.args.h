/* taylor_apply_grad.args.h: gradients of the linear form: for queries x = q, y = g, dx = dq; for keys x = k,
 * y = v, dx = dk, dy = dv. Spans and states as in taylor_apply.args.h; dx and dy are contiguous. */
#include "lib/args.h"
QUARTIC_ARGS(taylor_apply_grad, QUARTIC_FLOATS x; QUARTIC_FLOATS y; QUARTIC_INTS mask; QUARTIC_FLOATS terms;
             QUARTIC_FLOATS state; QUARTIC_FLOATS dx; QUARTIC_FLOATS dy; int32_t x_strides[4];
             int32_t y_strides[4]; uint32_t tokens; uint32_t others; uint32_t heads; uint32_t first_unit;
             uint32_t unit_count; uint32_t parts; uint32_t span;)
QUARTIC_OPERANDS(taylor_apply_grad)
QUARTIC_READS(x, QUARTIC_GIVEN)
QUARTIC_READS(y, QUARTIC_GIVEN)
QUARTIC_READS(mask, QUARTIC_INPUT(3) | QUARTIC_OPTIONAL)
QUARTIC_READS(terms, QUARTIC_SCRATCH | QUARTIC_OPTIONAL)
QUARTIC_READS(state, QUARTIC_SCRATCH)
QUARTIC_WRITES(dx, QUARTIC_GIVEN)
QUARTIC_WRITES(dy, QUARTIC_GIVEN | QUARTIC_OPTIONAL)
QUARTIC_OPERANDS_END(taylor_apply_grad)
