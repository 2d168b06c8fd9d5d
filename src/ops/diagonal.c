/* diagonal.c: the view of the diagonal of two neighbouring axes, (.., n, n, ..) to (.., n, ..), and diagonal_add:
 * y = e with d added to its diagonal: e, y (.., n, n, D), d (.., n, D); y_ii = e_ii + d_i.
 *
 * The adjoint of the view pads with zeros, or adds to the diagonal of what the input has from elsewhere. That of
 * diagonal_add: de = g, dd_i = g_ii. diagonal_add may run in place on e. The shader sees that by equal addresses,
 * and then touches only the diagonal.
 */
#include "base/call.h"
#include "graph/tape.h"
#include "ops/cases.h"
#include "ops/view.h"
#include "shaders/diagonal_add.args.h"

/* ---- the view ---- */

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
    const quartic_value others = quartic_tape_collect(tape, 0); /* (.., n, n, rest ..) */
    if (others.id != 0) {
        const quartic_shape whole = quartic_graph_shape(graph, others);
        quartic_shape edges = {4, {1, n, n, 1}}, nodes = {3, {1, n, 1}};
        for (uint32_t a = 0; a < shape.rank; ++a) {
            if (a == attrs->axis) continue;
            edges.dims[a < attrs->axis ? 0 : 3] *= shape.dims[a];
            nodes.dims[a < attrs->axis ? 0 : 2] *= shape.dims[a];
        }
        quartic_value sum = quartic_diagonal_add(graph, quartic_reshape(graph, others, &edges),
                                                 quartic_reshape(graph, d, &nodes));
        quartic_tape_give(tape, 0, quartic_reshape(graph, sum, &whole));
        return QUARTIC_OK;
    }
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

/* ---- diagonal_add ---- */

static quartic_status diagonal_add_infer(const quartic_op_call *call, quartic_layout *out,
                                         uint32_t *out_count) {
    QUARTIC_TRY(quartic_op_expect_inputs("diagonal_add", call, 2, 2));
    QUARTIC_TRY(quartic_op_expect_dtype("diagonal_add", call, 0, QUARTIC_FLOAT32));
    QUARTIC_TRY(quartic_op_expect_dtype("diagonal_add", call, 1, QUARTIC_FLOAT32));
    const quartic_shape *e = &call->inputs[0].shape;
    uint32_t rank = e->rank;
    if (rank < 3 || e->dims[rank - 3] != e->dims[rank - 2]) {
        char text[QUARTIC_SHAPE_TEXT];
        return quartic_fail(QUARTIC_SHAPE_MISMATCH, "diagonal_add needs edges of shape (.., n, n, D), not %s",
                            quartic_shape_text(e, text));
    }
    quartic_shape d = *e;
    d.rank = rank - 1;
    d.dims[rank - 2] = e->dims[rank - 1];
    QUARTIC_TRY(quartic_op_expect_shape("diagonal_add", call, 1, &d));
    out[0] = quartic_layout_contiguous(QUARTIC_FLOAT32, e);
    *out_count = 1;
    return QUARTIC_OK;
}

static void diagonal_add_cpu(const quartic_op_run *run) {
    const quartic_shape *e = &run->outputs[0].layout->shape;
    uint32_t n = e->dims[e->rank - 2], width = e->dims[e->rank - 1];
    int64_t rows = (int64_t)(quartic_shape_elements(e) / width); /* (.., i, j) */
    for (int64_t row = 0; row < rows; ++row) {
        int64_t i = row / n % n, j = row % n;
        int64_t node = row / n; /* (.., i), the row of d on the diagonal */
        for (int64_t c = 0; c < width; ++c) {
            double number = quartic_get(&run->inputs[0], row * width + c);
            if (i == j) number += quartic_get(&run->inputs[1], node * width + c);
            quartic_put(&run->outputs[0], row * width + c, number);
        }
    }
}

static quartic_status diagonal_add_gpu(const quartic_op_call *call, const quartic_gpu_limits *limits,
                                       quartic_dispatch_list *list) {
    (void)limits;
    const quartic_shape *e = &call->inputs[0].shape;
    uint64_t count = quartic_shape_elements(e);
    quartic_diagonal_add_args args = {
        .count = (uint32_t)count, .n = e->dims[e->rank - 2], .width = e->dims[e->rank - 1]};
    quartic_dispatch *dispatch = quartic_dispatch_add(list, "diagonal_add", quartic_diagonal_add_push(&args));
    if (dispatch == NULL) return QUARTIC_INTERNAL;
    quartic_dispatch_groups(dispatch, (count + 1023) / 1024);
    dispatch->flops = (double)count;
    dispatch->bytes = 8.0 * (double)count;
    return QUARTIC_OK;
}

static quartic_status diagonal_add_grad(quartic_tape *tape) {
    quartic_value g = quartic_tape_gradient(tape, 0);
    uint32_t rank = quartic_tape_input_layout(tape, 0).shape.rank;
    if (quartic_tape_wants(tape, 0)) quartic_tape_give(tape, 0, g);
    if (quartic_tape_wants(tape, 1))
        quartic_tape_give(tape, 1, quartic_diagonal(quartic_tape_graph(tape), g, rank - 3));
    return QUARTIC_OK;
}

static bool diagonal_add_cases(uint32_t index, quartic_op_case *out) {
    static const quartic_shape table[] = {{4, {2, 7, 7, 33}}, {3, {1, 1, 5}}, {5, {2, 3, 17, 17, 3}}};
    if (index >= QUARTIC_CASES(table)) return false;
    *out = (quartic_op_case){.label = "edges", .input_count = 2};
    const quartic_shape e = table[index];
    quartic_shape d = e;
    d.rank = e.rank - 1;
    d.dims[e.rank - 2] = e.dims[e.rank - 1];
    quartic_case_floats(out, 0, e, QUARTIC_FILL_NORMAL);
    quartic_case_floats(out, 1, d, QUARTIC_FILL_NORMAL);
    return true;
}

const quartic_op quartic_op_diagonal_add = {
    .name = "diagonal_add",
    .in_place_inputs = 1,
    .infer = diagonal_add_infer,
    .cpu = diagonal_add_cpu,
    .gpu = diagonal_add_gpu,
    .grad = diagonal_add_grad,
    .cases = diagonal_add_cases,
    .tolerance = 1,
    .tolerance_reason = "one rounding",
};

quartic_value quartic_diagonal_add(quartic_graph *graph, quartic_value e, quartic_value d) {
    QUARTIC_CALL();
    const quartic_value inputs[] = {e, d};
    return quartic_graph_append_one(graph, &quartic_op_diagonal_add, NULL, inputs, 2);
}
