/* binary.c: elementwise add, subtract, multiply, divide.
 *
 * out = f(a, b) with both operands broadcast to the common shape. The gradient of an operand is summed back
 * to its shape. divide: da = g / b, db = -g * out / b.
 */
#include "base/call.h"
#include "graph/tape.h"
#include "ops/cases.h"
#include "ops/elementwise.h"
#include "ops/movement.h"
#include "shaders/binary.args.h"

static const char *binary_builder(const void *pointer) {
    static const char *const names[] = {
#define FUNCTION_NAME(name) #name,
        QUARTIC_BINARY_LIST(FUNCTION_NAME)};
    return names[((const quartic_binary_attrs *)pointer)->function];
}

static quartic_status binary_infer(const quartic_op_call *call, quartic_layout *out, uint32_t *out_count) {
    const char *name = binary_builder(call->attrs);
    QUARTIC_TRY(quartic_op_expect_inputs(name, call, 2, 2));
    QUARTIC_TRY(quartic_op_expect_dtype(name, call, 0, QUARTIC_FLOAT32));
    QUARTIC_TRY(quartic_op_expect_dtype(name, call, 1, QUARTIC_FLOAT32));
    const quartic_shape *a = &call->inputs[0].shape, *b = &call->inputs[1].shape;
    quartic_shape common;
    if (!quartic_shape_broadcast(a, b, &common)) {
        char a_text[QUARTIC_SHAPE_TEXT], b_text[QUARTIC_SHAPE_TEXT];
        return quartic_fail(
            QUARTIC_SHAPE_MISMATCH,
            "%s cannot broadcast shapes %s and %s together; each pair of axes, aligned at the last, must be "
            "equal or 1",
            name, quartic_shape_text(a, a_text), quartic_shape_text(b, b_text));
    }
    out[0] = quartic_layout_contiguous(QUARTIC_FLOAT32, &common);
    *out_count = 1;
    return QUARTIC_OK;
}

static double binary_evaluate(quartic_binary_function function, double a, double b) {
    switch (function) {
    case QUARTIC_BINARY_add:
        return a + b;
    case QUARTIC_BINARY_subtract:
        return a - b;
    case QUARTIC_BINARY_multiply:
        return a * b;
    default:
        return a / b;
    }
}

static void binary_cpu(const quartic_op_run *run) {
    const quartic_binary_attrs *attrs = run->attrs;
    const quartic_layout *out = run->outputs[0].layout;
    quartic_layout a = quartic_layout_broadcast(run->inputs[0].layout, &out->shape);
    quartic_layout b = quartic_layout_broadcast(run->inputs[1].layout, &out->shape);
    a.offset = b.offset = 0;
    uint64_t count = quartic_layout_elements(out);
    for (uint64_t i = 0; i < count; ++i)
        quartic_put(&run->outputs[0], (int64_t)i,
                    binary_evaluate(attrs->function, quartic_get(&run->inputs[0], quartic_layout_at(&a, i)),
                                    quartic_get(&run->inputs[1], quartic_layout_at(&b, i))));
}

static quartic_status binary_gpu(const quartic_op_call *call, const quartic_gpu_limits *limits,
                                 quartic_dispatch_list *list) {
    (void)limits;
    const quartic_binary_attrs *attrs = call->attrs;
    quartic_layout out = call->outputs[0];
    quartic_layout a = quartic_layout_broadcast(&call->inputs[0], &out.shape);
    quartic_layout b = quartic_layout_broadcast(&call->inputs[1], &out.shape);
    uint64_t count = quartic_layout_elements(&out);
    quartic_layouts_simplify((quartic_layout *const[]){&out, &a, &b}, 3);
    quartic_binary_args args = {.count = (uint32_t)count, .rank = out.shape.rank};
    for (uint32_t axis = 0; axis < out.shape.rank; ++axis) {
        args.dims[axis] = out.shape.dims[axis];
        args.a_strides[axis] = (int32_t)a.strides[axis];
        args.b_strides[axis] = (int32_t)b.strides[axis];
    }
    quartic_dispatch *dispatch = quartic_dispatch_add(list, "binary", quartic_binary_push(&args));
    if (dispatch == NULL) return QUARTIC_INTERNAL;
    quartic_dispatch_spec(dispatch, (uint32_t)attrs->function);
    quartic_dispatch_spec(dispatch, quartic_layout_is_contiguous(&a) && quartic_layout_is_contiguous(&b));
    quartic_dispatch_groups(dispatch, (count + 255) / 256);
    dispatch->flops = (double)count;
    dispatch->bytes = 12.0 * (double)count;
    return QUARTIC_OK;
}

