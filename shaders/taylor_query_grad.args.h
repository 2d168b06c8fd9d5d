/* taylor_query_grad.args.h: dq of the quadratic form. g (b, r, c, h, dv), terms (b, r, c, h, 2) and dq are
 * contiguous. */
#include "lib/args.h"
QUARTIC_ARGS(taylor_query_grad, QUARTIC_FLOATS q; QUARTIC_FLOATS k; QUARTIC_FLOATS v; QUARTIC_INTS mask;
             QUARTIC_FLOATS g; QUARTIC_FLOATS terms; QUARTIC_FLOATS dq; int32_t q_strides[4];
             int32_t k_strides[4]; int32_t v_strides[4]; uint32_t tokens; uint32_t others; uint32_t heads;
             uint32_t units;)
