/* stream_feedforward_grad.args.h: dx (b, h, positions) from x and dy of that shape; the rest as in
 * stream_feedforward.args.h. */
#include "lib/args.h"
QUARTIC_ARGS(stream_feedforward_grad, QUARTIC_FLOATS x; QUARTIC_FLOATS scale; QUARTIC_FLOATS w1;
             QUARTIC_FLOATS w2; QUARTIC_FLOATS dy; QUARTIC_FLOATS dx; uint32_t positions; uint32_t tiles;
             uint32_t groups; uint32_t hidden; float eps;)
QUARTIC_OPERANDS(stream_feedforward_grad)
QUARTIC_READS(x, QUARTIC_INPUT(0))
QUARTIC_READS(scale, QUARTIC_INPUT(1))
QUARTIC_READS(w1, QUARTIC_INPUT(2))
QUARTIC_READS(w2, QUARTIC_INPUT(3))
QUARTIC_READS(dy, QUARTIC_INPUT(4))
QUARTIC_WRITES(dx, QUARTIC_OUTPUT(0))
QUARTIC_OPERANDS_END(stream_feedforward_grad)
