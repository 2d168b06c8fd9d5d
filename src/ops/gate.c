/* gate.c: y = x * s with s = sigmoid(gates), a gate for each head of a token: x, y (b, n, H, d), gates (b, n, H).
 *
 * Adjoint: dx = dy * s, dgates = s (1 - s) sum over d of dy * x. Outputs of the adjoint: the wanted ones of dx, dgates
 * and y, which the product after the gate needs for the gradient of its weights and which need not be kept.
 */
#include "ops/gate.h"

#include <math.h>

#include "graph/tape.h"
#include "ops/cases.h"
#include "ops/gpu_plan.h"
#include "ops/rows.h"
#include "ops/strided.h"
#include "shaders/gate.args.h"
#include "shaders/gate_grad.args.h"

/* ---- shape rules ---- */

static quartic_status gate_check(const char *name, const quartic_op_call *call) {
    QUARTIC_TRY(quartic_op_expect_dtype(name, call, GATE_X, QUARTIC_FLOAT32));
    QUARTIC_TRY(quartic_op_expect_dtype(name, call, GATE_GATES, QUARTIC_FLOAT32));
    QUARTIC_TRY(quartic_op_expect_rank(name, call, GATE_X, 4));
    const uint32_t *x = call->inputs[GATE_X].shape.dims;
    return quartic_op_expect_shape(name, call, GATE_GATES, &QUARTIC_SHAPE(x[0], x[1], x[2]));
}

static quartic_status gate_infer(const quartic_op_call *call, quartic_layout *out, uint32_t *out_count) {
    QUARTIC_TRY(quartic_op_expect_inputs("gate", call, GATE_INPUTS, GATE_INPUTS));
    QUARTIC_TRY(gate_check("gate", call));
    out[0] = quartic_layout_contiguous(QUARTIC_FLOAT32, &call->inputs[GATE_X].shape);
    *out_count = 1;
    return QUARTIC_OK;
}

static quartic_status gate_grad_infer(const quartic_op_call *call, quartic_layout *out, uint32_t *out_count) {
    const uint32_t wants = ((const gate_attrs *)call->attrs)->wants;
    QUARTIC_TRY(quartic_op_expect_inputs("gate_grad", call, GATE_GRAD_INPUTS, GATE_GRAD_INPUTS));
    QUARTIC_TRY(gate_check("gate_grad", call));
    QUARTIC_TRY(quartic_op_expect_dtype("gate_grad", call, GATE_DY, QUARTIC_FLOAT32));
    QUARTIC_TRY(quartic_op_expect_shape("gate_grad", call, GATE_DY, &call->inputs[GATE_X].shape));
    uint32_t count = 0;
    for (uint32_t bit = QUARTIC_GATE_WANT_X; bit <= QUARTIC_GATE_WANT_Y; bit *= 2)
        if (wants & bit)
            out[count++] = quartic_layout_contiguous(
                QUARTIC_FLOAT32, &call->inputs[bit == QUARTIC_GATE_WANT_GATES ? GATE_GATES : GATE_X].shape);
    *out_count = count;
    return QUARTIC_OK;
}

/* ---- reference ---- */

static double gate_open(const quartic_op_run *run, int64_t row) {
    return 1.0 / (1.0 + exp(-quartic_get(&run->inputs[GATE_GATES], row)));
}

static void gate_cpu(const quartic_op_run *run) {
    quartic_layout x = *run->inputs[GATE_X].layout;
    const uint32_t width = x.shape.dims[3];
    x.offset = 0;
    for (uint64_t i = 0; i < quartic_layout_elements(&x); ++i)
        quartic_put(&run->outputs[0], (int64_t)i,
                    quartic_get(&run->inputs[GATE_X], quartic_layout_at(&x, i)) *
                        gate_open(run, (int64_t)(i / width)));
}

static void gate_grad_cpu(const quartic_op_run *run) {
    const uint32_t wants = ((const gate_attrs *)run->attrs)->wants;
    quartic_layout x = *run->inputs[GATE_X].layout;
    const uint32_t width = x.shape.dims[3];
    x.offset = 0;
    const uint64_t rows = quartic_layout_elements(&x) / width;
    for (uint64_t row = 0; row < rows; ++row) {
        const double open = gate_open(run, (int64_t)row);
        double sum = 0;
        for (uint64_t i = row * width; i < (row + 1) * width; ++i) {
            const double from = quartic_get(&run->inputs[GATE_X], quartic_layout_at(&x, i)),
                         dy = quartic_get(&run->inputs[GATE_DY], (int64_t)i);
            sum += dy * from;
            if (wants & QUARTIC_GATE_WANT_X) quartic_put(&run->outputs[0], (int64_t)i, dy * open);
            if (wants & QUARTIC_GATE_WANT_Y)
                quartic_put(&run->outputs[gate_output(wants, QUARTIC_GATE_WANT_Y)], (int64_t)i, from * open);
        }
        if (wants & QUARTIC_GATE_WANT_GATES)
            quartic_put(&run->outputs[gate_output(wants, QUARTIC_GATE_WANT_GATES)], (int64_t)row,
                        sum * open * (1 - open));
    }
}

