/* diversity.args.h: result (splits, rows) from p (b, streams * heads, queries, keys); rows = b * queries. A
 * split has outer_of_one of the `outer` choices of all streams but the last. */
#include "lib/args.h"
QUARTIC_ARGS(diversity, QUARTIC_FLOATS p; QUARTIC_FLOATS result; uint32_t rows; uint32_t queries;
             uint32_t keys; uint32_t outer; uint32_t outer_of_one; uint32_t splits; float factor;)
QUARTIC_OPERANDS(diversity)
QUARTIC_READS(p, QUARTIC_INPUT(0))
QUARTIC_WRITES(result, QUARTIC_GIVEN)
QUARTIC_OPERANDS_END(diversity)
