/* relational_edge_grad.args.h: de (b, i, j, De) from ds (b, h, i, j), operands as in relational_scores. */
#include "lib/args.h"
QUARTIC_ARGS(relational_edge_grad, QUARTIC_FLOATS e; QUARTIC_FLOATS sender; QUARTIC_FLOATS receiver;
             QUARTIC_FLOATS form; QUARTIC_FLOATS ds; QUARTIC_FLOATS de; uint32_t heads; uint32_t n;
             uint32_t edges; uint32_t groups;)
