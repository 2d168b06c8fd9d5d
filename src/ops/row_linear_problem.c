/* row_linear_problem.c: the extents of norm_linear and gated_linear, read from their operands. */
#include "ops/row_linear.h"

row_linear_problem row_linear_describe(const quartic_op_call *call) {
    const row_linear_attrs *attrs = call->attrs;
    const quartic_shape *x = &call->inputs[ROW_LINEAR_X].shape;
    bool norms = row_linear_norms(attrs);
    row_linear_problem p = {.k = x->dims[x->rank - 1],
                            .heads = 1,
                            .parts = norms ? call->input_count - ROW_LINEAR_WEIGHTS : 1,
                            .norms = norms,
                            .has_side = row_linear_has_input(call, ROW_LINEAR_SCALE),
                            .has_addend = !norms && row_linear_has_input(call, ROW_LINEAR_ADDEND)};
    p.rows = quartic_shape_elements(x) / p.k;
    for (uint32_t part = 0; part < p.parts; ++part)
        p.n[part] = call->inputs[ROW_LINEAR_WEIGHTS + part].shape.dims[0];
    if (!norms && p.has_side) {
        const quartic_shape *gates = &call->inputs[ROW_LINEAR_GATES].shape;
        p.heads = gates->dims[gates->rank - 1];
    }
    return p;
}
