/* relative_bias.args.h: result[i, j, :] = table[i - j + n - 1, :]; table (2n - 1, width), result (n, n,
 * width). */
#include "lib/args.h"
QUARTIC_ARGS(relative_bias, QUARTIC_FLOATS table; QUARTIC_FLOATS result; uint32_t count; uint32_t n;
             uint32_t width;)
QUARTIC_OPERANDS(relative_bias)
QUARTIC_READS(table, QUARTIC_INPUT(0))
QUARTIC_WRITES(result, QUARTIC_OUTPUT(0))
QUARTIC_OPERANDS_END(relative_bias)
