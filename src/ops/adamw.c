/* adamw.c: one step of AdamW (Loshchilov and Hutter 2019, as torch.optim.AdamW), in place.
 *
 *     norm = gradient_factor * sqrt(squared_norm)
 *     g    = gradient * gradient_factor * min(1, clip / (norm + 1e-6))
 *     m    = beta1 m + (1 - beta1) g
 *     v    = beta2 v + (1 - beta2) g^2
 *     p    = p - rate * decay * p
 *     p    = p - rate * (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps)
 *
 * Parameter p, first moment m, second moment v and gradient have one shape. hyper (8) holds rate, betas, eps,
 * decay, the corrections 1 - beta^t and clip. It is read on the device, so a recorded program serves every
 * step. Without squared_norm (), or with clip 0, nothing is clipped. A squared_norm that is infinite or NaN
 * leaves parameter and moments as they are.
 */
#include <math.h>

#include "base/call.h"
#include "graph/tape.h"
#include "ops/cases.h"
#include "ops/gpu_plan.h"
#include "ops/update.h"
#include "shaders/adamw.args.h"

static quartic_status adamw_infer(const quartic_op_call *call, quartic_layout *out, uint32_t *out_count) {
    const adamw_attrs *attrs = call->attrs;
    QUARTIC_TRY(quartic_op_expect_inputs("adamw", call, ADAMW_INPUTS, ADAMW_INPUTS));
    for (uint32_t input = 0; input < ADAMW_SQUARED_NORM; ++input)
        QUARTIC_TRY(quartic_op_expect_dtype("adamw", call, input, QUARTIC_FLOAT32));
    for (uint32_t input = ADAMW_FIRST; input <= ADAMW_GRADIENT; ++input)
        QUARTIC_TRY(quartic_op_expect_shape("adamw", call, input, &call->inputs[ADAMW_PARAMETER].shape));
    QUARTIC_TRY(quartic_op_expect_shape("adamw", call, ADAMW_HYPER, &QUARTIC_SHAPE(QUARTIC_ADAMW_HYPERS)));
    if (quartic_is_present(&call->inputs[ADAMW_SQUARED_NORM])) {
        QUARTIC_TRY(quartic_op_expect_dtype("adamw", call, ADAMW_SQUARED_NORM, QUARTIC_FLOAT32));
        QUARTIC_TRY(quartic_op_expect_shape("adamw", call, ADAMW_SQUARED_NORM, &(quartic_shape){0}));
    }
    if (!(attrs->gradient_factor > 0.0f && isfinite(attrs->gradient_factor)))
        return quartic_fail(
            QUARTIC_INVALID_ARGUMENT,
            "adamw got the gradient factor %g; give 1 or 1 / the number of accumulated batches",
            (double)attrs->gradient_factor);
    for (uint32_t k = 0; k < 3; ++k) out[k] = call->inputs[k];
    *out_count = 3;
    return QUARTIC_OK;
}

static void adamw_cpu(const quartic_op_run *run) {
    const adamw_attrs *attrs = run->attrs;
    const quartic_operand *squared_norm = &run->inputs[ADAMW_SQUARED_NORM];
    double hyper[QUARTIC_ADAMW_HYPERS];
    for (uint32_t k = 0; k < QUARTIC_ADAMW_HYPERS; ++k) hyper[k] = quartic_get(&run->inputs[ADAMW_HYPER], k);
    double rate = hyper[QUARTIC_ADAMW_RATE], clip = hyper[QUARTIC_ADAMW_CLIP];
    double beta1 = hyper[QUARTIC_ADAMW_BETA1], beta2 = hyper[QUARTIC_ADAMW_BETA2];
    double factor = (double)attrs->gradient_factor;
    if (squared_norm->data != NULL && clip > 0) {
        double norm = (double)attrs->gradient_factor * sqrt(quartic_get(squared_norm, 0));
        factor *= fmin(1.0, clip / (norm + QUARTIC_ADAMW_NORM_EPS));
    }
    /* What is not finite would make everything NaN. */
    if (squared_norm->data != NULL && !isfinite(quartic_get(squared_norm, 0))) return;
    uint64_t count = quartic_layout_elements(run->outputs[0].layout);
    for (int64_t i = 0; i < (int64_t)count; ++i) {
        double g = quartic_get(&run->inputs[ADAMW_GRADIENT], i) * factor;
        double first = beta1 * quartic_get(&run->inputs[ADAMW_FIRST], i) + (1 - beta1) * g;
        double second = beta2 * quartic_get(&run->inputs[ADAMW_SECOND], i) + (1 - beta2) * g * g;
        double parameter = quartic_get(&run->inputs[ADAMW_PARAMETER], i);
        parameter -= rate * hyper[QUARTIC_ADAMW_DECAY] * parameter;
        parameter -= rate * (first / hyper[QUARTIC_ADAMW_CORRECTION1]) /
                     (sqrt(second / hyper[QUARTIC_ADAMW_CORRECTION2]) + hyper[QUARTIC_ADAMW_EPS]);
        quartic_put(&run->outputs[ADAMW_PARAMETER], i, parameter);
        quartic_put(&run->outputs[ADAMW_FIRST], i, first);
        quartic_put(&run->outputs[ADAMW_SECOND], i, second);
    }
}

