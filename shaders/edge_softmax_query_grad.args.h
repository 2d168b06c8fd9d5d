/* edge_softmax_query_grad.args.h: strides of batch, token, head and component; g, dq (b, m, h, d) and terms
 * (b, m, h, 2) are contiguous. */
#include "lib/args.h"
QUARTIC_ARGS(edge_softmax_query_grad, QUARTIC_FLOATS q; QUARTIC_FLOATS k; QUARTIC_FLOATS v;
             QUARTIC_INTS sight; QUARTIC_FLOATS g; QUARTIC_FLOATS terms; QUARTIC_FLOATS dq;
             int32_t q_strides[4]; int32_t k_strides[4]; int32_t v_strides[4]; uint32_t tokens;
             uint32_t heads; uint32_t units;)
QUARTIC_OPERANDS(edge_softmax_query_grad)
QUARTIC_READS(q, QUARTIC_INPUT(0))
QUARTIC_READS(k, QUARTIC_INPUT(1))
QUARTIC_READS(v, QUARTIC_INPUT(2))
QUARTIC_READS(sight, QUARTIC_SCRATCH)
QUARTIC_READS(g, QUARTIC_INPUT(7))
QUARTIC_READS(terms, QUARTIC_SCRATCH)
QUARTIC_WRITES(dq, QUARTIC_OUTPUT(0))
QUARTIC_OPERANDS_END(edge_softmax_query_grad)
