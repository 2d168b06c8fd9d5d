/* norm_columns.args.h: result (width) = sum over count rows of partial, which lie stride elements apart. */
#include "lib/args.h"
QUARTIC_ARGS(norm_columns, QUARTIC_FLOATS partial; QUARTIC_FLOATS result; uint32_t count; uint32_t stride;
             uint32_t width;)
QUARTIC_OPERANDS(norm_columns)
QUARTIC_READS(partial, QUARTIC_SCRATCH)
QUARTIC_WRITES(result, QUARTIC_GIVEN)
QUARTIC_OPERANDS_END(norm_columns)
