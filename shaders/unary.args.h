/* unary.args.h: out[i] = f(x[..]) over out's row-major order; strides in elements, axes fastest last;
 * divide: src/ops/strided.h. */
#include "lib/args.h"
QUARTIC_ARGS(unary, QUARTIC_FLOATS x; QUARTIC_FLOATS result; uint32_t count; uint32_t rank; float factor;
             float offset; uint32_t dims[6]; int32_t strides[6]; uint32_t divide[6];)
QUARTIC_OPERANDS(unary)
QUARTIC_READS(x, QUARTIC_INPUT(0))
QUARTIC_WRITES(result, QUARTIC_OUTPUT(0))
QUARTIC_OPERANDS_END(unary)
