/* assign.c: target = x, in place; both of one shape. Not differentiable: it is an update.
 *
 * A plan may have x made in target's memory, and leave the step out (src/plan/assigns.h).
 */
#include "base/call.h"
#include "graph/tape.h"
#include "ops/movement.h"

static quartic_status assign_infer(const quartic_op_call *call, quartic_layout *out, uint32_t *out_count) {
    QUARTIC_TRY(quartic_op_expect_inputs("assign", call, 2, 2));
    QUARTIC_TRY(quartic_op_expect_dtype("assign", call, 0, QUARTIC_FLOAT32));
    QUARTIC_TRY(quartic_op_expect_dtype("assign", call, 1, QUARTIC_FLOAT32));
    QUARTIC_TRY(quartic_op_expect_shape("assign", call, 1, &call->inputs[0].shape));
    out[0] = call->inputs[0];
    *out_count = 1;
    return QUARTIC_OK;
}

static void assign_cpu(const quartic_op_run *run) {
    const uint64_t count = quartic_layout_elements(run->outputs[0].layout);
    for (int64_t i = 0; i < (int64_t)count; ++i)
        quartic_put(&run->outputs[0], i, quartic_get(&run->inputs[1], i));
}

static quartic_status assign_gpu(const quartic_op_call *call, const quartic_gpu_limits *limits,
                                 quartic_dispatch_list *list) {
    (void)limits;
    quartic_layout window = call->outputs[0];
    window.offset = 0; /* counted from the output's first element */
    return quartic_copy_dispatch(list, &call->inputs[1], 1, &window, call->outputs[0].offset);
}

static bool assign_cases(uint32_t index, quartic_op_case *out) {
    static const quartic_shape shapes[] = {{0, {0}}, {2, {3, 129}}, {1, {2051}}};
    if (index >= sizeof shapes / sizeof shapes[0]) return false;
    *out = (quartic_op_case){.label = "numbers over numbers", .input_count = 2};
    for (uint32_t input = 0; input < 2; ++input) {
        out->inputs[input].dtype = QUARTIC_FLOAT32;
        out->inputs[input].shape = shapes[index];
        out->inputs[input].no_gradient = true;
    }
    return true;
}

const quartic_op quartic_op_assign = {
    .name = "assign",
    .mutated_inputs = 1,
    .assigns = true,
    .infer = assign_infer,
    .cpu = assign_cpu,
    .gpu = assign_gpu,
    .cases = assign_cases,
    .tolerance = 0,
    .tolerance_reason = "moves bits",
};

quartic_value quartic_assign(quartic_graph *graph, quartic_value target, quartic_value x) {
    QUARTIC_CALL();
    const quartic_value inputs[] = {target, x};
    return quartic_graph_append_one(graph, &quartic_op_assign, NULL, inputs, 2);
}
