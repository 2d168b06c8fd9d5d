/* cross_entropy_mean.args.h: loss (1) = the sum of row_losses (rows) / count (1). */
#include "lib/args.h"
QUARTIC_ARGS(cross_entropy_mean, QUARTIC_FLOATS row_losses; QUARTIC_FLOATS count; QUARTIC_FLOATS loss;
             uint32_t rows;)
QUARTIC_OPERANDS(cross_entropy_mean)
QUARTIC_READS(row_losses, QUARTIC_SCRATCH)
QUARTIC_READS(count, QUARTIC_OUTPUT(1))
QUARTIC_WRITES(loss, QUARTIC_OUTPUT(0))
QUARTIC_OPERANDS_END(cross_entropy_mean)
