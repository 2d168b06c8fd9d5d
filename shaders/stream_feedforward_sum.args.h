/* stream_feedforward_sum.args.h: dscale (h), dw1 (hidden, h) and dw2 (h, hidden) from partial (splits, 2, h,
 * hidden).
 */
#include "lib/args.h"
QUARTIC_ARGS(stream_feedforward_sum, QUARTIC_FLOATS partial; QUARTIC_FLOATS scale; QUARTIC_FLOATS w1;
             QUARTIC_FLOATS dscale; QUARTIC_FLOATS dw1; QUARTIC_FLOATS dw2; uint32_t heads; uint32_t hidden;
             uint32_t splits;)
QUARTIC_OPERANDS(stream_feedforward_sum)
QUARTIC_READS(partial, QUARTIC_SCRATCH)
QUARTIC_READS(scale, QUARTIC_INPUT(1))
QUARTIC_READS(w1, QUARTIC_INPUT(2))
QUARTIC_WRITES(dscale, QUARTIC_GIVEN)
QUARTIC_WRITES(dw1, QUARTIC_GIVEN)
QUARTIC_WRITES(dw2, QUARTIC_GIVEN)
QUARTIC_OPERANDS_END(stream_feedforward_sum)
