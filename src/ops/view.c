/* view.c: reshape, permute and slice: ops that move no data.
 *
 * Each gives its output's layout from the input's. The adjoint of reshape and permute is another one; the
 * gradient of a slice is given to the tape as that of a part. The views broadcast and diagonal stand in sum.c
 * and diagonal.c, with what their adjoints need.
 */
#include <string.h>

#include "base/call.h"
#include "graph/tape.h"
#include "ops/cases.h"
#include "ops/view.h"

/* ---- reshape ---- */

static quartic_status reshape_infer(const quartic_op_call *call, quartic_layout *out, uint32_t *out_count) {
    return quartic_view_infer(&quartic_op_reshape, call, out, out_count);
}

static quartic_status reshape_view(const void *attrs_pointer, const quartic_layout *in, quartic_layout *out) {
    const quartic_view_attrs *attrs = attrs_pointer;
    uint64_t elements = quartic_shape_elements(&in->shape);
    if (attrs->shape.rank > QUARTIC_MAX_RANK || quartic_shape_elements(&attrs->shape) != elements)
        return quartic_view_failure("reshape", in, attrs);
    if (quartic_layout_is_contiguous(in)) {
        *out = quartic_layout_contiguous(in->dtype, &attrs->shape);
        out->offset = in->offset;
        return QUARTIC_OK;
    }
    return quartic_layout_reshape(in, &attrs->shape, out) ? QUARTIC_OK
                                                          : quartic_view_failure("reshape", in, attrs);
}

static bool reshape_takes_strides(const void *attrs_pointer, uint32_t input, const quartic_layout *layout) {
    const quartic_view_attrs *attrs = attrs_pointer;
    (void)input;
    quartic_layout out;
    return attrs->shape.rank <= QUARTIC_MAX_RANK &&
           quartic_shape_elements(&attrs->shape) == quartic_shape_elements(&layout->shape) &&
           quartic_layout_reshape(layout, &attrs->shape, &out);
}

static quartic_status reshape_grad(quartic_tape *tape) {
    quartic_shape shape = quartic_tape_input_layout(tape, 0).shape;
    quartic_tape_give(tape, 0,
                      quartic_reshape(quartic_tape_graph(tape), quartic_tape_gradient(tape, 0), &shape));
    return QUARTIC_OK;
}

static bool reshape_cases(uint32_t index, quartic_op_case *out) {
    static const quartic_view_case table[] = {
        {"axes cut anew", {2, {6, 20}}, {.shape = {3, {5, 4, 6}}}},
        {"a scalar with axes", {0, {0}}, {.shape = {2, {1, 1}}}},
        {"flat", {6, {2, 3, 1, 2, 5, 3}}, {.shape = {1, {180}}}},
    };
    return quartic_view_cases(table, QUARTIC_CASES(table), index, out);
}

const quartic_op quartic_op_reshape = {.name = "reshape",
                                       .attrs_bytes = sizeof(quartic_view_attrs),
                                       .takes_strides = reshape_takes_strides,
                                       .infer = reshape_infer,
                                       .view = reshape_view,
                                       .grad = reshape_grad,
                                       .cases = reshape_cases,
                                       .tolerance_reason = "moves no data"};

/* ---- permute ---- */

static quartic_status permute_infer(const quartic_op_call *call, quartic_layout *out, uint32_t *out_count) {
    return quartic_view_infer(&quartic_op_permute, call, out, out_count);
}

static quartic_status permute_view(const void *attrs_pointer, const quartic_layout *in, quartic_layout *out) {
    const quartic_view_attrs *attrs = attrs_pointer;
    uint32_t seen = 0;
    *out = *in;
    if (attrs->shape.rank != in->shape.rank) return quartic_view_failure("permute", in, attrs);
    for (uint32_t a = 0; a < in->shape.rank; ++a) {
        uint32_t from = attrs->shape.dims[a];
        if (from >= in->shape.rank || (seen >> from & 1u)) return quartic_view_failure("permute", in, attrs);
        seen |= 1u << from;
        out->shape.dims[a] = in->shape.dims[from];
        out->strides[a] = in->strides[from];
    }
    return QUARTIC_OK;
}

static quartic_status permute_grad(quartic_tape *tape) {
    const quartic_view_attrs *attrs = quartic_tape_attrs(tape);
    uint32_t inverse[QUARTIC_MAX_RANK] = {0};
    for (uint32_t a = 0; a < attrs->shape.rank; ++a) inverse[attrs->shape.dims[a]] = a;
    quartic_tape_give(tape, 0,
                      quartic_permute(quartic_tape_graph(tape), quartic_tape_gradient(tape, 0), inverse));
    return QUARTIC_OK;
}

