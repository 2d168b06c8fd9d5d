/* gather_rows.c: chosen rows of each graph out of a tensor, and back into it; each is the other's adjoint.
 *
 * gather_rows       x (b, m, D), indices int32 (b, k) to out (b, k, D):  out[b, r] = x[b, indices[b, r]]
 * scatter_add_rows  base? (b, m, D), rows (b, k, D), indices (b, k) to out (b, m, D):
 *                   base (or zeros), with rows[b, r] added at indices[b, r]
 *
 * Indices stand in any order, also more than once, and lie in 0 .. m - 1. The CPU devices refuse others; on
 * Vulkan these read zeros and add nothing. Where the indices of a graph ascend, as those of top_k do, the GPU
 * finds the rows that belong to an element by bisection; else it looks at all indices.
 */
#include "base/call.h"
#include "graph/tape.h"
#include "ops/cases.h"
#include "ops/gpu_plan.h"
#include "ops/routing.h"
#include "shaders/gather_rows.args.h"
#include "shaders/scatter_add_rows.args.h"
#include "shaders/scatter_order.args.h"

enum { X, INDICES };
enum { BASE, ROWS, AT };

/* ---- shape rules ---- */

static quartic_status gather_rows_expect_rows(const char *op, const quartic_op_call *call, uint32_t input) {
    QUARTIC_TRY(quartic_op_expect_dtype(op, call, input, QUARTIC_FLOAT32));
    QUARTIC_TRY(quartic_op_expect_rank(op, call, input, 3));
    char text[QUARTIC_SHAPE_TEXT];
    if (quartic_layout_elements(&call->inputs[input]) == 0)
        return quartic_fail(QUARTIC_SHAPE_MISMATCH,
                            "%s got rows of shape %s, which has no elements; give it at least one", op,
                            quartic_shape_text(&call->inputs[input].shape, text));
    return QUARTIC_OK;
}

static quartic_status gather_rows_expect_indices(const char *op, const quartic_op_call *call, uint32_t input,
                                                 uint32_t graphs) {
    QUARTIC_TRY(quartic_op_expect_dtype(op, call, input, QUARTIC_INT32));
    QUARTIC_TRY(quartic_op_expect_rank(op, call, input, 2));
    const quartic_shape *shape = &call->inputs[input].shape;
    char text[QUARTIC_SHAPE_TEXT];
    if (shape->dims[0] == graphs && shape->dims[1] > 0) return QUARTIC_OK;
    return quartic_fail(QUARTIC_SHAPE_MISMATCH,
                        "%s of %u graphs needs indices (%u, k) with k of at least 1, not shape %s", op,
                        graphs, graphs, quartic_shape_text(shape, text));
}

static quartic_status gather_rows_infer(const quartic_op_call *call, quartic_layout *out,
                                        uint32_t *out_count) {
    QUARTIC_TRY(quartic_op_expect_inputs("gather_rows", call, 2, 2));
    QUARTIC_TRY(gather_rows_expect_rows("gather_rows", call, X));
    const uint32_t *x = call->inputs[X].shape.dims;
    QUARTIC_TRY(gather_rows_expect_indices("gather_rows", call, INDICES, x[0]));
    out[0] = quartic_layout_contiguous(QUARTIC_FLOAT32,
                                       &QUARTIC_SHAPE(x[0], call->inputs[INDICES].shape.dims[1], x[2]));
    *out_count = 1;
    return QUARTIC_OK;
}

static quartic_status scatter_add_rows_infer(const quartic_op_call *call, quartic_layout *out,
                                             uint32_t *out_count) {
    const char *op = "scatter_add_rows";
    const quartic_scatter_attrs *attrs = call->attrs;
    QUARTIC_TRY(quartic_op_expect_inputs(op, call, 3, 3));
    QUARTIC_TRY(gather_rows_expect_rows(op, call, ROWS));
    const uint32_t *rows = call->inputs[ROWS].shape.dims;
    QUARTIC_TRY(gather_rows_expect_indices(op, call, AT, rows[0]));
    QUARTIC_TRY(quartic_op_expect_shape(op, call, AT, &QUARTIC_SHAPE(rows[0], rows[1])));
    quartic_shape shape = QUARTIC_SHAPE(rows[0], attrs->rows, rows[2]);
    if (quartic_is_present(&call->inputs[BASE])) {
        QUARTIC_TRY(gather_rows_expect_rows(op, call, BASE));
        shape.dims[1] = call->inputs[BASE].shape.dims[1];
        QUARTIC_TRY(quartic_op_expect_shape(op, call, BASE, &shape));
    } else if (attrs->rows == 0) {
        return quartic_fail(QUARTIC_INVALID_ARGUMENT, "%s needs a base to add the rows to", op);
    }
    out[0] = quartic_layout_contiguous(QUARTIC_FLOAT32, &shape);
    *out_count = 1;
    return QUARTIC_OK;
}

