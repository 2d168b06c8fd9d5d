/* cross_entropy.args.h: row_losses (rows) from logits (rows, classes) and targets (rows). */
#include "lib/args.h"
QUARTIC_ARGS(cross_entropy, QUARTIC_FLOATS logits; QUARTIC_INTS targets; QUARTIC_FLOATS row_losses;
             uint32_t rows; uint32_t classes;)
