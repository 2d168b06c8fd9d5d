/* unary_grad.args.h: dx[i] = g[..] f'(x) over dx's row-major order, with f'(x) computed from s[..], which is
 * x or f(x); strides in elements, axes fastest last; divide: src/ops/strided.h. */
#include "lib/args.h"
QUARTIC_ARGS(unary_grad, QUARTIC_FLOATS g; QUARTIC_FLOATS s; QUARTIC_FLOATS result; uint32_t count;
             uint32_t rank; uint32_t dims[6]; int32_t g_strides[6]; int32_t s_strides[6]; uint32_t divide[6];)
QUARTIC_OPERANDS(unary_grad)
QUARTIC_READS(g, QUARTIC_INPUT(0))
QUARTIC_READS(s, QUARTIC_INPUT(1))
QUARTIC_WRITES(result, QUARTIC_OUTPUT(0))
QUARTIC_OPERANDS_END(unary_grad)