static quartic_status adamw_gpu(const quartic_op_call *call, const quartic_gpu_limits *limits,
                                quartic_dispatch_list *list) {
    (void)limits;
    const adamw_attrs *attrs = call->attrs;
    uint64_t count = quartic_layout_elements(&call->inputs[ADAMW_PARAMETER]);
    bool has_norm = quartic_is_present(&call->inputs[ADAMW_SQUARED_NORM]);
    const quartic_adamw_args args = {.count = (uint32_t)count, .gradient_factor = attrs->gradient_factor};
    quartic_dispatch *dispatch = quartic_dispatch_add(list, "adamw", quartic_adamw_push(&args));
    if (dispatch == NULL) return QUARTIC_INTERNAL;
    quartic_dispatch_spec(dispatch, has_norm);
    const quartic_layout *const operands[] = {&call->outputs[ADAMW_PARAMETER], &call->outputs[ADAMW_FIRST],
                                              &call->outputs[ADAMW_SECOND], &call->inputs[ADAMW_GRADIENT]};
    quartic_dispatch_spec(dispatch, quartic_gpu_flat_quads(operands, 4));
    quartic_dispatch_groups(dispatch, quartic_divide_up64(count, 1024));
    dispatch->flops = 16.0 * (double)count;
    dispatch->bytes = 28.0 * (double)count;
    return QUARTIC_OK;
}

/* hyper is filled from [0.5, 2), so betas above 1 occur; gradients are small enough for second moments to
 * stay positive. */
static bool adamw_cases(uint32_t index, quartic_op_case *out) {
    static const struct {
        const char *label;
        quartic_shape shape;
        float gradient_factor;
        bool clips;
    } table[] = {{"without clipping", {2, {3, 129}}, 0.5f, false},
                 {"clipped, accumulated gradients", {1, {1031}}, 0.25f, true},
                 {"one element", {1, {1}}, 0.5f, true}};
    if (index >= QUARTIC_CASES(table)) return false;
    *out = (quartic_op_case){.label = table[index].label, .input_count = ADAMW_INPUTS};
    *(adamw_attrs *)out->attrs = (adamw_attrs){table[index].gradient_factor};
    quartic_case_floats(out, ADAMW_PARAMETER, table[index].shape, QUARTIC_FILL_NORMAL);
    quartic_case_floats(out, ADAMW_FIRST, table[index].shape, QUARTIC_FILL_NORMAL);
    quartic_case_floats(out, ADAMW_SECOND, table[index].shape, QUARTIC_FILL_POSITIVE);
    quartic_case_floats(out, ADAMW_GRADIENT, table[index].shape, QUARTIC_FILL_SMALL);
    quartic_case_floats(out, ADAMW_HYPER, QUARTIC_SHAPE(QUARTIC_ADAMW_HYPERS), QUARTIC_FILL_POSITIVE);
    if (table[index].clips)
        quartic_case_floats(out, ADAMW_SQUARED_NORM, (quartic_shape){0}, QUARTIC_FILL_POSITIVE);
    for (uint32_t input = 0; input < ADAMW_INPUTS; ++input)
        out->inputs[input].no_gradient = input != ADAMW_SQUARED_NORM || table[index].clips;
    return true;
}

static double adamw_flops(const quartic_op_call *call) {
    return 16.0 * (double)quartic_layout_elements(&call->inputs[0]);
}

const quartic_op quartic_op_adamw = {
    .name = "adamw",
    .attrs_bytes = sizeof(adamw_attrs),
    .mutated_inputs = 1u << ADAMW_PARAMETER | 1u << ADAMW_FIRST | 1u << ADAMW_SECOND,
    .infer = adamw_infer,
    .cpu = adamw_cpu,
    .gpu = adamw_gpu,
    .cases = adamw_cases,
    .flops = adamw_flops,
    .tolerance = 8,
    .tolerance_reason = "a dozen roundings, with a square root and three divisions of 2.5 ulp on Vulkan",
};

void quartic_adamw(quartic_graph *graph, quartic_value parameter, quartic_value gradient,
                   quartic_value first_moment, quartic_value second_moment, quartic_value hyper,
                   quartic_value squared_norm, float gradient_factor) {
    QUARTIC_CALL();
    const adamw_attrs attrs = {gradient_factor};
    const quartic_value inputs[ADAMW_INPUTS] = {
        [ADAMW_PARAMETER] = parameter, [ADAMW_FIRST] = first_moment, [ADAMW_SECOND] = second_moment,
        [ADAMW_GRADIENT] = gradient,   [ADAMW_HYPER] = hyper,        [ADAMW_SQUARED_NORM] = squared_norm};
    quartic_value outputs[3];
    quartic_graph_append(graph, &quartic_op_adamw, &attrs, inputs, ADAMW_INPUTS, outputs, 3);
}
