/* stream_feedforward.args.h: y (b, h, positions) = x + W2 gelu(W1 t); scale (h), w1 (hidden, h), w2 (h,
 * hidden). tiles: of one batch; groups = b * tiles. */
#include "lib/args.h"
QUARTIC_ARGS(stream_feedforward, QUARTIC_FLOATS x; QUARTIC_FLOATS scale; QUARTIC_FLOATS w1; QUARTIC_FLOATS w2;
             QUARTIC_FLOATS y; uint32_t positions; uint32_t tiles; uint32_t groups; uint32_t hidden;
             float eps;)
QUARTIC_OPERANDS(stream_feedforward)
QUARTIC_READS(x, QUARTIC_INPUT(0))
QUARTIC_READS(scale, QUARTIC_INPUT(1))
QUARTIC_READS(w1, QUARTIC_INPUT(2))
QUARTIC_READS(w2, QUARTIC_INPUT(3))
QUARTIC_WRITES(y, QUARTIC_OUTPUT(0))
QUARTIC_OPERANDS_END(stream_feedforward)