/* ---- Vulkan ---- */

/* The members that both shaders' args share. */
static void gate_set_strides(const quartic_layout *x, uint32_t *extents, int32_t *strides) {
    for (uint32_t axis = 0; axis < 4; ++axis) strides[axis] = (int32_t)x->strides[axis];
    for (uint32_t axis = 1; axis < 4; ++axis) extents[axis - 1] = x->shape.dims[axis];
}

static quartic_status gate_gpu(const quartic_op_call *call, const quartic_gpu_limits *limits,
                               quartic_dispatch_list *list) {
    (void)limits;
    const uint64_t count = quartic_layout_elements(&call->inputs[GATE_X]);
    quartic_gate_args args = {.count = (uint32_t)count};
    const quartic_layout *x = &call->inputs[GATE_X];
    for (uint32_t axis = 0; axis < 4; ++axis) {
        args.dims[axis] = x->shape.dims[axis];
        args.strides[axis] = (int32_t)x->strides[axis];
    }
    quartic_strided_divide(&x->shape, args.divide);
    const bool quads = quartic_in_fours(call->outputs[0].offset);
    const quartic_dispatch_shape shape = {QUARTIC_SPEC(quads ? quartic_strided_quads(x) : QUARTIC_QUAD_NONE),
                                          .groups = quartic_divide_up64(count, 1024),
                                          .flops = 2.0 * (double)count, .bytes = 8.0 * (double)count};
    return quartic_dispatch_append(list, "gate", quartic_gate_push(&args), &shape);
}

static quartic_status gate_grad_gpu(const quartic_op_call *call, const quartic_gpu_limits *limits,
                                    quartic_dispatch_list *list) {
    const uint32_t wants = ((const gate_attrs *)call->attrs)->wants;
    const quartic_layout *x = &call->inputs[GATE_X];
    const uint32_t width = x->shape.dims[3], lanes = quartic_rows_lanes(width);
    const uint64_t count = quartic_layout_elements(x), rows = count / width;
    QUARTIC_TRY(quartic_gpu_expect_iterations("gate_grad", limits, (double)width / lanes + 33));
    quartic_gate_grad_args args = {.rows = (uint32_t)rows};
    if (wants & QUARTIC_GATE_WANT_X) args.dx = quartic_dispatch_output(0);
    if (wants & QUARTIC_GATE_WANT_GATES)
        args.dgates = quartic_dispatch_output(gate_output(wants, QUARTIC_GATE_WANT_GATES));
    if (wants & QUARTIC_GATE_WANT_Y)
        args.y = quartic_dispatch_output(gate_output(wants, QUARTIC_GATE_WANT_Y));
    gate_set_strides(x, args.extents, args.strides);
    const double moved = 2.0 + (wants & QUARTIC_GATE_WANT_X ? 1 : 0) + (wants & QUARTIC_GATE_WANT_Y ? 1 : 0);
    const quartic_dispatch_shape shape = {QUARTIC_SPEC(lanes, wants),
                                          .groups = quartic_rows_groups(rows, lanes),
                                          .flops = 4.0 * (double)count, .bytes = 4.0 * moved * (double)count};
    return quartic_dispatch_append(list, "gate_grad", quartic_gate_grad_push(&args), &shape);
}

/* ---- gradient ---- */

void quartic_gate_gradient(quartic_graph *graph, quartic_value x, quartic_value gates, quartic_value dy,
                           uint32_t wants, quartic_value *outputs) {
    const gate_attrs attrs = {wants};
    const quartic_value inputs[] = {x, gates, dy};
    const uint32_t count = gate_output(wants, 2 * QUARTIC_GATE_WANT_Y);
    for (uint32_t k = 0; k < count; ++k) outputs[k] = (quartic_value){0};
    quartic_graph_append(graph, &quartic_op_gate_grad, &attrs, inputs, GATE_GRAD_INPUTS, outputs, count);
}

