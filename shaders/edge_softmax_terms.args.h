/* edge_softmax_terms.args.h: terms (rows, 2) = (lse, g . result) for rows of g, result (rows, width). */
#include "lib/args.h"
QUARTIC_ARGS(edge_softmax_terms, QUARTIC_FLOATS g; QUARTIC_FLOATS result; QUARTIC_FLOATS lse;
             QUARTIC_FLOATS terms; uint32_t count; uint32_t width;)
