/* stream_exchange.args.h: y (b, h, positions) = W x, both contiguous; weight (h, h). tiles: of one batch;
 * groups = b * tiles. */
#include "lib/args.h"
QUARTIC_ARGS(stream_exchange, QUARTIC_FLOATS x; QUARTIC_FLOATS weight; QUARTIC_FLOATS y; uint32_t positions;
             uint32_t tiles; uint32_t groups;)
