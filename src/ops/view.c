/* view.c: reshape, permute, slice, broadcast, diagonal: ops that move no data.
 *
 * Each gives its output's layout from the input's. The adjoint of a view is another view (reshape, permute)
 * or a kernel that places the gradient (pad, diagonal_add) or sums it (broadcast).
 */
#include <string.h>

#include "base/call.h"
#include "ops/tape.h"
#include "ops/view.h"

typedef quartic_view_attrs view_attrs;

static quartic_status view_failure(const char *op, const quartic_layout *in, const view_attrs *attrs) {
    char from[QUARTIC_SHAPE_TEXT], to[QUARTIC_SHAPE_TEXT];
    return quartic_fail(QUARTIC_SHAPE_MISMATCH,
                        "%s of shape %s with shape or axes %s, axis %u, start %u, length %u is impossible",
                        op, quartic_shape_text(&in->shape, from), quartic_shape_text(&attrs->shape, to),
                        attrs->axis, attrs->start, attrs->length);
}

/* The one-operand shape rule of all views: the layout rule decides. */
static quartic_status infer_by_view(const quartic_op *op, const quartic_op_call *call, quartic_layout *out,
                                    uint32_t *out_count) {
    QUARTIC_TRY(quartic_op_expect_inputs(op->name, call, 1, 1));
    if (!quartic_is_present(&call->inputs[0]))
        return quartic_op_expect_dtype(op->name, call, 0, QUARTIC_FLOAT32);
    QUARTIC_TRY(op->view(call->attrs, &call->inputs[0], &out[0]));
    *out_count = 1;
    return QUARTIC_OK;
}

