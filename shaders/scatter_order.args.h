/* scatter_order.args.h: indices (graphs, k) to descends (graphs): 1 where an index is less than the one
 * before it, else 0. */
#include "lib/args.h"
QUARTIC_ARGS(scatter_order, QUARTIC_INTS indices; QUARTIC_INTS descends; uint32_t graphs; uint32_t k;)
QUARTIC_OPERANDS(scatter_order)
QUARTIC_READS(indices, QUARTIC_INPUT(2))
QUARTIC_WRITES(descends, QUARTIC_SCRATCH)
QUARTIC_OPERANDS_END(scatter_order)
