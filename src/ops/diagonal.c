/* diagonal.c: the view of the diagonal of two neighbouring axes, (.., n, n, ..) to (.., n, ..). Its adjoint
 * pads with zeros.
 */
#include "base/call.h"
#include "graph/tape.h"
#include "ops/cases.h"
#include "ops/view.h"

static quartic_status diagonal_infer(const quartic_op_call *call, quartic_layout *out, uint32_t *out_count) {
    return quartic_view_infer(&quartic_op_diagonal, call, out, out_count);
}

static quartic_status diagonal_view(const void *attrs_pointer, const quartic_layout *in,
                                    quartic_layout *out) {
    const quartic_view_attrs *attrs = attrs_pointer;
    uint32_t first = attrs->axis, rank = in->shape.rank;
    if (rank < 2 || first > rank - 2 || in->shape.dims[first] != in->shape.dims[first + 1])
        return quartic_view_failure("diagonal", in, attrs);
    *out = *in;
    out->shape.rank = rank - 1;
    out->strides[first] = in->strides[first] + in->strides[first + 1];
    for (uint32_t a = first + 1; a + 1 < rank; ++a) {
        out->shape.dims[a] = in->shape.dims[a + 1];
        out->strides[a] = in->strides[a + 1];
    }
    return QUARTIC_OK;
}

static quartic_status diagonal_grad(quartic_tape *tape) {
    const quartic_view_attrs *attrs = quartic_tape_attrs(tape);
    uint32_t n = quartic_tape_input_layout(tape, 0).shape.dims[attrs->axis];
    quartic_graph *graph = quartic_tape_graph(tape);
    quartic_value d = quartic_tape_gradient(tape, 0); /* (.., n, rest ..) */
    quartic_shape shape = quartic_graph_shape(graph, d);
    /* Zeros (.., n, n, rest): pad (.., n, 1, rest) to n * n + n rows of which row i (n + 1) is kept. */
    quartic_shape with_one = {.rank = shape.rank + 1};
    for (uint32_t a = 0; a < with_one.rank; ++a)
        with_one.dims[a] = a <= attrs->axis ? shape.dims[a] : a == attrs->axis + 1 ? 1 : shape.dims[a - 1];
    quartic_value padded =
        quartic_pad(graph, quartic_reshape(graph, d, &with_one), attrs->axis + 1, 0, n + 1);
    quartic_shape flat = shape;
    flat.dims[attrs->axis] = n * (n + 1);
    quartic_value cut = quartic_slice(graph, quartic_reshape(graph, padded, &flat), attrs->axis, 0, n * n);
    quartic_shape square = with_one;
    square.dims[attrs->axis + 1] = n;
    quartic_tape_give(tape, 0, quartic_reshape(graph, cut, &square));
    return QUARTIC_OK;
}

static bool diagonal_cases(uint32_t index, quartic_op_case *out) {
    static const quartic_view_case table[] = {
        {"of a matrix", {2, {5, 5}}, {.axis = 0}},
        {"of edges", {4, {2, 5, 5, 3}}, {.axis = 1}},
        {"one node", {3, {2, 1, 1}}, {.axis = 1}},
        {"first axes", {3, {4, 4, 3}}, {.axis = 0}},
    };
    return quartic_view_cases(table, QUARTIC_CASES(table), index, out);
}

const quartic_op quartic_op_diagonal = {.name = "diagonal",
                                        .attrs_bytes = sizeof(quartic_view_attrs),
                                        .strided_inputs = 1,
                                        .infer = diagonal_infer,
                                        .view = diagonal_view,
                                        .grad = diagonal_grad,
                                        .cases = diagonal_cases,
                                        .tolerance_reason = "moves no data"};

quartic_value quartic_diagonal(quartic_graph *graph, quartic_value x, uint32_t axis) {
    QUARTIC_CALL();
    quartic_view_attrs attrs = {.axis = axis};
    return quartic_graph_append_one(graph, &quartic_op_diagonal, &attrs, &x, 1);
}