/* ---- reference ---- */

static quartic_status gather_rows_check_indices(const quartic_operand *indices, uint32_t rows) {
    const uint32_t graphs = indices->layout->shape.dims[0], k = indices->layout->shape.dims[1];
    for (uint32_t b = 0; b < graphs; ++b)
        for (uint32_t r = 0; r < k; ++r) {
            const int64_t place = (int64_t)b * k + r;
            const int32_t index = quartic_get_int(indices, place);
            if (index < 0 || (uint32_t)index >= rows)
                return quartic_fail(QUARTIC_INVALID_ARGUMENT,
                                    "index %d at (%u, %u) is none of the %u rows of a graph", index, b, r,
                                    rows);
        }
    return QUARTIC_OK;
}

static quartic_status gather_rows_check(const quartic_op_run *run) {
    return gather_rows_check_indices(&run->inputs[INDICES], run->inputs[X].layout->shape.dims[1]);
}

static quartic_status scatter_add_rows_check(const quartic_op_run *run) {
    return gather_rows_check_indices(&run->inputs[AT], run->outputs[0].layout->shape.dims[1]);
}

static void gather_rows_cpu(const quartic_op_run *run) {
    const uint32_t *x = run->inputs[X].layout->shape.dims; // (b, m, D)
    const uint32_t k = run->inputs[INDICES].layout->shape.dims[1], width = x[2];
    for (int64_t place = 0; place < (int64_t)x[0] * k; ++place) {
        const int64_t row = place / k * x[1] + quartic_get_int(&run->inputs[INDICES], place);
        for (uint32_t c = 0; c < width; ++c)
            quartic_put(&run->outputs[0], place * width + c, quartic_get(&run->inputs[X], row * width + c));
    }
}

/* Scratch: the sums of one graph (m, D). The result may lie where base lies. */
static size_t scatter_add_rows_scratch(const quartic_op_call *call) {
    const uint32_t *out = call->outputs[0].shape.dims;
    return (size_t)out[1] * out[2] * sizeof(double);
}

static void scatter_add_rows_cpu(const quartic_op_run *run) {
    const uint32_t *out = run->outputs[0].layout->shape.dims; // (b, m, D)
    const uint32_t k = run->inputs[AT].layout->shape.dims[1], width = out[2];
    const int64_t graph = (int64_t)out[1] * width;
    double *sums = run->scratch; // (m, D)
    for (uint32_t b = 0; b < out[0]; ++b) {
        for (int64_t i = 0; i < graph; ++i)
            sums[i] = run->inputs[BASE].data == NULL ? 0 : quartic_get(&run->inputs[BASE], b * graph + i);
        for (int64_t place = (int64_t)b * k; place < (int64_t)(b + 1) * k; ++place) {
            double *row = sums + (int64_t)quartic_get_int(&run->inputs[AT], place) * width;
            for (uint32_t c = 0; c < width; ++c) row[c] += quartic_get(&run->inputs[ROWS], place * width + c);
        }
        for (int64_t i = 0; i < graph; ++i) quartic_put(&run->outputs[0], b * graph + i, sums[i]);
    }
}

/* ---- GPU ---- */

