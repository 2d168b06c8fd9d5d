/* triangle_terms.args.h: terms (unit, first, second) = (lse, g . result); g, result (b, i, j, heads, width)
 * and lse (b, i, j, heads) contiguous; for an edge that sees one pivot only (lse, LONE). mask (b, n). count =
 * units * n * n; first is j if turned, else i. */
#include "lib/args.h"
QUARTIC_ARGS(triangle_terms, QUARTIC_FLOATS g; QUARTIC_FLOATS result; QUARTIC_FLOATS lse; QUARTIC_INTS mask;
             QUARTIC_FLOATS terms; uint32_t n; uint32_t heads; uint32_t width; uint32_t turned;
             uint32_t count;)
