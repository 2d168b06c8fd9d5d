/* fill.c: every element of target = number, in place; float32 or int32. An update, so not
 * differentiable.
 */
#include <math.h>
#include <string.h>

#include "base/call.h"
#include "graph/tape.h"
#include "ops/cases.h"
#include "ops/gpu_plan.h"
#include "ops/update.h"
#include "shaders/fill.args.h"

static quartic_status fill_infer(const quartic_op_call *call, quartic_layout *out, uint32_t *out_count) {
    const fill_attrs *attrs = call->attrs;
    QUARTIC_TRY(quartic_op_expect_inputs("fill", call, 1, 1));
    if (!quartic_is_present(&call->inputs[0]))
        return quartic_fail(QUARTIC_INVALID_ARGUMENT, "fill needs a target, which was left out");
    bool whole = attrs->number == truncf(attrs->number) && fabsf(attrs->number) < 0x1p31f;
    if (call->inputs[0].dtype == QUARTIC_INT32 && !whole)
        return quartic_fail(
            QUARTIC_INVALID_ARGUMENT,
            "fill cannot put %g into an int32 target; give a whole number of magnitude below 2^31",
            (double)attrs->number);
    out[0] = call->inputs[0];
    *out_count = 1;
    return QUARTIC_OK;
}

static void fill_cpu(const quartic_op_run *run) {
    const fill_attrs *attrs = run->attrs;
    const quartic_operand *target = &run->outputs[0];
    uint64_t count = quartic_layout_elements(target->layout);
    for (int64_t i = 0; i < (int64_t)count; ++i)
        if (target->layout->dtype == QUARTIC_INT32)
            ((int32_t *)target->data)[i] = (int32_t)attrs->number;
        else
            quartic_put(target, i, (double)attrs->number);
}

static quartic_status fill_gpu(const quartic_op_call *call, const quartic_gpu_limits *limits,
                               quartic_dispatch_list *list) {
    (void)limits;
    const fill_attrs *attrs = call->attrs;
    uint64_t count = quartic_layout_elements(&call->inputs[0]);
    quartic_fill_args args = {.count = (uint32_t)count};
    if (call->inputs[0].dtype == QUARTIC_INT32)
        args.bits = (int32_t)attrs->number;
    else
        memcpy(&args.bits, &attrs->number, sizeof args.bits);
    quartic_dispatch *dispatch = quartic_dispatch_add(list, "fill", quartic_fill_push(&args));
    if (dispatch == NULL) return QUARTIC_INTERNAL;
    const quartic_layout *const operands[] = {&call->outputs[0]};
    quartic_dispatch_spec(dispatch, quartic_gpu_flat_quads(operands, 1));
    quartic_dispatch_groups(dispatch, quartic_divide_up64(count, 1024));
    dispatch->bytes = 4.0 * (double)count;
    return QUARTIC_OK;
}

static bool fill_cases(uint32_t index, quartic_op_case *out) {
    static const struct {
        const char *label;
        quartic_dtype dtype;
        quartic_shape shape;
        float number;
    } table[] = {{"floats", QUARTIC_FLOAT32, {2, {3, 129}}, -2.5f},
                 {"integers", QUARTIC_INT32, {1, {33}}, 7.0f},
                 {"a scalar", QUARTIC_FLOAT32, {0, {0}}, 1.0f}};
    if (index >= QUARTIC_CASES(table)) return false;
    *out = (quartic_op_case){.label = table[index].label, .input_count = 1};
    *(fill_attrs *)out->attrs = (fill_attrs){table[index].number};
    if (table[index].dtype == QUARTIC_INT32)
        quartic_case_ints(out, 0, table[index].shape, QUARTIC_FILL_INDEX, 100);
    else
        quartic_case_floats(out, 0, table[index].shape, QUARTIC_FILL_NORMAL);
    out->inputs[0].no_gradient = true;
    return true;
}

static double fill_flops(const quartic_op_call *call) {
    (void)call;
    return 0;
}

const quartic_op quartic_op_fill = {
    .name = "fill",
    .attrs_bytes = sizeof(fill_attrs),
    .mutated_inputs = 1,
    .infer = fill_infer,
    .cpu = fill_cpu,
    .gpu = fill_gpu,
    .cases = fill_cases,
    .flops = fill_flops,
    .tolerance = 0,
    .tolerance_reason = "the number is copied",
};

quartic_value quartic_fill(quartic_graph *graph, quartic_value target, float number) {
    QUARTIC_CALL();
    const fill_attrs attrs = {number};
    return quartic_graph_append_one(graph, &quartic_op_fill, &attrs, &target, 1);
}
