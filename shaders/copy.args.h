/* copy.args.h: result[..] = x[..] over the row-major order of dims, both strided; values are moved as bits; divide:
 * src/ops/strided.h. */
#include "lib/args.h"
QUARTIC_ARGS(copy, QUARTIC_INTS x; QUARTIC_INTS result; uint32_t count; uint32_t rank; uint32_t dims[6];
             int32_t in_strides[6]; int32_t out_strides[6]; uint32_t divide[6];)
QUARTIC_OPERANDS(copy)
QUARTIC_READS(x, QUARTIC_GIVEN)
QUARTIC_WRITES(result, QUARTIC_OUTPUT(0) | QUARTIC_PART)
QUARTIC_OPERANDS_END(copy)
