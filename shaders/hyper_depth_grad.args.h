/* hyper_depth_grad.args.h: dkept (tokens, D), dbeta (tokens, S) and dbranch (tokens, D) from dy (tokens, S, D). */
#include "lib/args.h"
QUARTIC_ARGS(hyper_depth_grad, QUARTIC_FLOATS dy; QUARTIC_FLOATS beta; QUARTIC_FLOATS branch;
             QUARTIC_FLOATS dkept; QUARTIC_FLOATS dbeta; QUARTIC_FLOATS dbranch; uint32_t tokens;
             uint32_t dim;)
QUARTIC_OPERANDS(hyper_depth_grad)
QUARTIC_READS(dy, QUARTIC_INPUT(0))
QUARTIC_READS(beta, QUARTIC_INPUT(1))
QUARTIC_READS(branch, QUARTIC_INPUT(2))
QUARTIC_WRITES(dkept, QUARTIC_GIVEN | QUARTIC_OPTIONAL)
QUARTIC_WRITES(dbeta, QUARTIC_GIVEN | QUARTIC_OPTIONAL)
QUARTIC_WRITES(dbranch, QUARTIC_GIVEN | QUARTIC_OPTIONAL)
QUARTIC_OPERANDS_END(hyper_depth_grad)
