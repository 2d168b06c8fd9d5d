/* stream_feedforward_weights.args.h: partial (splits, 2, h, hidden): sums of d xhat^T and of dy a^T over the
 * tiles_of_one tiles of a split. all_tiles = b * tiles; groups = unit_groups * splits. */
#include "lib/args.h"
QUARTIC_ARGS(stream_feedforward_weights, QUARTIC_FLOATS x; QUARTIC_FLOATS scale; QUARTIC_FLOATS w1;
             QUARTIC_FLOATS w2; QUARTIC_FLOATS dy; QUARTIC_FLOATS partial; uint32_t positions; uint32_t tiles;
             uint32_t all_tiles; uint32_t tiles_of_one; uint32_t unit_groups; uint32_t groups;
             uint32_t hidden; float eps;)
QUARTIC_OPERANDS(stream_feedforward_weights)
QUARTIC_READS(x, QUARTIC_INPUT(0))
QUARTIC_READS(scale, QUARTIC_INPUT(1))
QUARTIC_READS(w1, QUARTIC_INPUT(2))
QUARTIC_READS(w2, QUARTIC_INPUT(3))
QUARTIC_READS(dy, QUARTIC_INPUT(4))
QUARTIC_WRITES(partial, QUARTIC_SCRATCH)
QUARTIC_OPERANDS_END(stream_feedforward_weights)
