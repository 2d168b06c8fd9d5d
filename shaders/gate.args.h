/* gate.args.h: y (b, n, H, d) = x (b, n, H, d) * sigmoid(gates (b, n, H)); x with strides. dims: b, n, H, d; divide:
 * src/ops/strided.h. */
#include "lib/args.h"
QUARTIC_ARGS(gate, QUARTIC_FLOATS x; QUARTIC_FLOATS gates; QUARTIC_FLOATS y; uint32_t count; uint32_t dims[4];
             int32_t strides[4]; uint32_t divide[6];)
QUARTIC_OPERANDS(gate)
QUARTIC_READS(x, QUARTIC_INPUT(0))
QUARTIC_READS(gates, QUARTIC_INPUT(1))
QUARTIC_WRITES(y, QUARTIC_OUTPUT(0))
QUARTIC_OPERANDS_END(gate)
