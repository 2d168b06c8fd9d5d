/* pad.args.h: rows of block elements, of which the width from first on come from x, walked in its row-major
 * order (dims, strides), and the others are zero; values are moved as bits. divide, and multiplier and shift that
 * divide by block: src/ops/strided.h. */
#include "lib/args.h"
QUARTIC_ARGS(pad, QUARTIC_INTS x; QUARTIC_INTS result; uint32_t count; uint32_t block; uint32_t first;
             uint32_t width; uint32_t rank; uint32_t dims[6]; int32_t strides[6]; uint32_t divide[6];
             uint32_t block_multiplier; uint32_t block_shift;)
QUARTIC_OPERANDS(pad)
QUARTIC_READS(x, QUARTIC_INPUT(0))
QUARTIC_WRITES(result, QUARTIC_OUTPUT(0))
QUARTIC_OPERANDS_END(pad)
