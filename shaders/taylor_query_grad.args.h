/* taylor_query_grad.args.h: dq of the quadratic form. g (b, r, c, h, dv), terms (b, r, c, h, 2) and dq are
 * contiguous. */
#include "lib/args.h"
QUARTIC_ARGS(taylor_query_grad, QUARTIC_FLOATS q; QUARTIC_FLOATS k; QUARTIC_FLOATS v; QUARTIC_INTS mask;
             QUARTIC_FLOATS g; QUARTIC_FLOATS terms; QUARTIC_FLOATS dq; int32_t q_strides[4];
             int32_t k_strides[4]; int32_t v_strides[4]; uint32_t tokens; uint32_t others; uint32_t heads;
             uint32_t units;)
QUARTIC_OPERANDS(taylor_query_grad)
QUARTIC_READS(q, QUARTIC_INPUT(0))
QUARTIC_READS(k, QUARTIC_INPUT(1))
QUARTIC_READS(v, QUARTIC_INPUT(2))
QUARTIC_READS(mask, QUARTIC_INPUT(3) | QUARTIC_OPTIONAL)
QUARTIC_READS(g, QUARTIC_INPUT(6))
QUARTIC_READS(terms, QUARTIC_SCRATCH)
QUARTIC_WRITES(dq, QUARTIC_OUTPUT(0))
QUARTIC_OPERANDS_END(taylor_query_grad)
