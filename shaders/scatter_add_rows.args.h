/* scatter_add_rows.args.h: base (b, m, width) or 0, rows (b, k, width), indices (b, k), and for each graph
 * whether they descend anywhere (b), to result (b, m, width); count: elements of the result. */
#include "lib/args.h"
QUARTIC_ARGS(scatter_add_rows, QUARTIC_FLOATS base; QUARTIC_FLOATS rows; QUARTIC_INTS indices;
             QUARTIC_INTS descends; QUARTIC_FLOATS result; uint32_t count; uint32_t m; uint32_t k;
             uint32_t width;)
