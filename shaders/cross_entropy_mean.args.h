/* cross_entropy_mean.args.h: result (1) = numerator / number of targets (rows) in 0 .. classes - 1. */
#include "lib/args.h"
QUARTIC_ARGS(cross_entropy_mean, QUARTIC_FLOATS numerator; QUARTIC_INTS targets; QUARTIC_FLOATS result;
             uint32_t rows; uint32_t classes;)
QUARTIC_OPERANDS(cross_entropy_mean)
QUARTIC_READS(numerator, QUARTIC_GIVEN)
QUARTIC_READS(targets, QUARTIC_INPUT(1))
QUARTIC_WRITES(result, QUARTIC_GIVEN)
QUARTIC_OPERANDS_END(cross_entropy_mean)
