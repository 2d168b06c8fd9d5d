/* edge_softmax_terms.args.h: terms (rows, 2) = (lse, g . result) for rows of g, result (rows, width). */
#include "lib/args.h"
QUARTIC_ARGS(edge_softmax_terms, QUARTIC_FLOATS g; QUARTIC_FLOATS result; QUARTIC_FLOATS lse;
             QUARTIC_FLOATS terms; uint32_t count; uint32_t width;)
QUARTIC_OPERANDS(edge_softmax_terms)
QUARTIC_READS(g, QUARTIC_INPUT(7))
QUARTIC_READS(result, QUARTIC_INPUT(5))
QUARTIC_READS(lse, QUARTIC_INPUT(6))
QUARTIC_WRITES(terms, QUARTIC_SCRATCH)
QUARTIC_OPERANDS_END(edge_softmax_terms)