static quartic_status gather_rows_gpu(const quartic_op_call *call, const quartic_gpu_limits *limits,
                                      quartic_dispatch_list *list) {
    (void)limits;
    const uint64_t count = quartic_layout_elements(&call->outputs[0]);
    const quartic_gather_rows_args args = {.count = (uint32_t)count,
                                           .m = call->inputs[X].shape.dims[1],
                                           .k = call->inputs[INDICES].shape.dims[1],
                                           .width = call->inputs[X].shape.dims[2]};
    quartic_dispatch *dispatch = quartic_dispatch_add(list, "gather_rows", quartic_gather_rows_push(&args));
    if (dispatch == NULL) return QUARTIC_INTERNAL;
    quartic_dispatch_groups(dispatch, (count + 1023) / 1024);
    dispatch->flops = (double)count;
    dispatch->bytes = 8.0 * (double)count;
    return QUARTIC_OK;
}

static quartic_status scatter_add_rows_gpu(const quartic_op_call *call, const quartic_gpu_limits *limits,
                                           quartic_dispatch_list *list) {
    enum { STRIDE = 8 }; /* indices that the shader looks at in a round where they do not ascend */
    const uint64_t count = quartic_layout_elements(&call->outputs[0]);
    const bool based = quartic_is_present(&call->inputs[BASE]);
    const uint32_t graphs = call->inputs[AT].shape.dims[0], k = call->inputs[AT].shape.dims[1];
    QUARTIC_TRY(quartic_gpu_expect_iterations("scatter_add_rows of this size", limits,
                                              (double)k / (double)STRIDE + 1));
    const uint64_t flags = quartic_dispatch_reserve(list, sizeof(int32_t) * (uint64_t)graphs);
    const quartic_scatter_order_args order_args = {.descends = flags, .graphs = graphs, .k = k};
    quartic_dispatch *order =
        quartic_dispatch_add(list, "scatter_order", quartic_scatter_order_push(&order_args));
    if (order == NULL) return QUARTIC_INTERNAL;
    quartic_dispatch_groups(order, graphs);
    order->flops = order->bytes = 4.0 * (double)graphs * (double)k;
    const quartic_scatter_add_rows_args args = {.descends = flags,
                                                .count = (uint32_t)count,
                                                .m = call->outputs[0].shape.dims[1],
                                                .k = k,
                                                .width = call->outputs[0].shape.dims[2]};
    quartic_dispatch *dispatch =
        quartic_dispatch_add(list, "scatter_add_rows", quartic_scatter_add_rows_push(&args));
    if (dispatch == NULL) return QUARTIC_INTERNAL;
    quartic_dispatch_spec(dispatch, based);
    quartic_dispatch_groups(dispatch, (count + 255) / 256);
    dispatch->flops = 60.0 * (double)count; /* bisection, which is the rule */
    dispatch->bytes = 12.0 * (double)count;
    return QUARTIC_OK;
}

/* ---- gradients ---- */

static quartic_value scatter_add_rows_append(quartic_graph *graph, quartic_value base, quartic_value rows,
                                             quartic_value indices, uint32_t row_count) {
    const quartic_scatter_attrs attrs = {row_count};
    const quartic_value inputs[] = {base, rows, indices};
    return quartic_graph_append_one(graph, &quartic_op_scatter_add_rows, &attrs, inputs, 3);
}

static quartic_status gather_rows_grad(quartic_tape *tape) {
    const quartic_value none = {0};
    if (!quartic_tape_wants(tape, X)) return QUARTIC_OK;
    quartic_tape_give(tape, X,
                      scatter_add_rows_append(quartic_tape_graph(tape), none, quartic_tape_gradient(tape, 0),
                                              quartic_tape_input(tape, INDICES),
                                              quartic_tape_input_layout(tape, X).shape.dims[1]));
    return QUARTIC_OK;
}

static quartic_status scatter_add_rows_grad(quartic_tape *tape) {
    const quartic_value g = quartic_tape_gradient(tape, 0);
    if (quartic_tape_wants(tape, BASE)) quartic_tape_give(tape, BASE, g);
    if (quartic_tape_wants(tape, ROWS))
        quartic_tape_give(tape, ROWS,
                          quartic_gather_rows(quartic_tape_graph(tape), g, quartic_tape_input(tape, AT)));
    return QUARTIC_OK;
}

/* ---- cases and ops ---- */

typedef struct gather_rows_case {
    const char *label;
    uint32_t b, m, k, width;
    quartic_fill_kind fill;
} gather_rows_case;

