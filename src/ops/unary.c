/* unary.c: elementwise functions of one operand, and their adjoint.
 *
 * unary       y = f(x) for the functions of QUARTIC_UNARY_LIST and scale, y = x * factor + offset
 * unary_grad  dx = g * f'(x), computed from s: s = y for exp, sqrt, relu, sigmoid and tanh, whose slope the
 *             output gives; s = x for the others
 *
 * Taking y where possible lets x be freed early. relu's slope at 0 is 0. negate and scale have adjoints among
 * the unary functions themselves.
 */
#include <math.h>

#include "base/call.h"
#include "graph/tape.h"
#include "ops/cases.h"
#include "ops/elementwise.h"
#include "ops/ops.h"
#include "shaders/lib/unary_list.h"
#include "shaders/unary.args.h"
#include "shaders/unary_grad.args.h"

_Static_assert(QUARTIC_UNARY_negate == UNARY_NEGATE && QUARTIC_UNARY_exp == UNARY_EXP &&
                   QUARTIC_UNARY_log == UNARY_LOG && QUARTIC_UNARY_sqrt == UNARY_SQRT &&
                   QUARTIC_UNARY_square == UNARY_SQUARE && QUARTIC_UNARY_relu == UNARY_RELU &&
                   QUARTIC_UNARY_sigmoid == UNARY_SIGMOID && QUARTIC_UNARY_tanh == UNARY_TANH &&
                   QUARTIC_UNARY_silu == UNARY_SILU && QUARTIC_UNARY_gelu == UNARY_GELU &&
                   QUARTIC_UNARY_scale == UNARY_SCALE,
               "shaders/lib/unary_list.h follows QUARTIC_UNARY_LIST");

static const double sqrt_half = 0.70710678118654752440, inverse_sqrt_2pi = 0.39894228040143267794;

static bool unary_slope_from_output(quartic_unary_function function) {
    return function == QUARTIC_UNARY_exp || function == QUARTIC_UNARY_sqrt ||
           function == QUARTIC_UNARY_relu || function == QUARTIC_UNARY_sigmoid ||
           function == QUARTIC_UNARY_tanh;
}

/* ---- unary ---- */

static const char *unary_builder(const void *pointer) {
    static const char *const names[] = {
#define FUNCTION_NAME(name) #name,
        QUARTIC_UNARY_LIST(FUNCTION_NAME) "scale"};
    return names[((const quartic_unary_attrs *)pointer)->function];
}

static quartic_status unary_infer(const quartic_op_call *call, quartic_layout *out, uint32_t *out_count) {
    const char *name = unary_builder(call->attrs);
    QUARTIC_TRY(quartic_op_expect_inputs(name, call, 1, 1));
    QUARTIC_TRY(quartic_op_expect_dtype(name, call, 0, QUARTIC_FLOAT32));
    out[0] = quartic_layout_contiguous(QUARTIC_FLOAT32, &call->inputs[0].shape);
    *out_count = 1;
    return QUARTIC_OK;
}

static double unary_evaluate(const quartic_unary_attrs *attrs, double x) {
    switch (attrs->function) {
    case QUARTIC_UNARY_negate:
        return -x;
    case QUARTIC_UNARY_exp:
        return exp(x);
    case QUARTIC_UNARY_log:
        return log(x);
    case QUARTIC_UNARY_sqrt:
        return sqrt(x);
    case QUARTIC_UNARY_square:
        return x * x;
    case QUARTIC_UNARY_relu:
        return x <= 0 ? 0 : x; /* a NaN stays one */
    case QUARTIC_UNARY_sigmoid:
        return 1 / (1 + exp(-x));
    case QUARTIC_UNARY_tanh:
        return tanh(x);
    case QUARTIC_UNARY_silu:
        return x / (1 + exp(-x));
    case QUARTIC_UNARY_gelu:
        return x * 0.5 * erfc(-x * sqrt_half); /* 1 + erf(t) = erfc(-t) */
    default:
        return x * (double)attrs->factor + (double)attrs->offset;
    }
}

static void unary_cpu(const quartic_op_run *run) {
    quartic_layout x = *run->inputs[0].layout;
    x.offset = 0;
    uint64_t count = quartic_layout_elements(&x);
    for (uint64_t i = 0; i < count; ++i)
        quartic_put(&run->outputs[0], (int64_t)i,
                    unary_evaluate(run->attrs, quartic_get(&run->inputs[0], quartic_layout_at(&x, i))));
}

