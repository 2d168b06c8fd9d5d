/* softmax_grad.args.h: dsim = p * (dp - sum over j of dp * p), all (b, h, i, j); rows = b * h * i, queries =
 * i, keys = j. */
#include "lib/args.h"
QUARTIC_ARGS(softmax_grad, QUARTIC_FLOATS p; QUARTIC_FLOATS dp; QUARTIC_FLOATS dsim; uint32_t rows;
             uint32_t queries; uint32_t keys;)
