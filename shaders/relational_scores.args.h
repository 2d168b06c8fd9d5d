/* relational_scores.args.h: scores (b, h, i, j) from e (b, i, j, De), sender (b, h, De, j), receiver (b, h,
 * i, De) and form (h, De, De), all contiguous, and base (b, h, i, j) with strides. */
#include "lib/args.h"
QUARTIC_ARGS(relational_scores, QUARTIC_FLOATS e; QUARTIC_FLOATS sender; QUARTIC_FLOATS receiver;
             QUARTIC_FLOATS form; QUARTIC_FLOATS base; QUARTIC_FLOATS scores; int32_t base_strides[4];
             uint32_t heads; uint32_t n; uint32_t edges; uint32_t groups;)
QUARTIC_OPERANDS(relational_scores)
QUARTIC_READS(e, QUARTIC_INPUT(0))
QUARTIC_READS(sender, QUARTIC_INPUT(1))
QUARTIC_READS(receiver, QUARTIC_INPUT(2) | QUARTIC_OPTIONAL)
QUARTIC_READS(form, QUARTIC_INPUT(3) | QUARTIC_OPTIONAL)
QUARTIC_READS(base, QUARTIC_INPUT(4))
QUARTIC_WRITES(scores, QUARTIC_OUTPUT(0))
QUARTIC_OPERANDS_END(relational_scores)
