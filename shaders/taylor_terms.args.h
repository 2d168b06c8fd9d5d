/* taylor_terms.args.h: for each of `count` rows (b, r, c, h): terms (count, 2) = (1 / z, D). */
#include "lib/args.h"
QUARTIC_ARGS(taylor_terms, QUARTIC_FLOATS g; QUARTIC_FLOATS result; QUARTIC_FLOATS z; QUARTIC_FLOATS terms;
             uint32_t count; uint32_t width;)
