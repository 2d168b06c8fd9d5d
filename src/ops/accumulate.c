/* accumulate.c: target += factor * x, in place; both of one shape. An update, so not differentiable. */
#include <math.h>

#include "base/call.h"
#include "graph/tape.h"
#include "ops/cases.h"
#include "ops/gpu_plan.h"
#include "ops/update.h"
#include "shaders/accumulate.args.h"

static quartic_status accumulate_infer(const quartic_op_call *call, quartic_layout *out,
                                       uint32_t *out_count) {
    const accumulate_attrs *attrs = call->attrs;
    QUARTIC_TRY(quartic_op_expect_inputs("accumulate", call, 2, 2));
    QUARTIC_TRY(quartic_op_expect_dtype("accumulate", call, 0, QUARTIC_FLOAT32));
    QUARTIC_TRY(quartic_op_expect_dtype("accumulate", call, 1, QUARTIC_FLOAT32));
    QUARTIC_TRY(quartic_op_expect_shape("accumulate", call, 1, &call->inputs[0].shape));
    if (!isfinite(attrs->factor))
        return quartic_fail(QUARTIC_INVALID_ARGUMENT, "accumulate got the factor %g; it must be finite",
                            (double)attrs->factor);
    out[0] = call->inputs[0];
    *out_count = 1;
    return QUARTIC_OK;
}

static void accumulate_cpu(const quartic_op_run *run) {
    const accumulate_attrs *attrs = run->attrs;
    uint64_t count = quartic_layout_elements(run->outputs[0].layout);
    for (int64_t i = 0; i < (int64_t)count; ++i)
        quartic_put(&run->outputs[0], i,
                    quartic_get(&run->inputs[0], i) +
                        (double)attrs->factor * quartic_get(&run->inputs[1], i));
}

static quartic_status accumulate_gpu(const quartic_op_call *call, const quartic_gpu_limits *limits,
                                     quartic_dispatch_list *list) {
    (void)limits;
    const accumulate_attrs *attrs = call->attrs;
    uint64_t count = quartic_layout_elements(&call->inputs[0]);
    const quartic_accumulate_args args = {.count = (uint32_t)count, .factor = attrs->factor};
    quartic_dispatch *dispatch = quartic_dispatch_add(list, "accumulate", quartic_accumulate_push(&args));
    if (dispatch == NULL) return QUARTIC_INTERNAL;
    const quartic_layout *const operands[] = {&call->outputs[0], &call->inputs[1]};
    quartic_dispatch_spec(dispatch, quartic_gpu_flat_quads(operands, 2));
    quartic_dispatch_groups(dispatch, quartic_divide_up64(count, 1024));
    dispatch->flops = 2.0 * (double)count;
    dispatch->bytes = 12.0 * (double)count;
    return QUARTIC_OK;
}

static bool accumulate_cases(uint32_t index, quartic_op_case *out) {
    static const struct {
        const char *label;
        quartic_shape shape;
        float factor;
    } table[] = {{"odd count", {2, {3, 129}}, 0.5f},
                 {"a scalar", {0, {0}}, -1.0f},
                 {"over a workgroup", {1, {1031}}, 1.0f}};
    if (index >= QUARTIC_CASES(table)) return false;
    *out = (quartic_op_case){.label = table[index].label, .input_count = 2};
    *(accumulate_attrs *)out->attrs = (accumulate_attrs){table[index].factor};
    for (uint32_t input = 0; input < 2; ++input) {
        quartic_case_floats(out, input, table[index].shape, QUARTIC_FILL_NORMAL);
        out->inputs[input].no_gradient = true;
    }
    return true;
}

const quartic_op quartic_op_accumulate = {
    .name = "accumulate",
    .attrs_bytes = sizeof(accumulate_attrs),
    .mutated_inputs = 1,
    .infer = accumulate_infer,
    .cpu = accumulate_cpu,
    .gpu = accumulate_gpu,
    .cases = accumulate_cases,
    .tolerance = 4,
    .tolerance_reason = "a product and a sum, which may cancel",
};

quartic_value quartic_accumulate(quartic_graph *graph, quartic_value target, quartic_value x, float factor) {
    QUARTIC_CALL();
    const accumulate_attrs attrs = {factor};
    const quartic_value inputs[] = {target, x};
    return quartic_graph_append_one(graph, &quartic_op_accumulate, &attrs, inputs, 2);
}
