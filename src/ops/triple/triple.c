/* triple.c: attention of every edge of a graph over pairs of pivots, and its adjoint.
 *
 * triple_attention       q, q2, k, k2, v, v2 (b, n, n, h, d), bias (b, n, n, h), mask? to out (b, n, n, h, d),
 *                        lse (b, n, n, h)
 * triple_attention_grad  those, out, lse, g = the cotangent of out, to dq, dq2, dk, dk2, dv, dv2, dbias
 *
 * Formulas: problem.h. The forward op keeps no more than lse. The adjoint computes the scores again; each
 * element of a gradient is summed by one owner, so nothing of size n^3 is stored and the order of additions is
 * fixed. Edges without a visible pair (with causality all j > i) give zeros.
 */
#include "base/call.h"
#include "graph/tape.h"
#include "ops/cases.h"
#include "ops/edges.h"
#include "ops/triple/problem.h"

/* ---- shape rules ---- */

static quartic_status triple_check_operands(const char *op, const quartic_op_call *call) {
    QUARTIC_TRY(quartic_edges_expect_pivotal(op, call, QUARTIC_TRIPLE_Q));
    const quartic_shape *q = &call->inputs[QUARTIC_TRIPLE_Q].shape, narrow = quartic_edges_narrow(q),
                        mask = QUARTIC_SHAPE(q->dims[0], q->dims[1]);
    for (uint32_t input = QUARTIC_TRIPLE_Q2; input <= QUARTIC_TRIPLE_V2; ++input)
        QUARTIC_TRY(quartic_edges_expect(op, call, input, QUARTIC_FLOAT32, q));
    QUARTIC_TRY(quartic_edges_expect(op, call, QUARTIC_TRIPLE_BIAS, QUARTIC_FLOAT32, &narrow));
    return quartic_edges_expect_optional(op, call, QUARTIC_TRIPLE_MASK, QUARTIC_INT32, &mask);
}

static quartic_status triple_infer(const quartic_op_call *call, quartic_layout *out, uint32_t *out_count) {
    const char *op = "triple_attention";
    QUARTIC_TRY(quartic_op_expect_inputs(op, call, QUARTIC_TRIPLE_OUT, QUARTIC_TRIPLE_OUT));
    QUARTIC_TRY(triple_check_operands(op, call));
    const quartic_shape *q = &call->inputs[QUARTIC_TRIPLE_Q].shape, narrow = quartic_edges_narrow(q);
    out[0] = quartic_layout_contiguous(QUARTIC_FLOAT32, q);
    out[1] = quartic_layout_contiguous(QUARTIC_FLOAT32, &narrow);
    *out_count = 2;
    return QUARTIC_OK;
}

static quartic_status triple_grad_infer(const quartic_op_call *call, quartic_layout *out,
                                        uint32_t *out_count) {
    const char *op = "triple_attention_grad";
    QUARTIC_TRY(quartic_op_expect_inputs(op, call, QUARTIC_TRIPLE_INPUTS, QUARTIC_TRIPLE_INPUTS));
    QUARTIC_TRY(triple_check_operands(op, call));
    const quartic_shape *q = &call->inputs[QUARTIC_TRIPLE_Q].shape, narrow = quartic_edges_narrow(q);
    QUARTIC_TRY(quartic_edges_expect_saved(op, call, QUARTIC_TRIPLE_Q, QUARTIC_TRIPLE_OUT));
    for (uint32_t k = 0; k < QUARTIC_TRIPLE_GRADIENTS; ++k)
        out[k] = quartic_layout_contiguous(QUARTIC_FLOAT32, k == QUARTIC_TRIPLE_BIAS ? &narrow : q);
    *out_count = QUARTIC_TRIPLE_GRADIENTS;
    return QUARTIC_OK;
}

/* ---- gradient ---- */

