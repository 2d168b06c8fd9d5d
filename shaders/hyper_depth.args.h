/* hyper_depth.args.h: y (tokens, S, D) = kept (tokens, S or 1, D) + beta (tokens, S) * branch (tokens, D). */
#include "lib/args.h"
QUARTIC_ARGS(hyper_depth, QUARTIC_FLOATS kept; QUARTIC_FLOATS beta; QUARTIC_FLOATS branch; QUARTIC_FLOATS y;
             uint32_t count; uint32_t dim;)
QUARTIC_OPERANDS(hyper_depth)
QUARTIC_READS(kept, QUARTIC_INPUT(0))
QUARTIC_READS(beta, QUARTIC_INPUT(1))
QUARTIC_READS(branch, QUARTIC_INPUT(2))
QUARTIC_WRITES(y, QUARTIC_OUTPUT(0))
QUARTIC_OPERANDS_END(hyper_depth)
