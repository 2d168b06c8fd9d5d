/* copy.args.h: result[..] = x[..] over the row-major order of dims, both strided; values are moved as bits.
 */
#include "lib/args.h"
QUARTIC_ARGS(copy, QUARTIC_INTS x; QUARTIC_INTS result; uint32_t count; uint32_t rank; uint32_t dims[6];
             int32_t in_strides[6]; int32_t out_strides[6];)