/* The public builder hands out only `out`, so lse never has a cotangent. */
static quartic_status triple_rule(quartic_tape *tape) {
    quartic_value inputs[QUARTIC_TRIPLE_INPUTS], gradients[QUARTIC_TRIPLE_GRADIENTS] = {{0}};
    for (uint32_t k = 0; k < QUARTIC_TRIPLE_OUT; ++k) inputs[k] = quartic_tape_input(tape, k);
    inputs[QUARTIC_TRIPLE_OUT] = quartic_tape_output(tape, 0);
    inputs[QUARTIC_TRIPLE_LSE] = quartic_tape_output(tape, 1);
    inputs[QUARTIC_TRIPLE_G] = quartic_tape_gradient(tape, 0);
    QUARTIC_TRY(quartic_graph_append(quartic_tape_graph(tape), &quartic_op_triple_attention_grad,
                                     quartic_tape_attrs(tape), inputs, QUARTIC_TRIPLE_INPUTS, gradients,
                                     QUARTIC_TRIPLE_GRADIENTS));
    for (uint32_t k = 0; k < QUARTIC_TRIPLE_GRADIENTS; ++k)
        if (quartic_tape_wants(tape, k)) quartic_tape_give(tape, k, gradients[k]);
    return QUARTIC_OK;
}

/* ---- cases ---- */

typedef struct triple_case {
    const char *label;
    uint32_t b, n, h, d;
    bool masked, causal;
    quartic_fill_kind mask_fill;
} triple_case;

/* Sizes leave remainders in every tile: of pivots, of components in fours and in slices. */
static const triple_case triple_table[] = {
    {"one node", .b = 2, .n = 1, .h = 2, .d = 3},
    {"two nodes", .b = 1, .n = 2, .h = 3, .d = 5},
    {"two nodes, causal", .b = 1, .n = 2, .h = 2, .d = 8, QUARTIC_CASE_CAUSAL},
    {"five nodes, masked", .b = 2, .n = 5, .h = 2, .d = 7, QUARTIC_CASE_MASKED},
    {"every pivot hidden", .b = 1, .n = 5, .h = 1, .d = 8, QUARTIC_CASE_ALL_MASKED},
    {"seven nodes, causal", .b = 1, .n = 7, .h = 2, .d = 6, QUARTIC_CASE_CAUSAL},
    {"six nodes, causal, masked", .b = 3, .n = 6, .h = 1, .d = 3, QUARTIC_CASE_MASKED, QUARTIC_CASE_CAUSAL},
    {"nine nodes", .b = 1, .n = 9, .h = 2, .d = 1},
    {"17 nodes, causal", .b = 1, .n = 17, .h = 1, .d = 5, QUARTIC_CASE_CAUSAL},
    {"19 nodes, masked", .b = 1, .n = 19, .h = 1, .d = 4, QUARTIC_CASE_MASKED},
    {"35 nodes", .b = 1, .n = 35, .h = 1, .d = 2},
    {"34 nodes, causal, masked", .b = 1, .n = 34, .h = 1, .d = 3, QUARTIC_CASE_MASKED, QUARTIC_CASE_CAUSAL},
    {"the usual head", .b = 1, .n = 8, .h = 1, .d = 32},
    {"odd wide heads, causal, masked", .b = 1, .n = 5, .h = 1, .d = 37, QUARTIC_CASE_MASKED,
     QUARTIC_CASE_CAUSAL},
    {"wide heads, masked", .b = 1, .n = 4, .h = 1, .d = 130, QUARTIC_CASE_MASKED},
};

static bool triple_cases(uint32_t index, quartic_op_case *out) {
    if (index >= QUARTIC_CASES(triple_table)) return false;
    const triple_case *from = &triple_table[index];
    *out = (quartic_op_case){.label = from->label, .input_count = QUARTIC_TRIPLE_OUT};
    *(quartic_triple_options *)out->attrs = (quartic_triple_options){.causal = from->causal, .scale = 0.5f};
    const quartic_shape wide = QUARTIC_SHAPE(from->b, from->n, from->n, from->h, from->d);
    for (uint32_t input = QUARTIC_TRIPLE_Q; input <= QUARTIC_TRIPLE_V2; ++input) {
        const bool scores = input <= QUARTIC_TRIPLE_K2;
        quartic_case_floats(out, input, wide, scores ? QUARTIC_FILL_SMALL : QUARTIC_FILL_NORMAL);
        /* With one pair A is 1 whatever the scores: their gradients are zero but for rounding. */
        out->inputs[input].no_gradient = from->n == 1 && scores;
    }
    quartic_case_floats(out, QUARTIC_TRIPLE_BIAS, quartic_edges_narrow(&wide), QUARTIC_FILL_NORMAL);
    out->inputs[QUARTIC_TRIPLE_BIAS].no_gradient = from->n == 1;
    if (from->masked)
        quartic_case_ints(out, QUARTIC_TRIPLE_MASK, QUARTIC_SHAPE(from->b, from->n), from->mask_fill, 0);
    return true;
}

