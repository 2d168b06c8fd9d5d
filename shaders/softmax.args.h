/* softmax.args.h: p (b, h, i, j) = softmax over j of sim (b, h, i, j), visible keys only; mask (b, j).
 * rows = b * h * i, queries = i, keys = j, rows_per_mask = h * i. */
#include "lib/args.h"
QUARTIC_ARGS(softmax, QUARTIC_FLOATS sim; QUARTIC_INTS mask; QUARTIC_FLOATS p; uint32_t rows;
             uint32_t queries; uint32_t keys; uint32_t rows_per_mask;)
