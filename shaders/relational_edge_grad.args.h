/* relational_edge_grad.args.h: de (b, i, j, De) from ds (b, h, i, j), operands as in relational_scores. */
#include "lib/args.h"
QUARTIC_ARGS(relational_edge_grad, QUARTIC_FLOATS e; QUARTIC_FLOATS sender; QUARTIC_FLOATS receiver;
             QUARTIC_FLOATS form; QUARTIC_FLOATS ds; QUARTIC_FLOATS de; uint32_t heads; uint32_t n;
             uint32_t edges; uint32_t groups;)
QUARTIC_OPERANDS(relational_edge_grad)
QUARTIC_READS(e, QUARTIC_INPUT(0))
QUARTIC_READS(sender, QUARTIC_INPUT(1))
QUARTIC_READS(receiver, QUARTIC_INPUT(2) | QUARTIC_OPTIONAL)
QUARTIC_READS(form, QUARTIC_INPUT(3) | QUARTIC_OPTIONAL)
QUARTIC_READS(ds, QUARTIC_INPUT(4))
QUARTIC_WRITES(de, QUARTIC_OUTPUT(0))
QUARTIC_OPERANDS_END(relational_edge_grad)
