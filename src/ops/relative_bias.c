/* relative_bias.c: a table over the differences of positions, spread over all pairs, and its adjoint.
 *
 * relative_bias       table (2n - 1, D) to out (n, n, D): out[i, j] = table[i - j + n - 1]
 * relative_bias_grad  g (n, n, D) to dtable (2n - 1, D): dtable[r] = sum of g[i, j] over i - j + n - 1 = r,
 *                     along the diagonal in the order of j
 */
#include "base/call.h"
#include "graph/tape.h"
#include "ops/cases.h"
#include "ops/ops.h"
#include "shaders/relative_bias.args.h"
#include "shaders/relative_bias_grad.args.h"

/* ---- relative_bias ---- */

static quartic_status relative_bias_infer(const quartic_op_call *call, quartic_layout *out,
                                          uint32_t *out_count) {
    QUARTIC_TRY(quartic_op_expect_inputs("relative_bias", call, 1, 1));
    QUARTIC_TRY(quartic_op_expect_dtype("relative_bias", call, 0, QUARTIC_FLOAT32));
    QUARTIC_TRY(quartic_op_expect_rank("relative_bias", call, 0, 2));
    const uint32_t *table = call->inputs[0].shape.dims;
    if (table[0] % 2 == 0)
        return quartic_fail(
            QUARTIC_SHAPE_MISMATCH,
            "relative_bias needs a table of 2n - 1 rows, one per difference of positions, not %u", table[0]);
    uint32_t n = table[0] / 2 + 1;
    out[0] = quartic_layout_contiguous(QUARTIC_FLOAT32, &QUARTIC_SHAPE(n, n, table[1]));
    *out_count = 1;
    return QUARTIC_OK;
}

static void relative_bias_cpu(const quartic_op_run *run) {
    const uint32_t *dims = run->outputs[0].layout->shape.dims; /* (i, j, c) */
    int64_t n = dims[0], width = dims[2];
    for (int64_t i = 0; i < n; ++i)
        for (int64_t j = 0; j < n; ++j)
            for (int64_t c = 0; c < width; ++c)
                quartic_put(&run->outputs[0], (i * n + j) * width + c,
                            quartic_get(&run->inputs[0], (i - j + n - 1) * width + c));
}

static quartic_status relative_bias_gpu(const quartic_op_call *call, const quartic_gpu_limits *limits,
                                        quartic_dispatch_list *list) {
    (void)limits;
    const quartic_shape *shape = &call->outputs[0].shape;
    uint64_t count = quartic_shape_elements(shape);
    quartic_relative_bias_args args = {
        .count = (uint32_t)count, .n = shape->dims[0], .width = shape->dims[2]};
    quartic_dispatch *dispatch =
        quartic_dispatch_add(list, "relative_bias", quartic_relative_bias_push(&args));
    if (dispatch == NULL) return QUARTIC_INTERNAL;
    quartic_dispatch_groups(dispatch, (count + 1023) / 1024);
    dispatch->flops = (double)count;
    dispatch->bytes = 4.0 * (double)count;
    return QUARTIC_OK;
}

static quartic_status relative_bias_grad(quartic_tape *tape) {
    quartic_value g = quartic_tape_gradient(tape, 0);
    quartic_tape_give(
        tape, 0,
        quartic_graph_append_one(quartic_tape_graph(tape), &quartic_op_relative_bias_grad, NULL, &g, 1));
    return QUARTIC_OK;
}

static bool relative_bias_cases(uint32_t index, quartic_op_case *out) {
    static const quartic_shape table[] = {{2, {25, 33}}, {2, {1, 5}}, {2, {257, 3}}};
    if (index >= QUARTIC_CASES(table)) return false;
    *out = (quartic_op_case){.label = "differences", .input_count = 1};
    quartic_case_floats(out, 0, table[index], QUARTIC_FILL_NORMAL);
    return true;
}

const quartic_op quartic_op_relative_bias = {
    .name = "relative_bias",
    .infer = relative_bias_infer,
    .cpu = relative_bias_cpu,
    .gpu = relative_bias_gpu,
    .grad = relative_bias_grad,
    .cases = relative_bias_cases,
    .tolerance = 0,
    .tolerance_reason = "moves bits",
};

/* ---- relative_bias_grad ---- */

