/* relational_form_grad.args.h: parts (splits, h, De, De) of sum over edges of ds e e^T; each split takes
 * `rows` of the b n n edges. */
#include "lib/args.h"
QUARTIC_ARGS(relational_form_grad, QUARTIC_FLOATS e; QUARTIC_FLOATS ds; QUARTIC_FLOATS parts; uint32_t heads;
             uint32_t pairs; uint32_t edges; uint32_t rows; uint32_t groups;)
QUARTIC_OPERANDS(relational_form_grad)
QUARTIC_READS(e, QUARTIC_INPUT(0))
QUARTIC_READS(ds, QUARTIC_INPUT(4))
QUARTIC_WRITES(parts, QUARTIC_GIVEN)
QUARTIC_OPERANDS_END(relational_form_grad)
