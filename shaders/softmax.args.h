/* softmax.args.h: p (b, h, i, j) = softmax over j of sim (b, h, i, j), visible keys only; mask (b, j).
 * rows = b * h * i, queries = i, keys = j, rows_per_mask = h * i. */
#include "lib/args.h"
QUARTIC_ARGS(softmax, QUARTIC_FLOATS sim; QUARTIC_INTS mask; QUARTIC_FLOATS p; uint32_t rows;
             uint32_t queries; uint32_t keys; uint32_t rows_per_mask;)
QUARTIC_OPERANDS(softmax)
QUARTIC_READS(sim, QUARTIC_INPUT(0))
QUARTIC_READS(mask, QUARTIC_INPUT(1) | QUARTIC_OPTIONAL)
QUARTIC_WRITES(p, QUARTIC_OUTPUT(0))
QUARTIC_OPERANDS_END(softmax)
