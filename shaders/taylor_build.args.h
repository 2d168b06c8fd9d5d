/* taylor_build.args.h: partial states of the linear form, (unit_count, parts, features, dv + 1), of the units
 * from first_unit on. x is k or q, y is v or g; a part is part_tokens tokens. */
#include "lib/args.h"
QUARTIC_ARGS(taylor_build, QUARTIC_FLOATS x; QUARTIC_FLOATS y; QUARTIC_INTS mask; QUARTIC_FLOATS terms;
             QUARTIC_FLOATS state; int32_t x_strides[4]; int32_t y_strides[4]; uint32_t tokens;
             uint32_t others; uint32_t heads; uint32_t first_unit; uint32_t unit_count; uint32_t parts;
             uint32_t part_tokens;)
QUARTIC_OPERANDS(taylor_build)
QUARTIC_READS(x, QUARTIC_GIVEN)
QUARTIC_READS(y, QUARTIC_GIVEN)
QUARTIC_READS(mask, QUARTIC_INPUT(3) | QUARTIC_OPTIONAL)
QUARTIC_READS(terms, QUARTIC_SCRATCH | QUARTIC_OPTIONAL)
QUARTIC_WRITES(state, QUARTIC_SCRATCH)
QUARTIC_OPERANDS_END(taylor_build)
