/* softmax_grad.args.h: dsim = p * (dp - sum over j of dp * p), all (b, h, i, j); rows = b * h * i, queries =
 * i, keys = j. */
#include "lib/args.h"
QUARTIC_ARGS(softmax_grad, QUARTIC_FLOATS p; QUARTIC_FLOATS dp; QUARTIC_FLOATS dsim; uint32_t rows;
             uint32_t queries; uint32_t keys;)
QUARTIC_OPERANDS(softmax_grad)
QUARTIC_READS(p, QUARTIC_INPUT(0))
QUARTIC_READS(dp, QUARTIC_INPUT(1))
QUARTIC_WRITES(dsim, QUARTIC_OUTPUT(0))
QUARTIC_OPERANDS_END(softmax_grad)
