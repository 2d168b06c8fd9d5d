/* taylor_quadratic.args.h: out and z of the quadratic form. Strides of batch, other, position and head in
 * elements; result (b, r, c, h, dv) and z (b, r, c, h) are contiguous. */
#include "lib/args.h"
QUARTIC_ARGS(taylor_quadratic, QUARTIC_FLOATS q; QUARTIC_FLOATS k; QUARTIC_FLOATS v; QUARTIC_INTS mask;
             QUARTIC_FLOATS result; QUARTIC_FLOATS z; int32_t q_strides[4]; int32_t k_strides[4];
             int32_t v_strides[4]; uint32_t tokens; uint32_t others; uint32_t heads; uint32_t units;)
QUARTIC_OPERANDS(taylor_quadratic)
QUARTIC_READS(q, QUARTIC_INPUT(0))
QUARTIC_READS(k, QUARTIC_INPUT(1))
QUARTIC_READS(v, QUARTIC_INPUT(2))
QUARTIC_READS(mask, QUARTIC_INPUT(3) | QUARTIC_OPTIONAL)
QUARTIC_WRITES(result, QUARTIC_OUTPUT(0))
QUARTIC_WRITES(z, QUARTIC_OUTPUT(1))
QUARTIC_OPERANDS_END(taylor_quadratic)
