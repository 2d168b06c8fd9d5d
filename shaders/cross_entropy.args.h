/* cross_entropy.args.h: row_losses (rows) and count () from logits (rows, classes) and targets (rows). */
#include "lib/args.h"
QUARTIC_ARGS(cross_entropy, QUARTIC_FLOATS logits; QUARTIC_INTS targets; QUARTIC_FLOATS row_losses;
             QUARTIC_FLOATS count; uint32_t rows; uint32_t classes;)
QUARTIC_OPERANDS(cross_entropy)
QUARTIC_READS(logits, QUARTIC_INPUT(0))
QUARTIC_READS(targets, QUARTIC_INPUT(1))
QUARTIC_WRITES(row_losses, QUARTIC_SCRATCH)
QUARTIC_WRITES(count, QUARTIC_OUTPUT(1))
QUARTIC_OPERANDS_END(cross_entropy)
