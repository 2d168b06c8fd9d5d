/* embedding.args.h: result[t, :] = table[indices[t], :], table (rows, width); zeros for an index out of
 * range. */
#include "lib/args.h"
QUARTIC_ARGS(embedding, QUARTIC_FLOATS table; QUARTIC_INTS indices; QUARTIC_FLOATS result; uint32_t count;
             uint32_t rows; uint32_t width;)
QUARTIC_OPERANDS(embedding)
QUARTIC_READS(table, QUARTIC_INPUT(0))
QUARTIC_READS(indices, QUARTIC_INPUT(1))
QUARTIC_WRITES(result, QUARTIC_OUTPUT(0))
QUARTIC_OPERANDS_END(embedding)
