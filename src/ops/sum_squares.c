/* sum_squares.c: the sum of the squares of all elements, a scalar; the gradient is 2 x g.
 *
 * Vulkan sums in two stages with a fixed order: each workgroup sums elements at a stride, then one workgroup
 * sums their results.
 */
#include "base/call.h"
#include "graph/tape.h"
#include "ops/cases.h"
#include "ops/ops.h"
#include "ops/rows.h"
#include "shaders/sum_squares.args.h"

enum { PER_INVOCATION = 8, MAX_GROUPS = 512 };

static quartic_status sum_squares_infer(const quartic_op_call *call, quartic_layout *out,
                                        uint32_t *out_count) {
    QUARTIC_TRY(quartic_op_expect_inputs("sum_squares", call, 1, 1));
    QUARTIC_TRY(quartic_op_expect_dtype("sum_squares", call, 0, QUARTIC_FLOAT32));
    out[0] = quartic_layout_contiguous(QUARTIC_FLOAT32, &(quartic_shape){0});
    *out_count = 1;
    return QUARTIC_OK;
}

static void sum_squares_cpu(const quartic_op_run *run) {
    const quartic_operand *x = &run->inputs[0];
    uint64_t count = quartic_layout_elements(x->layout);
    double sum = 0;
    for (int64_t i = 0; i < (int64_t)count; ++i) sum += quartic_get(x, i) * quartic_get(x, i);
    quartic_put(&run->outputs[0], 0, sum);
}

/* One stage. square: whether the numbers are squared first. x and result: marks from dispatch.h. */
static quartic_status sum_squares_add_stage(quartic_dispatch_list *list, uint32_t square, uint64_t count,
                                            uint32_t groups, uint64_t x, uint64_t result) {
    const quartic_sum_squares_args args = {
        .x = x, .result = result, .count = (uint32_t)count, .groups = groups};
    quartic_dispatch *dispatch = quartic_dispatch_add(list, "sum_squares", quartic_sum_squares_push(&args));
    if (dispatch == NULL) return QUARTIC_INTERNAL;
    quartic_dispatch_spec(dispatch, square);
    quartic_dispatch_groups(dispatch, groups);
    dispatch->flops = 2.0 * (double)count;
    dispatch->bytes = 4.0 * (double)count;
    return QUARTIC_OK;
}

static quartic_status sum_squares_gpu(const quartic_op_call *call, const quartic_gpu_limits *limits,
                                      quartic_dispatch_list *list) {
    (void)limits;
    const uint64_t x = quartic_dispatch_input(0), result = quartic_dispatch_output(0);
    uint64_t count = quartic_layout_elements(&call->inputs[0]);
    uint64_t per_group = PER_INVOCATION * QUARTIC_ROWS_INVOCATIONS,
             groups = (count + per_group - 1) / per_group;
    if (groups > MAX_GROUPS) groups = MAX_GROUPS;
    if (groups == 1) return sum_squares_add_stage(list, 1, count, 1, x, result);
    const uint64_t partial = quartic_dispatch_reserve(list, groups * sizeof(float));
    QUARTIC_TRY(sum_squares_add_stage(list, 1, count, (uint32_t)groups, x, partial));
    return sum_squares_add_stage(list, 0, groups, 1, partial, result);
}

static quartic_status sum_squares_grad(quartic_tape *tape) {
    if (!quartic_tape_wants(tape, 0)) return QUARTIC_OK;
    quartic_graph *graph = quartic_tape_graph(tape);
    quartic_value twice = quartic_scale(graph, quartic_tape_gradient(tape, 0), 2.0f, 0.0f);
    quartic_tape_give(tape, 0, quartic_multiply(graph, quartic_tape_input(tape, 0), twice));
    return QUARTIC_OK;
}

static bool sum_squares_cases(uint32_t index, quartic_op_case *out) {
    static const struct {
        const char *label;
        quartic_shape shape;
        bool large;
    } table[] = {{"odd count", {3, {3, 5, 33}}, false},
                 {"one element", {1, {1}}, false},
                 {"a scalar", {0, {0}}, false},
                 {"several workgroups", {2, {129, 257}}, true}};
    if (index >= QUARTIC_CASES(table)) return false;
    *out = (quartic_op_case){
        .label = table[index].label, .input_count = 1, .no_finite_difference = table[index].large};
    quartic_case_floats(out, 0, table[index].shape, QUARTIC_FILL_NORMAL);
    return true;
}

static double sum_squares_count(const quartic_op_call *call) {
    return (double)quartic_layout_elements(&call->inputs[0]);
}
static double sum_squares_flops(const quartic_op_call *call) {
    return 2.0 * sum_squares_count(call);
}

const quartic_op quartic_op_sum_squares = {
    .name = "sum_squares",
    .infer = sum_squares_infer,
    .cpu = sum_squares_cpu,
    .gpu = sum_squares_gpu,
    .grad = sum_squares_grad,
    .cases = sum_squares_cases,
    .flops = sum_squares_flops,
    .tolerance = 2,
    .tolerance_reason = "a sum of positive terms",
    .reduction = sum_squares_count,
};

quartic_value quartic_sum_squares(quartic_graph *graph, quartic_value x) {
    QUARTIC_CALL();
    return quartic_graph_append_one(graph, &quartic_op_sum_squares, NULL, &x, 1);
}
