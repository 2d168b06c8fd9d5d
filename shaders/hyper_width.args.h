/* hyper_width.args.h: branch (tokens, D), beta (tokens, S), logits (tokens, rows, S + 2) and kept (tokens, S, D)
 * of x (tokens, rows, D) and the parameters; see src/ops/hyper/hyper_width.c. */
#include "lib/args.h"
QUARTIC_ARGS(hyper_width, QUARTIC_FLOATS x; QUARTIC_FLOATS gamma; QUARTIC_FLOATS static_alpha;
             QUARTIC_FLOATS alpha_fn; QUARTIC_FLOATS alpha_scale; QUARTIC_FLOATS static_beta;
             QUARTIC_FLOATS beta_fn; QUARTIC_FLOATS beta_scale; QUARTIC_FLOATS branch; QUARTIC_FLOATS beta;
             QUARTIC_FLOATS logits; QUARTIC_FLOATS kept; uint32_t tokens; uint32_t dim; float eps;)
QUARTIC_OPERANDS(hyper_width)
QUARTIC_READS(x, QUARTIC_INPUT(0))
QUARTIC_READS(gamma, QUARTIC_INPUT(1))
QUARTIC_READS(static_alpha, QUARTIC_INPUT(2))
QUARTIC_READS(alpha_fn, QUARTIC_INPUT(3))
QUARTIC_READS(alpha_scale, QUARTIC_INPUT(4))
QUARTIC_READS(static_beta, QUARTIC_INPUT(5))
QUARTIC_READS(beta_fn, QUARTIC_INPUT(6))
QUARTIC_READS(beta_scale, QUARTIC_INPUT(7))
QUARTIC_WRITES(branch, QUARTIC_OUTPUT(0))
QUARTIC_WRITES(beta, QUARTIC_OUTPUT(1))
QUARTIC_WRITES(logits, QUARTIC_OUTPUT(2))
QUARTIC_WRITES(kept, QUARTIC_OUTPUT(3) | QUARTIC_OPTIONAL)
QUARTIC_OPERANDS_END(hyper_width)