static quartic_status unary_gpu(const quartic_op_call *call, const quartic_gpu_limits *limits,
                                quartic_dispatch_list *list) {
    (void)limits;
    const quartic_unary_attrs *attrs = call->attrs;
    quartic_layout x = call->inputs[0];
    uint64_t count = quartic_layout_elements(&x);
    quartic_layouts_simplify((quartic_layout *const[]){&x}, 1);
    quartic_unary_args args = {
        .count = (uint32_t)count, .rank = x.shape.rank, .factor = attrs->factor, .offset = attrs->offset};
    for (uint32_t axis = 0; axis < x.shape.rank; ++axis) {
        args.dims[axis] = x.shape.dims[axis];
        args.strides[axis] = (int32_t)x.strides[axis];
    }
    quartic_dispatch *dispatch = quartic_dispatch_add(list, "unary", quartic_unary_push(&args));
    if (dispatch == NULL) return QUARTIC_INTERNAL;
    quartic_dispatch_spec(dispatch, (uint32_t)attrs->function);
    quartic_dispatch_spec(dispatch, quartic_layout_is_contiguous(&x));
    quartic_dispatch_groups(dispatch, (count + 1023) / 1024);
    dispatch->flops = (double)count;
    dispatch->bytes = 8.0 * (double)count;
    return QUARTIC_OK;
}

static quartic_status unary_grad(quartic_tape *tape) {
    const quartic_unary_attrs *attrs = quartic_tape_attrs(tape);
    quartic_graph *graph = quartic_tape_graph(tape);
    quartic_value g = quartic_tape_gradient(tape, 0);
    if (attrs->function == QUARTIC_UNARY_negate)
        quartic_tape_give(tape, 0, quartic_negate(graph, g));
    else if (attrs->function == QUARTIC_UNARY_scale)
        quartic_tape_give(tape, 0, quartic_scale(graph, g, attrs->factor, 0));
    else {
        const quartic_value inputs[] = {g, unary_slope_from_output(attrs->function)
                                               ? quartic_tape_output(tape, 0)
                                               : quartic_tape_input(tape, 0)};
        quartic_tape_give(tape, 0, quartic_graph_append_one(graph, &quartic_op_unary_grad, attrs, inputs, 2));
    }
    return QUARTIC_OK;
}

/* Every function, on a long tensor with outliers and on an odd one without, whose errors outliers would hide.
 * */
static bool unary_cases(uint32_t index, quartic_op_case *out) {
    if (index >= 2 * QUARTIC_UNARY_COUNT) return false;
    quartic_unary_function function = (quartic_unary_function)(index / 2);
    *out = (quartic_op_case){.label = index % 2 ? "small" : "outliers", .input_count = 1};
    *(quartic_unary_attrs *)out->attrs = (quartic_unary_attrs){function, 1.75f, -0.5f};
    const bool positive = function == QUARTIC_UNARY_log || function == QUARTIC_UNARY_sqrt;
    if (index % 2)
        quartic_case_floats(out, 0, QUARTIC_SHAPE(257),
                            positive ? QUARTIC_FILL_POSITIVE : QUARTIC_FILL_SMALL);
    else
        quartic_case_floats(out, 0, QUARTIC_SHAPE(3, 7, 129),
                            positive ? QUARTIC_FILL_POSITIVE : QUARTIC_FILL_NORMAL);
    return true;
}

const quartic_op quartic_op_unary = {
    .name = "unary",
    .attrs_bytes = sizeof(quartic_unary_attrs),
    .strided_inputs = 1,
    .in_place_inputs = 1,
    .builder = unary_builder,
    .infer = unary_infer,
    .cpu = unary_cpu,
    .gpu = unary_gpu,
    .grad = unary_grad,
    .cases = unary_cases,
    .tolerance = 8,
    .tolerance_reason =
        "sigmoid, the worst of lib/functions.h, errs by 2.4 ulp; Vulkan allows divisions 2.5 and "
        "square roots 4.5 more",
};

/* ---- unary_grad: inputs g and s of one shape ---- */

static quartic_status unary_grad_infer(const quartic_op_call *call, quartic_layout *out,
                                       uint32_t *out_count) {
    QUARTIC_TRY(quartic_op_expect_inputs("unary_grad", call, 2, 2));
    QUARTIC_TRY(quartic_op_expect_dtype("unary_grad", call, 0, QUARTIC_FLOAT32));
    QUARTIC_TRY(quartic_op_expect_dtype("unary_grad", call, 1, QUARTIC_FLOAT32));
    QUARTIC_TRY(quartic_op_expect_shape("unary_grad", call, 1, &call->inputs[0].shape));
    out[0] = quartic_layout_contiguous(QUARTIC_FLOAT32, &call->inputs[0].shape);
    *out_count = 1;
    return QUARTIC_OK;
}

/* f'(x) from s, which is f(x) or x as slope_from_output says. */
static double unary_slope(quartic_unary_function function, double s) {
    switch (function) {
    case QUARTIC_UNARY_exp:
        return s;
    case QUARTIC_UNARY_log:
        return 1 / s;
    case QUARTIC_UNARY_sqrt:
        return 0.5 / s;
    case QUARTIC_UNARY_square:
        return 2 * s;
    case QUARTIC_UNARY_relu:
        return s <= 0 ? 0 : 1;
    case QUARTIC_UNARY_sigmoid:
        return s * (1 - s);
    case QUARTIC_UNARY_tanh:
        return 1 - s * s;
    case QUARTIC_UNARY_silu: {
        double y = 1 / (1 + exp(-s));
        return y * (1 + s * (1 - y));
    }
    default:
        return 0.5 * erfc(-s * sqrt_half) + s * exp(-0.5 * s * s) * inverse_sqrt_2pi; /* gelu */
    }
}

