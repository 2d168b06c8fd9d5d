/* top_k.args.h: scores (rows, m) to indices (rows, k), ascending, row r of a graph of `groups` rows counting
 * its indices from r m; counts (graphs) and positions (rows, k), or address 0; mask see lib/routing.glsl. */
#include "lib/args.h"
QUARTIC_ARGS(top_k, QUARTIC_FLOATS scores; QUARTIC_INTS mask; QUARTIC_INTS result; QUARTIC_INTS counts;
             QUARTIC_INTS positions; uint32_t rows; uint32_t groups; uint32_t m; uint32_t extent; uint32_t k;)