static quartic_status relative_bias_grad_infer(const quartic_op_call *call, quartic_layout *out,
                                               uint32_t *out_count) {
    QUARTIC_TRY(quartic_op_expect_inputs("relative_bias_grad", call, 1, 1));
    QUARTIC_TRY(quartic_op_expect_dtype("relative_bias_grad", call, 0, QUARTIC_FLOAT32));
    QUARTIC_TRY(quartic_op_expect_rank("relative_bias_grad", call, 0, 3));
    const uint32_t *g = call->inputs[0].shape.dims;
    QUARTIC_TRY(quartic_op_expect_shape("relative_bias_grad", call, 0, &QUARTIC_SHAPE(g[0], g[0], g[2])));
    out[0] = quartic_layout_contiguous(QUARTIC_FLOAT32, &QUARTIC_SHAPE(2 * g[0] - 1, g[2]));
    *out_count = 1;
    return QUARTIC_OK;
}

static void relative_bias_grad_cpu(const quartic_op_run *run) {
    const uint32_t *dims = run->inputs[0].layout->shape.dims; /* (i, j, c) */
    int64_t n = dims[0], width = dims[2];
    for (int64_t difference = 1 - n; difference < n; ++difference)
        for (int64_t c = 0; c < width; ++c) {
            double sum = 0;
            for (int64_t j = 0; j < n; ++j) {
                int64_t i = j + difference;
                if (i >= 0 && i < n) sum += quartic_get(&run->inputs[0], (i * n + j) * width + c);
            }
            quartic_put(&run->outputs[0], (difference + n - 1) * width + c, sum);
        }
}

static quartic_status relative_bias_grad_gpu(const quartic_op_call *call, const quartic_gpu_limits *limits,
                                             quartic_dispatch_list *list) {
    (void)limits;
    const quartic_shape *shape = &call->inputs[0].shape;
    uint32_t n = shape->dims[0], width = shape->dims[2];
    quartic_relative_bias_grad_args args = {.n = n, .width = width};
    quartic_dispatch *dispatch =
        quartic_dispatch_add(list, "relative_bias_grad", quartic_relative_bias_grad_push(&args));
    if (dispatch == NULL) return QUARTIC_INTERNAL;
    quartic_dispatch_groups(dispatch, (2 * (uint64_t)n - 1) * ((width + 31) / 32));
    dispatch->flops = (double)quartic_shape_elements(shape);
    dispatch->bytes = 4.0 * dispatch->flops;
    return QUARTIC_OK;
}

/* Linear in g, so the gradient spreads again. */
static quartic_status relative_bias_grad_grad(quartic_tape *tape) {
    quartic_tape_give(tape, 0,
                      quartic_relative_bias(quartic_tape_graph(tape), quartic_tape_gradient(tape, 0)));
    return QUARTIC_OK;
}

static bool relative_bias_grad_cases(uint32_t index, quartic_op_case *out) {
    static const quartic_shape table[] = {{3, {13, 13, 33}}, {3, {1, 1, 5}}, {3, {129, 129, 3}}};
    if (index >= QUARTIC_CASES(table)) return false;
    *out = (quartic_op_case){.label = "diagonals", .input_count = 1};
    quartic_case_floats(out, 0, table[index], QUARTIC_FILL_NORMAL);
    return true;
}

static double relative_bias_grad_flops(const quartic_op_call *call) {
    return (double)quartic_layout_elements(&call->inputs[0]);
}

static double relative_bias_grad_reduction(const quartic_op_call *call) {
    return call->inputs[0].shape.dims[0];
}

const quartic_op quartic_op_relative_bias_grad = {
    .name = "relative_bias_grad",
    .infer = relative_bias_grad_infer,
    .cpu = relative_bias_grad_cpu,
    .gpu = relative_bias_grad_gpu,
    .grad = relative_bias_grad_grad,
    .cases = relative_bias_grad_cases,
    .flops = relative_bias_grad_flops,
    .tolerance = 4,
    .tolerance_reason = "each addition rounds once; terms of either sign make the sum smaller than they are",
    .reduction = relative_bias_grad_reduction,
};

quartic_value quartic_relative_bias(quartic_graph *graph, quartic_value table) {
    QUARTIC_CALL();
    return quartic_graph_append_one(graph, &quartic_op_relative_bias, NULL, &table, 1);
}
