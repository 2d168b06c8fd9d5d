/* binary.args.h: out[i] = f(a[..], b[..]) in row-major order of out; strides in elements, fastest last; divide:
 * src/ops/strided.h. */
#include "lib/args.h"
QUARTIC_ARGS(binary, QUARTIC_FLOATS a; QUARTIC_FLOATS b; QUARTIC_FLOATS result; uint32_t count; uint32_t rank;
             uint32_t dims[6]; int32_t a_strides[6]; int32_t b_strides[6]; uint32_t divide[6];)
QUARTIC_OPERANDS(binary)
QUARTIC_READS(a, QUARTIC_INPUT(0))
QUARTIC_READS(b, QUARTIC_INPUT(1))
QUARTIC_WRITES(result, QUARTIC_OUTPUT(0))
QUARTIC_OPERANDS_END(binary)
