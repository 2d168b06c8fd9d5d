/* hyper_width_sum.args.h: the gradients of a hyper-connection's parameters from the partial sums of
 * hyper_width_grad.comp. */
#include "lib/args.h"
QUARTIC_ARGS(hyper_width_sum, QUARTIC_FLOATS partial; QUARTIC_FLOATS gamma; QUARTIC_FLOATS alpha_fn;
             QUARTIC_FLOATS beta_fn; QUARTIC_FLOATS dgamma; QUARTIC_FLOATS dstatic_alpha;
             QUARTIC_FLOATS dalpha_fn; QUARTIC_FLOATS dalpha_scale; QUARTIC_FLOATS dstatic_beta;
             QUARTIC_FLOATS dbeta_fn; QUARTIC_FLOATS dbeta_scale; uint32_t count; uint32_t dim;
             uint32_t column_groups;)
QUARTIC_OPERANDS(hyper_width_sum)
QUARTIC_READS(partial, QUARTIC_SCRATCH)
QUARTIC_READS(gamma, QUARTIC_INPUT(1))
QUARTIC_READS(alpha_fn, QUARTIC_INPUT(3))
QUARTIC_READS(beta_fn, QUARTIC_INPUT(6))
QUARTIC_WRITES(dgamma, QUARTIC_GIVEN)
QUARTIC_WRITES(dstatic_alpha, QUARTIC_GIVEN)
QUARTIC_WRITES(dalpha_fn, QUARTIC_GIVEN)
QUARTIC_WRITES(dalpha_scale, QUARTIC_GIVEN)
QUARTIC_WRITES(dstatic_beta, QUARTIC_GIVEN)
QUARTIC_WRITES(dbeta_fn, QUARTIC_GIVEN)
QUARTIC_WRITES(dbeta_scale, QUARTIC_GIVEN)
QUARTIC_OPERANDS_END(hyper_width_sum)
