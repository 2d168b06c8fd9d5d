/* edge_softmax_key_grad.args.h: strides of batch, token, head and component; g, dk, dv (b, m, h, d) and terms
 * (b, m, h, 2) are contiguous. */
#include "lib/args.h"
QUARTIC_ARGS(edge_softmax_key_grad, QUARTIC_FLOATS q; QUARTIC_FLOATS k; QUARTIC_FLOATS v; QUARTIC_INTS sight;
             QUARTIC_FLOATS g; QUARTIC_FLOATS terms; QUARTIC_FLOATS dk; QUARTIC_FLOATS dv;
             int32_t q_strides[4]; int32_t k_strides[4]; int32_t v_strides[4]; uint32_t tokens;
             uint32_t heads; uint32_t units;)