static const gather_rows_case gather_rows_table[] = {
    {"the only row", 1, 1, 1, 1, QUARTIC_FILL_SORTED_INDEX},
    {"some rows", 3, 36, 10, 7, QUARTIC_FILL_SORTED_INDEX},
    {"single numbers", 2, 257, 65, 1, QUARTIC_FILL_SORTED_INDEX},
    {"all rows, wide", 2, 33, 33, 129, QUARTIC_FILL_SORTED_INDEX},
    {"more indices than rows", 2, 5, 19, 3, QUARTIC_FILL_SORTED_INDEX},
    {"in any order, some often", 3, 17, 43, 5, QUARTIC_FILL_INDEX},
    {"in any order, more than a workgroup", 1, 331, 523, 2, QUARTIC_FILL_INDEX},
    {"the same row always", 2, 1, 9, 3, QUARTIC_FILL_INDEX},
};
enum { SHAPES = QUARTIC_CASES(gather_rows_table) };

static bool gather_rows_cases(uint32_t index, quartic_op_case *out) {
    if (index >= SHAPES) return false;
    const gather_rows_case *from = &gather_rows_table[index];
    *out = (quartic_op_case){.label = from->label, .input_count = 2};
    quartic_case_floats(out, X, QUARTIC_SHAPE(from->b, from->m, from->width), QUARTIC_FILL_NORMAL);
    quartic_case_ints(out, INDICES, QUARTIC_SHAPE(from->b, from->k), from->fill, from->m);
    return true;
}

/* Each shape with a base, then without. */
static bool scatter_add_rows_cases(uint32_t index, quartic_op_case *out) {
    if (index >= 2 * SHAPES) return false;
    const gather_rows_case *from = &gather_rows_table[index % SHAPES];
    *out = (quartic_op_case){.label = from->label, .input_count = 3};
    *(quartic_scatter_attrs *)out->attrs = (quartic_scatter_attrs){from->m};
    if (index < SHAPES)
        quartic_case_floats(out, BASE, QUARTIC_SHAPE(from->b, from->m, from->width), QUARTIC_FILL_NORMAL);
    quartic_case_floats(out, ROWS, QUARTIC_SHAPE(from->b, from->k, from->width), QUARTIC_FILL_NORMAL);
    quartic_case_ints(out, AT, QUARTIC_SHAPE(from->b, from->k), from->fill, from->m);
    return true;
}

static double scatter_add_rows_reduction(const quartic_op_call *call) {
    return 1.0 + call->inputs[AT].shape.dims[1];
}

const quartic_op quartic_op_gather_rows = {
    .name = "gather_rows",
    .infer = gather_rows_infer,
    .check = gather_rows_check,
    .cpu = gather_rows_cpu,
    .gpu = gather_rows_gpu,
    .grad = gather_rows_grad,
    .cases = gather_rows_cases,
    .tolerance = 0,
    .tolerance_reason = "moves bits",
};

const quartic_op quartic_op_scatter_add_rows = {
    .name = "scatter_add_rows",
    .attrs_bytes = sizeof(quartic_scatter_attrs),
    .in_place_inputs = 1u << BASE,
    .infer = scatter_add_rows_infer,
    .check = scatter_add_rows_check,
    .cpu = scatter_add_rows_cpu,
    .cpu_scratch = scatter_add_rows_scratch,
    .gpu = scatter_add_rows_gpu,
    .grad = scatter_add_rows_grad,
    .cases = scatter_add_rows_cases,
    .tolerance = 1,
    .tolerance_reason = "each addition rounds once; a row gets one of them for each equal index",
    .reduction = scatter_add_rows_reduction,
};

quartic_value quartic_gather_rows(quartic_graph *graph, quartic_value x, quartic_value indices) {
    QUARTIC_CALL();
    const quartic_value inputs[] = {x, indices};
    return quartic_graph_append_one(graph, &quartic_op_gather_rows, NULL, inputs, 2);
}

quartic_value quartic_scatter_add_rows(quartic_graph *graph, quartic_value base, quartic_value rows,
                                       quartic_value indices) {
    QUARTIC_CALL();
    return scatter_add_rows_append(graph, base, rows, indices, 0);
}
