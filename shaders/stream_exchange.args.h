/* stream_exchange.args.h: y (b, h, positions) = W x, both contiguous; weight (h, h). tiles: of one batch;
 * groups = b * tiles. */
#include "lib/args.h"
QUARTIC_ARGS(stream_exchange, QUARTIC_FLOATS x; QUARTIC_FLOATS weight; QUARTIC_FLOATS y; uint32_t positions;
             uint32_t tiles; uint32_t groups;)
QUARTIC_OPERANDS(stream_exchange)
QUARTIC_READS(x, QUARTIC_INPUT(0))
QUARTIC_READS(weight, QUARTIC_INPUT(1))
QUARTIC_WRITES(y, QUARTIC_OUTPUT(0))
QUARTIC_OPERANDS_END(stream_exchange)
