/* gate_grad.args.h: of y = x * sigmoid(gates): dx (b, n, H, d), dgates (b, n, H) and y (b, n, H, d) again, from dy (b,
 * n, H, d); x with strides. extents: n, H, d. */
#include "lib/args.h"
QUARTIC_ARGS(gate_grad, QUARTIC_FLOATS x; QUARTIC_FLOATS gates; QUARTIC_FLOATS dy; QUARTIC_FLOATS dx;
             QUARTIC_FLOATS dgates; QUARTIC_FLOATS y; uint32_t rows; uint32_t extents[3]; int32_t strides[4];)
QUARTIC_OPERANDS(gate_grad)
QUARTIC_READS(x, QUARTIC_INPUT(0))
QUARTIC_READS(gates, QUARTIC_INPUT(1))
QUARTIC_READS(dy, QUARTIC_INPUT(2))
QUARTIC_WRITES(dx, QUARTIC_GIVEN | QUARTIC_OPTIONAL)
QUARTIC_WRITES(dgates, QUARTIC_GIVEN | QUARTIC_OPTIONAL)
QUARTIC_WRITES(y, QUARTIC_GIVEN | QUARTIC_OPTIONAL)
QUARTIC_OPERANDS_END(gate_grad)
