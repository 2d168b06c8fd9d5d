/* edge_softmax_sight.args.h: positions (b, m) or 0, mask (b, n) or 0; sight: see lib/edge_sight.glsl. */
#include "lib/args.h"
QUARTIC_ARGS(edge_softmax_sight, QUARTIC_INTS positions; QUARTIC_INTS mask; QUARTIC_INTS sight;
             uint32_t batches; uint32_t tokens; uint32_t nodes; uint32_t causal;)
QUARTIC_OPERANDS(edge_softmax_sight)
QUARTIC_READS(positions, QUARTIC_INPUT(3) | QUARTIC_OPTIONAL)
QUARTIC_READS(mask, QUARTIC_INPUT(4) | QUARTIC_OPTIONAL)
QUARTIC_WRITES(sight, QUARTIC_SCRATCH)
QUARTIC_OPERANDS_END(edge_softmax_sight)
