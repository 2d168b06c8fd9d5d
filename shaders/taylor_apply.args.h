/* taylor_apply.args.h: out and z of the linear form for the units from first_unit on. The sequence is cut
 * into spans of `span` tokens, each with a state of its own, features * (dv + 1) apart; a unit's states lie
 * at multiples of parts * features * (dv + 1). result (b, r, c, h, dv) and z (b, r, c, h) are contiguous. */
#include "lib/args.h"
QUARTIC_ARGS(taylor_apply, QUARTIC_FLOATS q; QUARTIC_INTS mask; QUARTIC_FLOATS state; QUARTIC_FLOATS result;
             QUARTIC_FLOATS z; int32_t q_strides[4]; uint32_t tokens; uint32_t others; uint32_t heads;
             uint32_t first_unit; uint32_t unit_count; uint32_t parts; uint32_t span;)
QUARTIC_OPERANDS(taylor_apply)
QUARTIC_READS(q, QUARTIC_INPUT(0))
QUARTIC_UNUSED(mask)
QUARTIC_READS(state, QUARTIC_SCRATCH)
QUARTIC_WRITES(result, QUARTIC_OUTPUT(0))
QUARTIC_WRITES(z, QUARTIC_OUTPUT(1))
QUARTIC_OPERANDS_END(taylor_apply)