static quartic_status gate_tape(quartic_tape *tape) {
    quartic_value gradients[2];
    uint32_t wants = 0;
    for (uint32_t input = GATE_X; input < GATE_INPUTS; ++input)
        if (quartic_tape_wants(tape, input)) wants |= 1u << input;
    if (wants == 0) return QUARTIC_OK;
    quartic_gate_gradient(quartic_tape_graph(tape), quartic_tape_input(tape, GATE_X),
                          quartic_tape_input(tape, GATE_GATES), quartic_tape_gradient(tape, 0), wants,
                          gradients);
    for (uint32_t input = GATE_X; input < GATE_INPUTS; ++input)
        if (wants >> input & 1u) quartic_tape_give(tape, input, gradients[gate_output(wants, 1u << input)]);
    return QUARTIC_OK;
}

/* ---- cases ---- */

static const struct gate_case {
    const char *label;
    quartic_shape x;
    quartic_fill_kind fill;
} gate_shapes[] = {
    {"heads of two batches", {4, {2, 5, 3, 7}}, QUARTIC_FILL_NORMAL},
    {"one element", {4, {1, 1, 1, 1}}, QUARTIC_FILL_NORMAL},
    {"many rows of one element", {4, {1, 517, 3, 1}}, QUARTIC_FILL_NORMAL},
    {"wide heads", {4, {1, 9, 2, 301}}, QUARTIC_FILL_NORMAL},
    {"many heads", {4, {1, 67, 8, 16}}, QUARTIC_FILL_NORMAL},
    {"huge numbers", {4, {1, 3, 2, 5}}, QUARTIC_FILL_HUGE},
};
enum { GATE_CASES = QUARTIC_CASES(gate_shapes) };

static bool gate_cases(uint32_t index, quartic_op_case *out) {
    if (index >= GATE_CASES) return false;
    const quartic_shape x = gate_shapes[index].x;
    *out = (quartic_op_case){.label = gate_shapes[index].label,
                             .input_count = GATE_INPUTS,
                             .no_finite_difference = gate_shapes[index].fill != QUARTIC_FILL_NORMAL};
    quartic_case_floats(out, GATE_X, x, gate_shapes[index].fill);
    quartic_case_floats(out, GATE_GATES, QUARTIC_SHAPE(x.dims[0], x.dims[1], x.dims[2]), QUARTIC_FILL_NORMAL);
    return true;
}

/* The shapes with everything wanted, then every subset. */
static bool gate_grad_cases(uint32_t index, quartic_op_case *out) {
    const uint32_t all = QUARTIC_GATE_WANT_X | QUARTIC_GATE_WANT_GATES | QUARTIC_GATE_WANT_Y;
    if (index >= GATE_CASES + all - 1) return false;
    const bool whole = index < GATE_CASES;
    const struct gate_case *c = &gate_shapes[whole ? index : 0];
    gate_cases(whole ? index : 0, out);
    out->label = whole ? c->label : "some results only";
    out->input_count = GATE_GRAD_INPUTS;
    *(gate_attrs *)out->attrs = (gate_attrs){whole ? all : index - GATE_CASES + 1};
    quartic_case_floats(out, GATE_DY, c->x, QUARTIC_FILL_NORMAL);
    return true;
}

/* ---- the ops ---- */

static double gate_flops(const quartic_op_call *call) {
    return 2.0 * (double)quartic_layout_elements(&call->inputs[GATE_X]);
}

static double gate_grad_flops(const quartic_op_call *call) {
    return 4.0 * (double)quartic_layout_elements(&call->inputs[GATE_X]);
}

static double gate_grad_reduction(const quartic_op_call *call) {
    return call->inputs[GATE_X].shape.dims[3];
}

const quartic_op quartic_op_gate = {
    .name = "gate",
    .strided_inputs = 1u << GATE_X,
    .in_place_inputs = 1u << GATE_X,
    .infer = gate_infer,
    .cpu = gate_cpu,
    .gpu = gate_gpu,
    .grad = gate_tape,
    .cases = gate_cases,
    .flops = gate_flops,
    .tolerance = 8,
    .tolerance_reason = "a sigmoid, as in unary, and a product",
};

const quartic_op quartic_op_gate_grad = {
    .name = "gate_grad",
    .attrs_bytes = sizeof(gate_attrs),
    .strided_inputs = 1u << GATE_X,
    .in_place_inputs = 1u << GATE_DY,
    .infer = gate_grad_infer,
    .cpu = gate_grad_cpu,
    .gpu = gate_grad_gpu,
    .cases = gate_grad_cases,
    .flops = gate_grad_flops,
    .tolerance = 8,
    .tolerance_reason = "a sigmoid and its slope, as in unary_grad, and a sum over the head",
    .reduction = gate_grad_reduction,
};

quartic_value quartic_gate(quartic_graph *graph, quartic_value x, quartic_value gates) {
    const quartic_value inputs[] = {x, gates};
    return quartic_graph_append_one(graph, &quartic_op_gate, NULL, inputs, GATE_INPUTS);
}
