/* scatter_add_rows.args.h: base (b, m, width) or 0, rows (b, k, width), indices (b, k), and for each graph
 * whether they descend anywhere (b), to result (b, m, width); count: elements of the result. */
#include "lib/args.h"
QUARTIC_ARGS(scatter_add_rows, QUARTIC_FLOATS base; QUARTIC_FLOATS rows; QUARTIC_INTS indices;
             QUARTIC_INTS descends; QUARTIC_FLOATS result; uint32_t count; uint32_t m; uint32_t k;
             uint32_t width;)
QUARTIC_OPERANDS(scatter_add_rows)
QUARTIC_READS(base, QUARTIC_INPUT(0) | QUARTIC_OPTIONAL)
QUARTIC_READS(rows, QUARTIC_INPUT(1))
QUARTIC_READS(indices, QUARTIC_INPUT(2))
QUARTIC_READS(descends, QUARTIC_SCRATCH)
QUARTIC_WRITES(result, QUARTIC_OUTPUT(0))
QUARTIC_OPERANDS_END(scatter_add_rows)
