/* problem.c: geometry and cost of triangle attention. See problem.h. */
#include "ops/triangle/problem.h"

#include "ops/edges.h"

/* The edges of q, k, v, v2, bias by kind. */
static const quartic_triangle_edge edges[][5] = {
    [QUARTIC_TRIANGLE_BOTH] = {QUARTIC_EDGE_IL, QUARTIC_EDGE_LJ, QUARTIC_EDGE_IL, QUARTIC_EDGE_LJ,
                               QUARTIC_EDGE_IJ},
    [QUARTIC_TRIANGLE_START] = {QUARTIC_EDGE_IJ, QUARTIC_EDGE_IL, QUARTIC_EDGE_IL, QUARTIC_EDGE_IJ,
                                QUARTIC_EDGE_LJ},
    [QUARTIC_TRIANGLE_END] = {QUARTIC_EDGE_IJ, QUARTIC_EDGE_LJ, QUARTIC_EDGE_LJ, QUARTIC_EDGE_IJ,
                              QUARTIC_EDGE_IL},
};

static quartic_triangle_operand triangle_operand_of(const quartic_layout *layout,
                                                    quartic_triangle_edge edge) {
    return (quartic_triangle_operand){.present = quartic_is_present(layout),
                                      .edge = edge,
                                      .batch = layout->strides[0],
                                      .row = layout->strides[1],
                                      .column = layout->strides[2],
                                      .head = layout->strides[3],
                                      .component = layout->shape.rank == 5 ? layout->strides[4] : 1};
}

/* layouts: the first six inputs. */
static quartic_triangle_problem
triangle_problem_of(const quartic_triangle_options *options,
                    const quartic_layout *const layouts[QUARTIC_TRIANGLE_OUT]) {
    const quartic_triangle_edge *edge = edges[options->kind];
    const quartic_layout *q = layouts[QUARTIC_TRIANGLE_Q];
    const quartic_shape narrow_shape = quartic_edges_narrow(&q->shape);
    const quartic_layout wide = quartic_layout_contiguous(QUARTIC_FLOAT32, &q->shape);
    const quartic_layout narrow = quartic_layout_contiguous(QUARTIC_FLOAT32, &narrow_shape);
    return (quartic_triangle_problem){
        .kind = (quartic_triangle_kind)options->kind,
        .batch = q->shape.dims[0],
        .n = q->shape.dims[1],
        .heads = q->shape.dims[3],
        .d = q->shape.dims[4],
        .scale = options->scale,
        .causal = options->causal != 0,
        .masked = quartic_is_present(layouts[QUARTIC_TRIANGLE_MASK]),
        .q = triangle_operand_of(q, edge[QUARTIC_TRIANGLE_Q]),
        .k = triangle_operand_of(layouts[QUARTIC_TRIANGLE_K], edge[QUARTIC_TRIANGLE_K]),
        .v = triangle_operand_of(layouts[QUARTIC_TRIANGLE_V], edge[QUARTIC_TRIANGLE_V]),
        .v2 = triangle_operand_of(layouts[QUARTIC_TRIANGLE_V2], edge[QUARTIC_TRIANGLE_V2]),
        .bias = triangle_operand_of(layouts[QUARTIC_TRIANGLE_BIAS], edge[QUARTIC_TRIANGLE_BIAS]),
        .wide = triangle_operand_of(&wide, QUARTIC_EDGE_IJ),
        .narrow = triangle_operand_of(&narrow, QUARTIC_EDGE_IJ),
    };
}

quartic_triangle_problem quartic_triangle_of_call(const quartic_op_call *call) {
    const quartic_layout *layouts[QUARTIC_TRIANGLE_OUT];
    for (uint32_t k = 0; k < QUARTIC_TRIANGLE_OUT; ++k) layouts[k] = &call->inputs[k];
    return triangle_problem_of(call->attrs, layouts);
}

quartic_triangle_problem quartic_triangle_of_run(const quartic_op_run *run) {
    static const quartic_layout left_out = {0};
    const quartic_layout *layouts[QUARTIC_TRIANGLE_OUT];
    for (uint32_t k = 0; k < QUARTIC_TRIANGLE_OUT; ++k)
        layouts[k] = run->inputs[k].data != NULL ? run->inputs[k].layout : &left_out;
    return triangle_problem_of(run->attrs, layouts);
}

double quartic_triangle_count(const quartic_triangle_problem *problem) {
    const double n = problem->n, units = (double)quartic_triangle_units(problem);
    return units * (problem->causal ? n * (n + 1) * (n + 2) / 6 : n * n * n);
}

/* Of a triangle: products over d components of two factors (2 d operations) or three (3 d), forward q k and
 * A v v2; backward these two again for the scores, then one for every gradient. An exponential counts ten. */
double quartic_triangle_flops(const quartic_triangle_problem *problem, bool backward) {
    const double d = problem->d, value = problem->v2.present ? 3 * d : 2 * d;
    const double forward = 2 * d + value + 10;
    const double adjoint = 3 * 2 * d + 2 * value + (problem->v2.present ? value : 0) + 16;
    return quartic_triangle_count(problem) * (backward ? adjoint : forward);
}
