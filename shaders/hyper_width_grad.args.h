/* hyper_width_grad.args.h: dx (tokens, rows, D), and each workgroup's sums over its tokens, for
 * hyper_width_sum.comp: partial (groups, S + 2, D) of xhat du, then partial (groups, rows (S + 1) + S + 2) of
 * dalpha, dbeta and the two scales' gradients. sums (tokens, rows, D), where the coefficients are taken in several
 * blocks: dx so far. */
#include "lib/args.h"
QUARTIC_ARGS(hyper_width_grad, QUARTIC_FLOATS x; QUARTIC_FLOATS gamma; QUARTIC_FLOATS static_alpha;
             QUARTIC_FLOATS alpha_fn; QUARTIC_FLOATS alpha_scale; QUARTIC_FLOATS beta_fn;
             QUARTIC_FLOATS beta_scale; QUARTIC_FLOATS logits; QUARTIC_FLOATS dbranch; QUARTIC_FLOATS dbeta;
             QUARTIC_FLOATS dkept; QUARTIC_FLOATS dx; QUARTIC_FLOATS partial; QUARTIC_FLOATS sums;
             uint32_t tokens; uint32_t dim; uint32_t tokens_per_group; float eps;)
QUARTIC_OPERANDS(hyper_width_grad)
QUARTIC_READS(x, QUARTIC_INPUT(0))
QUARTIC_READS(gamma, QUARTIC_INPUT(1))
QUARTIC_READS(static_alpha, QUARTIC_INPUT(2))
QUARTIC_READS(alpha_fn, QUARTIC_INPUT(3))
QUARTIC_READS(alpha_scale, QUARTIC_INPUT(4))
QUARTIC_READS(beta_fn, QUARTIC_INPUT(6))
QUARTIC_READS(beta_scale, QUARTIC_INPUT(7))
QUARTIC_READS(logits, QUARTIC_INPUT(8))
QUARTIC_READS(dbranch, QUARTIC_INPUT(9) | QUARTIC_OPTIONAL)
QUARTIC_READS(dbeta, QUARTIC_INPUT(10) | QUARTIC_OPTIONAL)
QUARTIC_READS(dkept, QUARTIC_INPUT(11) | QUARTIC_OPTIONAL)
QUARTIC_WRITES(dx, QUARTIC_GIVEN | QUARTIC_OPTIONAL)
QUARTIC_UPDATES(partial, QUARTIC_SCRATCH | QUARTIC_OPTIONAL)
QUARTIC_UPDATES(sums, QUARTIC_SCRATCH | QUARTIC_OPTIONAL)
QUARTIC_OPERANDS_END(hyper_width_grad)
