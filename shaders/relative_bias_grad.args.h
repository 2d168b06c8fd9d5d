/* relative_bias_grad.args.h: result[r, :] = sum of g[i, j, :] over i - j + n - 1 = r; g (n, n, width), result
 * (2n - 1, width). */
#include "lib/args.h"
QUARTIC_ARGS(relative_bias_grad, QUARTIC_FLOATS g; QUARTIC_FLOATS result; uint32_t n; uint32_t width;)
QUARTIC_OPERANDS(relative_bias_grad)
QUARTIC_READS(g, QUARTIC_INPUT(0))
QUARTIC_WRITES(result, QUARTIC_OUTPUT(0))
QUARTIC_OPERANDS_END(relative_bias_grad)
