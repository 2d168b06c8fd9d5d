/* embedding.args.h: result[t, :] = table[indices[t], :], table (rows, width); zeros for an index out of
 * range. */
#include "lib/args.h"
QUARTIC_ARGS(embedding, QUARTIC_FLOATS table; QUARTIC_INTS indices; QUARTIC_FLOATS result; uint32_t count;
             uint32_t rows; uint32_t width;)
