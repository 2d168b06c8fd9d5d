/* gather_rows.args.h: x (b, m, width), indices (b, k) to result (b, k, width) of `count` elements. */
#include "lib/args.h"
QUARTIC_ARGS(gather_rows, QUARTIC_FLOATS x; QUARTIC_INTS indices; QUARTIC_FLOATS result; uint32_t count;
             uint32_t m; uint32_t k; uint32_t width;)
QUARTIC_OPERANDS(gather_rows)
QUARTIC_READS(x, QUARTIC_INPUT(0))
QUARTIC_READS(indices, QUARTIC_INPUT(1))
QUARTIC_WRITES(result, QUARTIC_OUTPUT(0))
QUARTIC_OPERANDS_END(gather_rows)