#define VIEW_INFER(name)                                                                                     \
    static quartic_status name##_infer(const quartic_op_call *call, quartic_layout *out,                     \
                                       uint32_t *out_count) {                                                \
        return infer_by_view(&quartic_op_##name, call, out, out_count);                                      \
    }
VIEW_INFER(reshape)
VIEW_INFER(permute)
VIEW_INFER(slice)
VIEW_INFER(broadcast)
VIEW_INFER(diagonal)

/* ---- cases ---- */

typedef struct view_case {
    const char *label;
    quartic_shape x;
    view_attrs attrs;
} view_case;

static bool view_cases(const view_case *cases, uint32_t count, uint32_t index, quartic_op_case *out) {
    if (index >= count) return false;
    *out = (quartic_op_case){.label = cases[index].label, .input_count = 1};
    *(view_attrs *)out->attrs = cases[index].attrs;
    out->inputs[0].dtype = QUARTIC_FLOAT32;
    out->inputs[0].shape = cases[index].x;
    return true;
}

/* ---- reshape ---- */

static quartic_status reshape_view(const void *attrs_pointer, const quartic_layout *in, quartic_layout *out) {
    const view_attrs *attrs = attrs_pointer;
    uint64_t elements = quartic_shape_elements(&in->shape);
    if (attrs->shape.rank > QUARTIC_MAX_RANK || quartic_shape_elements(&attrs->shape) != elements)
        return view_failure("reshape", in, attrs);
    *out = quartic_layout_contiguous(in->dtype, &attrs->shape);
    out->offset = in->offset;
    return QUARTIC_OK;
}

static quartic_status reshape_grad(quartic_tape *tape) {
    quartic_shape shape = quartic_tape_input_layout(tape, 0).shape;
    quartic_tape_give(tape, 0,
                      quartic_reshape(quartic_tape_graph(tape), quartic_tape_gradient(tape, 0), &shape));
    return QUARTIC_OK;
}

static bool reshape_cases(uint32_t index, quartic_op_case *out) {
    static const view_case cases[] = {
        {"axes cut anew", {2, {6, 20}}, {.shape = {3, {5, 4, 6}}}},
        {"a scalar with axes", {0, {0}}, {.shape = {2, {1, 1}}}},
        {"flat", {6, {2, 3, 1, 2, 5, 3}}, {.shape = {1, {180}}}},
    };
    return view_cases(cases, sizeof cases / sizeof cases[0], index, out);
}

const quartic_op quartic_op_reshape = {.name = "reshape",
                                       .attrs_bytes = sizeof(view_attrs),
                                       .infer = reshape_infer,
                                       .view = reshape_view,
                                       .grad = reshape_grad,
                                       .cases = reshape_cases,
                                       .tolerance_reason = "moves no data"};

/* ---- permute ---- */

static quartic_status permute_view(const void *attrs_pointer, const quartic_layout *in, quartic_layout *out) {
    const view_attrs *attrs = attrs_pointer;
    uint32_t seen = 0;
    *out = *in;
    if (attrs->shape.rank != in->shape.rank) return view_failure("permute", in, attrs);
    for (uint32_t a = 0; a < in->shape.rank; ++a) {
        uint32_t from = attrs->shape.dims[a];
        if (from >= in->shape.rank || (seen >> from & 1u)) return view_failure("permute", in, attrs);
        seen |= 1u << from;
        out->shape.dims[a] = in->shape.dims[from];
        out->strides[a] = in->strides[from];
    }
    return QUARTIC_OK;
}

static quartic_status permute_grad(quartic_tape *tape) {
    const view_attrs *attrs = quartic_tape_attrs(tape);
    uint32_t inverse[QUARTIC_MAX_RANK] = {0};
    for (uint32_t a = 0; a < attrs->shape.rank; ++a) inverse[attrs->shape.dims[a]] = a;
    quartic_tape_give(tape, 0,
                      quartic_permute(quartic_tape_graph(tape), quartic_tape_gradient(tape, 0), inverse));
    return QUARTIC_OK;
}

static bool permute_cases(uint32_t index, quartic_op_case *out) {
    static const view_case cases[] = {
        {"turned", {2, {7, 33}}, {.shape = {2, {1, 0}}}},
        {"one round", {3, {2, 3, 5}}, {.shape = {3, {2, 0, 1}}}},
        {"six axes reversed", {6, {2, 3, 1, 2, 5, 3}}, {.shape = {6, {5, 4, 3, 2, 1, 0}}}},
        {"as it was", {2, {3, 5}}, {.shape = {2, {0, 1}}}},
    };
    return view_cases(cases, sizeof cases / sizeof cases[0], index, out);
}

const quartic_op quartic_op_permute = {.name = "permute",
                                       .attrs_bytes = sizeof(view_attrs),
                                       .strided_inputs = 1,
                                       .infer = permute_infer,
                                       .view = permute_view,
                                       .grad = permute_grad,
                                       .cases = permute_cases,
                                       .tolerance_reason = "moves no data"};

/* ---- slice ---- */

static quartic_status slice_view(const void *attrs_pointer, const quartic_layout *in, quartic_layout *out) {
    const view_attrs *attrs = attrs_pointer;
    if (attrs->axis >= in->shape.rank || attrs->start > in->shape.dims[attrs->axis] ||
        attrs->length > in->shape.dims[attrs->axis] - attrs->start)
        return view_failure("slice", in, attrs);
    *out = *in;
    out->shape.dims[attrs->axis] = attrs->length;
    out->offset += in->strides[attrs->axis] * (int64_t)attrs->start;
    return QUARTIC_OK;
}

static quartic_status slice_grad(quartic_tape *tape) {
    const view_attrs *attrs = quartic_tape_attrs(tape);
    uint32_t extent = quartic_tape_input_layout(tape, 0).shape.dims[attrs->axis];
    quartic_tape_give(tape, 0,
                      quartic_pad(quartic_tape_graph(tape), quartic_tape_gradient(tape, 0), attrs->axis,
                                  attrs->start, extent));
    return QUARTIC_OK;
}

static bool slice_cases(uint32_t index, quartic_op_case *out) {
    static const view_case cases[] = {
        {"rows from the middle", {2, {5, 7}}, {.axis = 0, .start = 1, .length = 3}},
        {"the last column", {2, {5, 7}}, {.axis = 1, .start = 6, .length = 1}},
        {"all of it", {3, {2, 3, 4}}, {.axis = 2, .start = 0, .length = 4}},
        {"an axis between", {4, {2, 9, 2, 3}}, {.axis = 1, .start = 4, .length = 4}},
    };
    return view_cases(cases, sizeof cases / sizeof cases[0], index, out);
}

const quartic_op quartic_op_slice = {.name = "slice",
                                     .attrs_bytes = sizeof(view_attrs),
                                     .strided_inputs = 1,
                                     .infer = slice_infer,
                                     .view = slice_view,
                                     .grad = slice_grad,
                                     .cases = slice_cases,
                                     .tolerance_reason = "moves no data"};

/* ---- broadcast ---- */

static quartic_status broadcast_view(const void *attrs_pointer, const quartic_layout *in,
                                     quartic_layout *out) {
    const view_attrs *attrs = attrs_pointer;
    quartic_shape common;
    if (attrs->shape.rank > QUARTIC_MAX_RANK ||
        !quartic_shape_broadcast(&in->shape, &attrs->shape, &common) ||
        !quartic_shape_equal(&common, &attrs->shape))
        return view_failure("broadcast", in, attrs);
    *out = quartic_layout_broadcast(in, &attrs->shape);
    return QUARTIC_OK;
}

static quartic_status broadcast_grad(quartic_tape *tape) {
    quartic_shape shape = quartic_tape_input_layout(tape, 0).shape;
    quartic_tape_give(tape, 0,
                      quartic_sum_to(quartic_tape_graph(tape), quartic_tape_gradient(tape, 0), &shape));
    return QUARTIC_OK;
}

static bool broadcast_cases(uint32_t index, quartic_op_case *out) {
    static const view_case cases[] = {
        {"columns", {2, {3, 1}}, {.shape = {2, {3, 5}}}},
        {"a scalar", {0, {0}}, {.shape = {1, {7}}}},
        {"new axes before", {2, {3, 4}}, {.shape = {4, {2, 5, 3, 4}}}},
        {"several axes", {4, {1, 3, 1, 2}}, {.shape = {4, {4, 3, 5, 2}}}},
    };
    return view_cases(cases, sizeof cases / sizeof cases[0], index, out);
}

const quartic_op quartic_op_broadcast = {.name = "broadcast",
                                         .attrs_bytes = sizeof(view_attrs),
                                         .strided_inputs = 1,
                                         .infer = broadcast_infer,
                                         .view = broadcast_view,
                                         .grad = broadcast_grad,
                                         .cases = broadcast_cases,
                                         .tolerance_reason = "moves no data"};

/* ---- diagonal ---- */

static quartic_status diagonal_view(const void *attrs_pointer, const quartic_layout *in,
                                    quartic_layout *out) {
    const view_attrs *attrs = attrs_pointer;
    uint32_t first = attrs->axis, rank = in->shape.rank;
    if (rank < 2 || first > rank - 2 || in->shape.dims[first] != in->shape.dims[first + 1])
        return view_failure("diagonal", in, attrs);
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
    const view_attrs *attrs = quartic_tape_attrs(tape);
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
    static const view_case cases[] = {
        {"of a matrix", {2, {5, 5}}, {.axis = 0}},
        {"of edges", {4, {2, 5, 5, 3}}, {.axis = 1}},
        {"one node", {3, {2, 1, 1}}, {.axis = 1}},
        {"first axes", {3, {4, 4, 3}}, {.axis = 0}},
    };
    return view_cases(cases, sizeof cases / sizeof cases[0], index, out);
}

const quartic_op quartic_op_diagonal = {.name = "diagonal",
                                        .attrs_bytes = sizeof(view_attrs),
                                        .strided_inputs = 1,
                                        .infer = diagonal_infer,
                                        .view = diagonal_view,
                                        .grad = diagonal_grad,
                                        .cases = diagonal_cases,
                                        .tolerance_reason = "moves no data"};

/* ---- builders ---- */

quartic_value quartic_reshape(quartic_graph *graph, quartic_value x, const quartic_shape *shape) {
    QUARTIC_CALL();
    if (!quartic_graph_expect_shape(graph, "reshape", shape)) return (quartic_value){0};
    view_attrs attrs = {.shape = *shape};
    return quartic_graph_append_one(graph, &quartic_op_reshape, &attrs, &x, 1);
}

quartic_value quartic_permute(quartic_graph *graph, quartic_value x, const uint32_t *axes) {
    QUARTIC_CALL();
    if (!quartic_graph_expect(graph, "permute", &x, 1) ||
        !quartic_graph_expect_pointer(graph, "permute", "axes", axes))
        return (quartic_value){0};
    view_attrs attrs = {.shape.rank = quartic_graph_shape(graph, x).rank};
    memcpy(attrs.shape.dims, axes, attrs.shape.rank * sizeof axes[0]);
    return quartic_graph_append_one(graph, &quartic_op_permute, &attrs, &x, 1);
}

quartic_value quartic_slice(quartic_graph *graph, quartic_value x, uint32_t axis, uint32_t start,
                            uint32_t length) {
    QUARTIC_CALL();
    view_attrs attrs = {.axis = axis, .start = start, .length = length};
    return quartic_graph_append_one(graph, &quartic_op_slice, &attrs, &x, 1);
}

quartic_value quartic_broadcast(quartic_graph *graph, quartic_value x, const quartic_shape *shape) {
    QUARTIC_CALL();
    if (!quartic_graph_expect_shape(graph, "broadcast", shape)) return (quartic_value){0};
    view_attrs attrs = {.shape = *shape};
    return quartic_graph_append_one(graph, &quartic_op_broadcast, &attrs, &x, 1);
}

quartic_value quartic_diagonal(quartic_graph *graph, quartic_value x, uint32_t axis) {
    QUARTIC_CALL();
    view_attrs attrs = {.axis = axis};
    return quartic_graph_append_one(graph, &quartic_op_diagonal, &attrs, &x, 1);
}