static quartic_status binary_grad(quartic_tape *tape) {
    const quartic_binary_attrs *attrs = quartic_tape_attrs(tape);
    quartic_graph *graph = quartic_tape_graph(tape);
    quartic_value g = quartic_tape_gradient(tape, 0);
    for (uint32_t input = 0; input < 2; ++input) {
        if (!quartic_tape_wants(tape, input)) continue;
        quartic_value d = g;
        switch (attrs->function) {
        case QUARTIC_BINARY_add:
            break;
        case QUARTIC_BINARY_subtract:
            d = input == 0 ? g : quartic_negate(graph, g);
            break;
        case QUARTIC_BINARY_multiply:
            d = quartic_multiply(graph, g, quartic_tape_input(tape, 1 - input));
            break;
        case QUARTIC_BINARY_divide:
            d = quartic_divide(graph, g, quartic_tape_input(tape, 1));
            if (input == 1)
                d = quartic_negate(graph, quartic_multiply(graph, d, quartic_tape_output(tape, 0)));
            break;
        }
        quartic_shape shape = quartic_tape_input_layout(tape, input).shape;
        quartic_tape_give(tape, input, quartic_sum_to(graph, d, &shape));
    }
    return QUARTIC_OK;
}

static bool binary_cases(uint32_t index, quartic_op_case *out) {
    static const struct {
        const char *label;
        quartic_shape a, b;
    } table[] = {
        {"equal shapes", {2, {5, 33}}, {2, {5, 33}}},
        {"last axis repeated", {3, {3, 7, 129}}, {1, {129}}},
        {"outer sum", {4, {2, 5, 1, 31}}, {4, {2, 1, 5, 31}}},
        {"scalar", {1, {257}}, {0, {0}}},
    };
    const uint32_t functions = 4, count = QUARTIC_CASES(table);
    if (index >= functions * count) return false;
    *out = (quartic_op_case){.label = table[index % count].label, .input_count = 2};
    *(quartic_binary_attrs *)out->attrs = (quartic_binary_attrs){(quartic_binary_function)(index / count)};
    const bool divides = index / count == QUARTIC_BINARY_divide;
    quartic_case_floats(out, 0, table[index % count].a, QUARTIC_FILL_NORMAL);
    quartic_case_floats(out, 1, table[index % count].b,
                        divides ? QUARTIC_FILL_POSITIVE : QUARTIC_FILL_NORMAL);
    return true;
}

const quartic_op quartic_op_binary = {
    .name = "binary",
    .attrs_bytes = sizeof(quartic_binary_attrs),
    .strided_inputs = 3,
    .in_place_inputs = 3,
    .builder = binary_builder,
    .infer = binary_infer,
    .cpu = binary_cpu,
    .gpu = binary_gpu,
    .grad = binary_grad,
    .cases = binary_cases,
    .tolerance = 4,
    .tolerance_reason = "one rounding; Vulkan allows a division 2.5 ulp",
};

#define BINARY_BUILDER(name)                                                                                 \
    quartic_value quartic_##name(quartic_graph *graph, quartic_value a, quartic_value b) {                   \
        QUARTIC_CALL();                                                                                      \
        const quartic_binary_attrs attrs = {QUARTIC_BINARY_##name};                                          \
        const quartic_value inputs[] = {a, b};                                                               \
        return quartic_graph_append_one(graph, &quartic_op_binary, &attrs, inputs, 2);                       \
    }
QUARTIC_BINARY_LIST(BINARY_BUILDER)
