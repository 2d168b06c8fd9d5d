/* problem.c: geometry and cost of triple attention. See problem.h. */
#include "ops/triple/problem.h"

#include "ops/edges.h"

static quartic_triple_operand triple_operand_of(const quartic_layout *layout) {
    return (quartic_triple_operand){.batch = layout->strides[0],
                                    .row = layout->strides[1],
                                    .column = layout->strides[2],
                                    .head = layout->strides[3],
                                    .component = layout->shape.rank == 5 ? layout->strides[4] : 1};
}

/* layouts: the inputs q to bias. */
static quartic_triple_problem triple_problem_of(const quartic_triple_options *options,
                                                const quartic_layout *const layouts[QUARTIC_TRIPLE_GRADIENTS],
                                                bool masked) {
    const quartic_shape *q = &layouts[QUARTIC_TRIPLE_Q]->shape;
    const quartic_shape narrow_shape = quartic_edges_narrow(q);
    const quartic_layout wide = quartic_layout_contiguous(QUARTIC_FLOAT32, q);
    const quartic_layout narrow = quartic_layout_contiguous(QUARTIC_FLOAT32, &narrow_shape);
    quartic_triple_problem problem = {.batch = q->dims[0],
                                      .n = q->dims[1],
                                      .heads = q->dims[3],
                                      .d = q->dims[4],
                                      .scale = options->scale,
                                      .causal = options->causal != 0,
                                      .masked = masked,
                                      .wide = triple_operand_of(&wide),
                                      .narrow = triple_operand_of(&narrow)};
    for (uint32_t k = 0; k < QUARTIC_TRIPLE_GRADIENTS; ++k)
        problem.operands[k] = triple_operand_of(layouts[k]);
    return problem;
}

quartic_triple_problem quartic_triple_of_call(const quartic_op_call *call) {
    const quartic_layout *layouts[QUARTIC_TRIPLE_GRADIENTS];
    for (uint32_t k = 0; k < QUARTIC_TRIPLE_GRADIENTS; ++k) layouts[k] = &call->inputs[k];
    return triple_problem_of(call->attrs, layouts, quartic_is_present(&call->inputs[QUARTIC_TRIPLE_MASK]));
}

quartic_triple_problem quartic_triple_of_run(const quartic_op_run *run) {
    const quartic_layout *layouts[QUARTIC_TRIPLE_GRADIENTS];
    for (uint32_t k = 0; k < QUARTIC_TRIPLE_GRADIENTS; ++k) layouts[k] = run->inputs[k].layout;
    return triple_problem_of(run->attrs, layouts, run->inputs[QUARTIC_TRIPLE_MASK].data != NULL);
}

bool quartic_triple_is_lone(const quartic_triple_problem *problem, const int32_t *mask, uint32_t i,
                            uint32_t j) {
    uint32_t begin, end, count = 0;
    quartic_triple_pivots(problem, i, j, &begin, &end);
    for (uint32_t l = begin; l < end && count < 2; ++l) count += mask == NULL || mask[l] != 0;
    return count == 1;
}

/* Quadruples i, l, m, j with a visible pair, as far as the shapes tell. */
static double triple_count(const quartic_triple_problem *problem) {
    const double n = problem->n, units = (double)quartic_triple_units(problem);
    return units * (problem->causal ? n * (n + 1) * (n + 2) * (n + 3) / 24 : n * n * n * n);
}

/* Of a quadruple: products over d components (2 d operations): forward Q K and A v2, backward these scores
 * and g v v2 again, then those of dQ, dK, dv and dv2. An exponential counts ten. What is done once for a
 * triangle is not counted. */
double quartic_triple_flops(const quartic_triple_problem *problem, bool backward) {
    const double d = problem->d;
    return triple_count(problem) * (backward ? 12 * d + 16 : 4 * d + 11);
}