static void unary_grad_cpu(const quartic_op_run *run) {
    const quartic_unary_attrs *attrs = run->attrs;
    quartic_layout g = *run->inputs[0].layout, s = *run->inputs[1].layout;
    g.offset = s.offset = 0;
    uint64_t count = quartic_layout_elements(&g);
    for (uint64_t i = 0; i < count; ++i)
        quartic_put(&run->outputs[0], (int64_t)i,
                    quartic_get(&run->inputs[0], quartic_layout_at(&g, i)) *
                        unary_slope(attrs->function, quartic_get(&run->inputs[1], quartic_layout_at(&s, i))));
}

static quartic_status unary_grad_gpu(const quartic_op_call *call, const quartic_gpu_limits *limits,
                                     quartic_dispatch_list *list) {
    (void)limits;
    const quartic_unary_attrs *attrs = call->attrs;
    quartic_layout g = call->inputs[0], s = call->inputs[1];
    uint64_t count = quartic_layout_elements(&g);
    quartic_layouts_simplify((quartic_layout *const[]){&g, &s}, 2);
    quartic_unary_grad_args args = {.count = (uint32_t)count, .rank = g.shape.rank};
    for (uint32_t axis = 0; axis < g.shape.rank; ++axis) {
        args.dims[axis] = g.shape.dims[axis];
        args.g_strides[axis] = (int32_t)g.strides[axis];
        args.s_strides[axis] = (int32_t)s.strides[axis];
    }
    quartic_dispatch *dispatch = quartic_dispatch_add(list, "unary_grad", quartic_unary_grad_push(&args));
    if (dispatch == NULL) return QUARTIC_INTERNAL;
    quartic_dispatch_spec(dispatch, (uint32_t)attrs->function);
    quartic_dispatch_spec(dispatch, quartic_layout_is_contiguous(&g) && quartic_layout_is_contiguous(&s));
    quartic_dispatch_groups(dispatch, (count + 1023) / 1024);
    dispatch->flops = 2.0 * (double)count;
    dispatch->bytes = 12.0 * (double)count;
    return QUARTIC_OK;
}

static bool unary_grad_cases(uint32_t index, quartic_op_case *out) {
    uint32_t function = QUARTIC_UNARY_exp + index; /* negate and scale have no kernel here */
    if (function >= QUARTIC_UNARY_scale) return false;
    *out = (quartic_op_case){.label = "slope", .input_count = 2};
    *(quartic_unary_attrs *)out->attrs = (quartic_unary_attrs){.function = (quartic_unary_function)function};
    for (uint32_t k = 0; k < 2; ++k) {
        quartic_case_floats(out, k, QUARTIC_SHAPE(5, 7, 33), QUARTIC_FILL_NORMAL);
        out->inputs[k].no_gradient = true;
    }
    if (function == QUARTIC_UNARY_log || function == QUARTIC_UNARY_sqrt)
        out->inputs[1].fill = QUARTIC_FILL_POSITIVE;
    return true;
}

const quartic_op quartic_op_unary_grad = {
    .name = "unary_grad",
    .attrs_bytes = sizeof(quartic_unary_attrs),
    .strided_inputs = 3,
    .in_place_inputs = 3,
    .infer = unary_grad_infer,
    .cpu = unary_grad_cpu,
    .gpu = unary_grad_gpu,
    .cases = unary_grad_cases,
    .tolerance = 8,
    .tolerance_reason =
        "sigmoid, the worst of lib/functions.h, errs by 2.4 ulp, Vulkan allows a division 2.5 more, "
        "and silu multiplies three such factors",
};

/* ---- builders ---- */

static quartic_value unary_append(quartic_graph *graph, quartic_value x, quartic_unary_attrs attrs) {
    return quartic_graph_append_one(graph, &quartic_op_unary, &attrs, &x, 1);
}

#define UNARY_BUILDER(name)                                                                                  \
    quartic_value quartic_##name(quartic_graph *graph, quartic_value x) {                                    \
        QUARTIC_CALL();                                                                                      \
        return unary_append(graph, x, (quartic_unary_attrs){.function = QUARTIC_UNARY_##name});              \
    }
QUARTIC_UNARY_LIST(UNARY_BUILDER)

quartic_value quartic_scale(quartic_graph *graph, quartic_value x, float factor, float offset) {
    QUARTIC_CALL();
    return unary_append(graph, x, (quartic_unary_attrs){QUARTIC_UNARY_scale, factor, offset});
}
