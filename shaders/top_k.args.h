/* top_k.args.h: scores (rows, m) to indices (rows, k), ascending, row r of a graph of `groups` rows counting
 * its indices from r m; counts (graphs) and positions (rows, k), where COUNTED
 * says so; mask see lib/routing.glsl. */
#include "lib/args.h"
QUARTIC_ARGS(top_k, QUARTIC_FLOATS scores; QUARTIC_INTS mask; QUARTIC_INTS result; QUARTIC_INTS counts;
             QUARTIC_INTS positions; uint32_t rows; uint32_t groups; uint32_t m; uint32_t extent; uint32_t k;)
QUARTIC_OPERANDS(top_k)
QUARTIC_READS(scores, QUARTIC_INPUT(0))
QUARTIC_READS(mask, QUARTIC_INPUT(1) | QUARTIC_OPTIONAL)
QUARTIC_WRITES(result, QUARTIC_OUTPUT(0))
QUARTIC_READS(counts, QUARTIC_INPUT(2) | QUARTIC_OPTIONAL)
QUARTIC_WRITES(positions, QUARTIC_OUTPUT(1) | QUARTIC_OPTIONAL)
QUARTIC_OPERANDS_END(top_k)