static bool permute_cases(uint32_t index, quartic_op_case *out) {
    static const quartic_view_case table[] = {
        {"turned", {2, {7, 33}}, {.shape = {2, {1, 0}}}},
        {"one round", {3, {2, 3, 5}}, {.shape = {3, {2, 0, 1}}}},
        {"six axes reversed", {6, {2, 3, 1, 2, 5, 3}}, {.shape = {6, {5, 4, 3, 2, 1, 0}}}},
        {"as it was", {2, {3, 5}}, {.shape = {2, {0, 1}}}},
    };
    return quartic_view_cases(table, QUARTIC_CASES(table), index, out);
}

const quartic_op quartic_op_permute = {.name = "permute",
                                       .attrs_bytes = sizeof(quartic_view_attrs),
                                       .strided_inputs = 1,
                                       .infer = permute_infer,
                                       .view = permute_view,
                                       .grad = permute_grad,
                                       .cases = permute_cases,
                                       .tolerance_reason = "moves no data"};

/* ---- slice ---- */

static quartic_status slice_infer(const quartic_op_call *call, quartic_layout *out, uint32_t *out_count) {
    return quartic_view_infer(&quartic_op_slice, call, out, out_count);
}

static quartic_status slice_view(const void *attrs_pointer, const quartic_layout *in, quartic_layout *out) {
    const quartic_view_attrs *attrs = attrs_pointer;
    if (attrs->axis >= in->shape.rank || attrs->start > in->shape.dims[attrs->axis] ||
        attrs->length > in->shape.dims[attrs->axis] - attrs->start)
        return quartic_view_failure("slice", in, attrs);
    *out = *in;
    out->shape.dims[attrs->axis] = attrs->length;
    out->offset += in->strides[attrs->axis] * (int64_t)attrs->start;
    return QUARTIC_OK;
}

static quartic_status slice_grad(quartic_tape *tape) {
    const quartic_view_attrs *attrs = quartic_tape_attrs(tape);
    quartic_tape_give_part(tape, 0, attrs->axis, attrs->start, quartic_tape_gradient(tape, 0));
    return QUARTIC_OK;
}

static bool slice_cases(uint32_t index, quartic_op_case *out) {
    static const quartic_view_case table[] = {
        {"rows from the middle", {2, {5, 7}}, {.axis = 0, .start = 1, .length = 3}},
        {"the last column", {2, {5, 7}}, {.axis = 1, .start = 6, .length = 1}},
        {"all of it", {3, {2, 3, 4}}, {.axis = 2, .start = 0, .length = 4}},
        {"an axis between", {4, {2, 9, 2, 3}}, {.axis = 1, .start = 4, .length = 4}},
    };
    return quartic_view_cases(table, QUARTIC_CASES(table), index, out);
}

const quartic_op quartic_op_slice = {.name = "slice",
                                     .attrs_bytes = sizeof(quartic_view_attrs),
                                     .strided_inputs = 1,
                                     .infer = slice_infer,
                                     .view = slice_view,
                                     .grad = slice_grad,
                                     .cases = slice_cases,
                                     .tolerance_reason = "moves no data"};

/* ---- builders ---- */

quartic_value quartic_reshape(quartic_graph *graph, quartic_value x, const quartic_shape *shape) {
    QUARTIC_CALL();
    if (!quartic_graph_expect_shape(graph, "reshape", shape)) return (quartic_value){0};
    quartic_view_attrs attrs = {.shape = *shape};
    return quartic_graph_append_one(graph, &quartic_op_reshape, &attrs, &x, 1);
}

quartic_value quartic_permute(quartic_graph *graph, quartic_value x, const uint32_t *axes) {
    QUARTIC_CALL();
    if (!quartic_graph_expect(graph, "permute", &x, 1) ||
        !quartic_graph_expect_pointer(graph, "permute", "axes", axes))
        return (quartic_value){0};
    quartic_view_attrs attrs = {.shape.rank = quartic_graph_shape(graph, x).rank};
    memcpy(attrs.shape.dims, axes, attrs.shape.rank * sizeof axes[0]);
    return quartic_graph_append_one(graph, &quartic_op_permute, &attrs, &x, 1);
}

quartic_value quartic_slice(quartic_graph *graph, quartic_value x, uint32_t axis, uint32_t start,
                            uint32_t length) {
    QUARTIC_CALL();
    quartic_view_attrs attrs = {.axis = axis, .start = start, .length = length};
    return quartic_graph_append_one(graph, &quartic_op_slice, &attrs, &x, 1);
}
