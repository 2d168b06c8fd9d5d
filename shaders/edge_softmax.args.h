/* edge_softmax.args.h: strides of batch, token, head and component in elements; result (b, m, h, d) and lse
 * (b, m, h) are contiguous; sight: lib/edge_sight.glsl. */
#include "lib/args.h"
QUARTIC_ARGS(edge_softmax, QUARTIC_FLOATS q; QUARTIC_FLOATS k; QUARTIC_FLOATS v; QUARTIC_INTS sight;
             QUARTIC_FLOATS result; QUARTIC_FLOATS lse; int32_t q_strides[4]; int32_t k_strides[4];
             int32_t v_strides[4]; uint32_t tokens; uint32_t heads; uint32_t units;)
QUARTIC_OPERANDS(edge_softmax)
QUARTIC_READS(q, QUARTIC_INPUT(0))
QUARTIC_READS(k, QUARTIC_INPUT(1))
QUARTIC_READS(v, QUARTIC_INPUT(2))
QUARTIC_READS(sight, QUARTIC_SCRATCH)
QUARTIC_WRITES(result, QUARTIC_OUTPUT(0))
QUARTIC_WRITES(lse, QUARTIC_OUTPUT(1))
QUARTIC_OPERANDS_END(edge_softmax)