static bool triple_grad_cases(uint32_t index, quartic_op_case *out) {
    if (!triple_cases(index, out)) return false;
    out->input_count = QUARTIC_TRIPLE_INPUTS;
    out->inputs[QUARTIC_TRIPLE_BIAS].fill = QUARTIC_FILL_SMALL;
    quartic_edges_saved_case(out, QUARTIC_TRIPLE_Q, QUARTIC_TRIPLE_OUT);
    return true;
}

/* ---- ops ---- */

static double triple_flops(const quartic_op_call *call) {
    const quartic_triple_problem problem = quartic_triple_of_call(call);
    return quartic_triple_flops(&problem, call->input_count == QUARTIC_TRIPLE_INPUTS);
}

/* A sum over components inside a sum over pairs of nodes. */
static double triple_reduction(const quartic_op_call *call) {
    const quartic_shape *q = &call->inputs[QUARTIC_TRIPLE_Q].shape;
    return (double)q->dims[1] * q->dims[1] + q->dims[4];
}

enum { STRIDED_INPUTS = (1 << QUARTIC_TRIPLE_MASK) - 1 }; /* q to bias */

const quartic_op quartic_op_triple_attention = {
    .name = "triple_attention",
    .attrs_bytes = sizeof(quartic_triple_options),
    .strided_inputs = STRIDED_INPUTS,
    .saved_outputs = 1u << 1, /* lse */
    .infer = triple_infer,
    .cpu = quartic_triple_reference,
    .cpu_scratch = quartic_triple_reference_scratch,
    .gpu = quartic_triple_gpu,
    .grad = triple_rule,
    .cases = triple_cases,
    .flops = triple_flops,
    .tolerance = 8,
    .tolerance_reason =
        "as softmax: Vulkan allows exp(x) an error of 3 + 2|x| ulp; scores are sums themselves",
    .reduction = triple_reduction,
};

const quartic_op quartic_op_triple_attention_grad = {
    .name = "triple_attention_grad",
    .attrs_bytes = sizeof(quartic_triple_options),
    .strided_inputs = STRIDED_INPUTS,
    .infer = triple_grad_infer,
    .cpu = quartic_triple_reference_grad,
    .cpu_scratch = quartic_triple_reference_scratch,
    .gpu = quartic_triple_gpu_grad,
    .cases = triple_grad_cases,
    .flops = triple_flops,
    .tolerance = 8,
    .tolerance_reason = "as the forward op; dA - delta is a difference of two sums over components",
    .reduction = triple_reduction,
};

static const quartic_triple_options standard_triple = QUARTIC_TRIPLE_OPTIONS_INIT;
static const quartic_options_type triple_type = QUARTIC_BUILDER_OPTIONS_TYPE(
    quartic_triple_options, QUARTIC_TRIPLE_OPTIONS_INIT, &standard_triple, scale);

quartic_value quartic_triple_attention(quartic_graph *graph, quartic_value q, quartic_value q2,
                                       quartic_value k, quartic_value k2, quartic_value v, quartic_value v2,
                                       quartic_value bias, quartic_value mask,
                                       const quartic_triple_options *options) {
    QUARTIC_CALL();
    quartic_triple_options own;
    if (!quartic_graph_options(graph, &triple_type, options, &own) ||
        !quartic_graph_expect_factor(graph, "triple_attention", "scale", own.scale))
        return (quartic_value){0};
    const quartic_value inputs[] = {q, q2, k, k2, v, v2, bias, mask};
    return quartic_graph_append_one(graph, &quartic_op_triple_attention, &own, inputs, QUARTIC_TRIPLE_OUT);
}
