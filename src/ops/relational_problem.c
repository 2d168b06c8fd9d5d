/* relational_problem.c: what relational_scores costs, for the op, its GPU plans and its tuned kernels.
 */
#include "ops/relational_scores.h"

double quartic_relational_flops(const quartic_relational_problem *p, bool backward) {
    const double pairs = (double)p->b * p->heads * p->n * p->n, dim = p->dim;
    const double quadratic = p->has_form ? 2 * dim * dim : 0;
    return pairs * (backward ? 2 * quadratic + 6 * dim : quadratic + 4 * dim);
}
