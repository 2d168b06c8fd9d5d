/* straight_through.c: ones of the shape of x, with the gradient of x. A choice that is made or not made
 * counts fully where it is made, and is still learned through the weight x that led to it.
 */
#include <string.h>

#include "base/call.h"
#include "graph/tape.h"
#include "ops/cases.h"
#include "ops/ops.h"
#include "shaders/fill.args.h"

static quartic_status straight_through_infer(const quartic_op_call *call, quartic_layout *out,
                                             uint32_t *out_count) {
    QUARTIC_TRY(quartic_op_expect_inputs("straight_through", call, 1, 1));
    QUARTIC_TRY(quartic_op_expect_dtype("straight_through", call, 0, QUARTIC_FLOAT32));
    out[0] = quartic_layout_contiguous(QUARTIC_FLOAT32, &call->inputs[0].shape);
    *out_count = 1;
    return QUARTIC_OK;
}

static void straight_through_cpu(const quartic_op_run *run) {
    const uint64_t count = quartic_layout_elements(run->outputs[0].layout);
    for (int64_t i = 0; i < (int64_t)count; ++i) quartic_put(&run->outputs[0], i, 1);
}

static quartic_status straight_through_gpu(const quartic_op_call *call, const quartic_gpu_limits *limits,
                                           quartic_dispatch_list *list) {
    (void)limits;
    const float one = 1;
    const uint64_t count = quartic_layout_elements(&call->outputs[0]);
    quartic_fill_args args = {.count = (uint32_t)count};
    memcpy(&args.bits, &one, sizeof args.bits);
    quartic_dispatch *dispatch = quartic_dispatch_add(list, "fill", quartic_fill_push(&args));
    if (dispatch == NULL) return QUARTIC_INTERNAL;
    quartic_dispatch_groups(dispatch, (count + 255) / 256);
    dispatch->bytes = 4.0 * (double)count;
    return QUARTIC_OK;
}

static quartic_status straight_through_grad(quartic_tape *tape) {
    quartic_tape_give(tape, 0, quartic_tape_gradient(tape, 0));
    return QUARTIC_OK;
}

static bool straight_through_cases(uint32_t index, quartic_op_case *out) {
    static const quartic_shape table[] = {{0, {0}}, {2, {3, 129}}};
    if (index >= QUARTIC_CASES(table)) return false;
    *out = (quartic_op_case){.label = "weights", .input_count = 1, .no_finite_difference = true};
    quartic_case_floats(out, 0, table[index], QUARTIC_FILL_NORMAL);
    return true;
}

static double straight_through_flops(const quartic_op_call *call) {
    (void)call;
    return 0;
}

const quartic_op quartic_op_straight_through = {
    .name = "straight_through",
    .strided_inputs = 1, /* it is not read */
    .infer = straight_through_infer,
    .cpu = straight_through_cpu,
    .gpu = straight_through_gpu,
    .grad = straight_through_grad,
    .cases = straight_through_cases,
    .flops = straight_through_flops,
    .tolerance = 0,
    .tolerance_reason = "the number is copied",
};

quartic_value quartic_straight_through(quartic_graph *graph, quartic_value x) {
    QUARTIC_CALL();
    return quartic_graph_append_one(graph, &quartic_op_straight_through, NULL, &x, 1);
}
