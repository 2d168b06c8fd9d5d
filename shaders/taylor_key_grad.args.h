/* taylor_key_grad.args.h: dk and dv of the quadratic form. g (b, r, c, h, dv), terms (b, r, c, h, 2), dk and
 * dv are contiguous. */
#include "lib/args.h"
QUARTIC_ARGS(taylor_key_grad, QUARTIC_FLOATS q; QUARTIC_FLOATS k; QUARTIC_FLOATS v; QUARTIC_INTS mask;
             QUARTIC_FLOATS g; QUARTIC_FLOATS terms; QUARTIC_FLOATS dk; QUARTIC_FLOATS dv;
             int32_t q_strides[4]; int32_t k_strides[4]; int32_t v_strides[4]; uint32_t tokens;
             uint32_t others; uint32_t heads; uint32_t units;)
QUARTIC_OPERANDS(taylor_key_grad)
QUARTIC_READS(q, QUARTIC_INPUT(0))
QUARTIC_READS(k, QUARTIC_INPUT(1))
QUARTIC_READS(v, QUARTIC_INPUT(2))
QUARTIC_READS(mask, QUARTIC_INPUT(3) | QUARTIC_OPTIONAL)
QUARTIC_READS(g, QUARTIC_INPUT(6))
QUARTIC_READS(terms, QUARTIC_SCRATCH)
QUARTIC_WRITES(dk, QUARTIC_OUTPUT(1))
QUARTIC_WRITES(dv, QUARTIC_OUTPUT(2))
QUARTIC_OPERANDS_END(taylor_key_grad)
