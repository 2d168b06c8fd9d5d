/* triangle.c: the op triangle_attention: softmax attention of each edge over the pivots of its triangles.
 *
 * triangle_attention        q, k, v (b, n, n, h, d), v2?, bias? (b, n, n, h), mask? (b, n)
 *                           to out (b, n, n, h, d), lse (b, n, n, h)
 * triangle_attention_grad   the same, out, lse, g = the cotangent of out, to dq, dk, dv and dv2 or dbias
 *
 * Formulas, and which operand lies on which edge: problem.h. The forward op keeps no more than lse. The
 * adjoint computes the scores again; each element of a gradient is summed by one owner, so nothing of size
 * n^3 is stored and the order of additions is fixed. Edges without a visible pivot (with causality all j > i)
 * give zeros.
 */
#include "base/call.h"
#include "graph/tape.h"
#include "ops/cases.h"
#include "ops/edges.h"
#include "ops/triangle/problem.h"

/* ---- shape rules ---- */

static const char *triangle_kind_name(uint32_t kind) {
    return kind == QUARTIC_TRIANGLE_BOTH ? "both" : kind == QUARTIC_TRIANGLE_START ? "start" : "end";
}

static quartic_status triangle_check_operands(const char *op, const quartic_op_call *call) {
    const quartic_triangle_options *options = call->attrs;
    const quartic_shape *q = &call->inputs[QUARTIC_TRIANGLE_Q].shape;
    if (options->kind > QUARTIC_TRIANGLE_END)
        return quartic_fail(QUARTIC_INVALID_ARGUMENT,
                            "the kind of %s is 0 (both), 1 (start) or 2 (end), not %u", op, options->kind);
    QUARTIC_TRY(quartic_edges_expect_pivotal(op, call, QUARTIC_TRIANGLE_Q));
    for (uint32_t input = QUARTIC_TRIANGLE_K; input <= QUARTIC_TRIANGLE_V; ++input)
        QUARTIC_TRY(quartic_edges_expect(op, call, input, QUARTIC_FLOAT32, q));
    const bool both = options->kind == QUARTIC_TRIANGLE_BOTH;
    if (quartic_is_present(&call->inputs[QUARTIC_TRIANGLE_V2]) != both)
        return quartic_fail(QUARTIC_INVALID_ARGUMENT, "%s of kind %s %s", op,
                            triangle_kind_name(options->kind),
                            both ? "needs v2, the values of the pivot's second edge"
                                 : "takes no v2; only the kind both has values of two edges");
    if (both && quartic_is_present(&call->inputs[QUARTIC_TRIANGLE_BIAS]))
        return quartic_fail(QUARTIC_INVALID_ARGUMENT,
                            "%s of kind both takes no bias: its scores use all three edges already", op);
    const quartic_shape narrow = quartic_edges_narrow(q), mask = QUARTIC_SHAPE(q->dims[0], q->dims[1]);
    QUARTIC_TRY(quartic_edges_expect_optional(op, call, QUARTIC_TRIANGLE_V2, QUARTIC_FLOAT32, q));
    QUARTIC_TRY(quartic_edges_expect_optional(op, call, QUARTIC_TRIANGLE_BIAS, QUARTIC_FLOAT32, &narrow));
    return quartic_edges_expect_optional(op, call, QUARTIC_TRIANGLE_MASK, QUARTIC_INT32, &mask);
}

static quartic_status triangle_infer(const quartic_op_call *call, quartic_layout *out, uint32_t *out_count) {
    const char *op = "triangle_attention";
    QUARTIC_TRY(quartic_op_expect_inputs(op, call, QUARTIC_TRIANGLE_OUT, QUARTIC_TRIANGLE_OUT));
    QUARTIC_TRY(triangle_check_operands(op, call));
    const quartic_shape *q = &call->inputs[QUARTIC_TRIANGLE_Q].shape, narrow = quartic_edges_narrow(q);
    out[0] = quartic_layout_contiguous(QUARTIC_FLOAT32, q);
    out[1] = quartic_layout_contiguous(QUARTIC_FLOAT32, &narrow);
    *out_count = 2;
    return QUARTIC_OK;
}

static quartic_status triangle_grad_infer(const quartic_op_call *call, quartic_layout *out,
                                          uint32_t *out_count) {
    const char *op = "triangle_attention_grad";
    QUARTIC_TRY(quartic_op_expect_inputs(op, call, QUARTIC_TRIANGLE_INPUTS, QUARTIC_TRIANGLE_INPUTS));
    QUARTIC_TRY(triangle_check_operands(op, call));
    const quartic_shape *q = &call->inputs[QUARTIC_TRIANGLE_Q].shape, narrow = quartic_edges_narrow(q);
    QUARTIC_TRY(quartic_edges_expect_saved(op, call, QUARTIC_TRIANGLE_Q, QUARTIC_TRIANGLE_OUT));
    const bool v2 = quartic_is_present(&call->inputs[QUARTIC_TRIANGLE_V2]);
    const bool bias = quartic_is_present(&call->inputs[QUARTIC_TRIANGLE_BIAS]);
    for (uint32_t k = QUARTIC_TRIANGLE_DQ; k <= QUARTIC_TRIANGLE_DV; ++k)
        out[k] = quartic_layout_contiguous(QUARTIC_FLOAT32, q);
    if (v2 || bias)
        out[QUARTIC_TRIANGLE_DLAST] = quartic_layout_contiguous(QUARTIC_FLOAT32, v2 ? q : &narrow);
    *out_count = v2 || bias ? 4 : 3;
    return QUARTIC_OK;
}

/* ---- gradient ---- */

static quartic_status triangle_rule(quartic_tape *tape) {
    quartic_value inputs[QUARTIC_TRIANGLE_INPUTS], gradients[4] = {{0}};
    bool wanted = false;
    for (uint32_t k = 0; k < QUARTIC_TRIANGLE_OUT; ++k) {
        inputs[k] = quartic_tape_input(tape, k);
        wanted = wanted || quartic_tape_wants(tape, k);
    }
    inputs[QUARTIC_TRIANGLE_OUT] = quartic_tape_output(tape, 0);
    inputs[QUARTIC_TRIANGLE_LSE] = quartic_tape_output(tape, 1);
    inputs[QUARTIC_TRIANGLE_G] = quartic_tape_gradient(tape, 0);
    if (!wanted || inputs[QUARTIC_TRIANGLE_G].id == 0) return QUARTIC_OK;
    const uint32_t last = inputs[QUARTIC_TRIANGLE_V2].id != 0 ? QUARTIC_TRIANGLE_V2 : QUARTIC_TRIANGLE_BIAS;
    const uint32_t count = inputs[last].id != 0 ? 4 : 3;
    QUARTIC_TRY(quartic_graph_append(quartic_tape_graph(tape), &quartic_op_triangle_attention_grad,
                                     quartic_tape_attrs(tape), inputs, QUARTIC_TRIANGLE_INPUTS, gradients,
                                     count));
    const uint32_t owners[] = {QUARTIC_TRIANGLE_Q, QUARTIC_TRIANGLE_K, QUARTIC_TRIANGLE_V, last};
    for (uint32_t k = 0; k < count; ++k)
        if (quartic_tape_wants(tape, owners[k])) quartic_tape_give(tape, owners[k], gradients[k]);
    return QUARTIC_OK;
}

/* ---- cases ---- */

typedef struct triangle_case {
    const char *label;
    quartic_triangle_kind kind;
    uint32_t b, n, h, d;
    bool bias, masked, causal;
    quartic_fill_kind mask_fill;
} triangle_case;

#define BOTH  .kind = QUARTIC_TRIANGLE_BOTH
#define START .kind = QUARTIC_TRIANGLE_START
#define END   .kind = QUARTIC_TRIANGLE_END
/* Sizes leave remainders in every tile: of edges, of pivots, of components in fours and in slices. Widths
 * repeat so that few pipelines have to be compiled. */
static const triangle_case triangle_table[] = {
    {"one node", BOTH, .b = 2, .n = 1, .h = 2, .d = 3},
    {"two nodes", BOTH, .b = 1, .n = 2, .h = 3, .d = 5},
    {"five nodes, masked", BOTH, .b = 2, .n = 5, .h = 2, .d = 7, QUARTIC_CASE_MASKED},
    {"every pivot hidden", BOTH, .b = 1, .n = 5, .h = 1, .d = 8, QUARTIC_CASE_ALL_MASKED},
    {"31 nodes, causal", BOTH, .b = 1, .n = 31, .h = 1, .d = 6, QUARTIC_CASE_CAUSAL},
    {"odd wide heads, causal, masked", BOTH, .b = 1, .n = 33, .h = 1, .d = 37, QUARTIC_CASE_MASKED,
     QUARTIC_CASE_CAUSAL},
    {"wide heads, masked", BOTH, .b = 1, .n = 19, .h = 1, .d = 70, QUARTIC_CASE_MASKED},
    {"the usual head", BOTH, .b = 1, .n = 33, .h = 1, .d = 32},
    {"one node, start", START, .b = 1, .n = 1, .h = 1, .d = 1, .bias = true},
    {"two nodes, start, masked", START, .b = 3, .n = 2, .h = 1, .d = 8, .bias = true, QUARTIC_CASE_MASKED},
    {"five nodes, start, masked", START, .b = 2, .n = 5, .h = 2, .d = 7, .bias = true, QUARTIC_CASE_MASKED},
    {"every pivot hidden, start", START, .b = 1, .n = 5, .h = 1, .d = 5, .bias = true,
     QUARTIC_CASE_ALL_MASKED},
    {"66 nodes, start, causal", START, .b = 1, .n = 66, .h = 1, .d = 8, .bias = true, QUARTIC_CASE_CAUSAL},
    {"33 nodes, start, masked, no bias", START, .b = 1, .n = 33, .h = 2, .d = 5, QUARTIC_CASE_MASKED},
    {"wide heads, start, masked", START, .b = 1, .n = 19, .h = 1, .d = 64, .bias = true, QUARTIC_CASE_MASKED},
    {"one node, end, causal", END, .b = 1, .n = 1, .h = 2, .d = 3, .bias = true, QUARTIC_CASE_CAUSAL},
    {"two nodes, end, causal", END, .b = 1, .n = 2, .h = 2, .d = 6, .bias = true, QUARTIC_CASE_CAUSAL},
    {"31 nodes, end, causal", END, .b = 1, .n = 31, .h = 2, .d = 8, .bias = true, QUARTIC_CASE_CAUSAL},
    {"five nodes, end, causal, masked", END, .b = 2, .n = 5, .h = 2, .d = 7, .bias = true,
     QUARTIC_CASE_MASKED, QUARTIC_CASE_CAUSAL},
    {"every pivot hidden, end", END, .b = 1, .n = 5, .h = 1, .d = 5, .bias = true, QUARTIC_CASE_ALL_MASKED,
     QUARTIC_CASE_CAUSAL},
    {"odd wide heads, end, causal", END, .b = 1, .n = 9, .h = 1, .d = 37, .bias = true, QUARTIC_CASE_CAUSAL},
    {"the usual head, end", END, .b = 1, .n = 33, .h = 1, .d = 32, .bias = true},
};

static bool triangle_cases(uint32_t index, quartic_op_case *out) {
    if (index >= QUARTIC_CASES(triangle_table)) return false;
    const triangle_case *from = &triangle_table[index];
    *out = (quartic_op_case){.label = from->label, .input_count = QUARTIC_TRIANGLE_OUT};
    *(quartic_triangle_options *)out->attrs =
        (quartic_triangle_options){.kind = from->kind, .causal = from->causal, .scale = 0.5f};
    const quartic_shape wide = QUARTIC_SHAPE(from->b, from->n, from->n, from->h, from->d);
    for (uint32_t input = QUARTIC_TRIANGLE_Q; input <= QUARTIC_TRIANGLE_V2; ++input) {
        if (input == QUARTIC_TRIANGLE_V2 && from->kind != QUARTIC_TRIANGLE_BOTH) continue;
        const bool scores = input <= QUARTIC_TRIANGLE_K;
        quartic_case_floats(out, input, wide, scores ? QUARTIC_FILL_SMALL : QUARTIC_FILL_NORMAL);
        /* With one pivot A is 1 whatever the scores: their gradients are zero but for rounding. */
        out->inputs[input].no_gradient = from->n == 1 && scores;
    }
    if (from->bias) {
        quartic_case_floats(out, QUARTIC_TRIANGLE_BIAS, QUARTIC_SHAPE(from->b, from->n, from->n, from->h),
                            QUARTIC_FILL_NORMAL);
        out->inputs[QUARTIC_TRIANGLE_BIAS].no_gradient = from->n == 1;
    }
    if (from->masked)
        quartic_case_ints(out, QUARTIC_TRIANGLE_MASK, QUARTIC_SHAPE(from->b, from->n), from->mask_fill, 0);
    return true;
}

static bool triangle_grad_cases(uint32_t index, quartic_op_case *out) {
    if (!triangle_cases(index, out)) return false;
    const triangle_case *from = &triangle_table[index];
    out->input_count = QUARTIC_TRIANGLE_INPUTS;
    if (from->bias) out->inputs[QUARTIC_TRIANGLE_BIAS].fill = QUARTIC_FILL_SMALL;
    quartic_edges_saved_case(out, QUARTIC_TRIANGLE_Q, QUARTIC_TRIANGLE_OUT);
    return true;
}

/* ---- ops ---- */

static double triangle_flops(const quartic_op_call *call) {
    const quartic_triangle_problem problem = quartic_triangle_of_call(call);
    return quartic_triangle_flops(&problem, false);
}
static double triangle_grad_flops(const quartic_op_call *call) {
    const quartic_triangle_problem problem = quartic_triangle_of_call(call);
    return quartic_triangle_flops(&problem, true);
}
/* A sum over components inside a sum over pivots (or over any third node). */
static double triangle_reduction(const quartic_op_call *call) {
    const quartic_shape *q = &call->inputs[QUARTIC_TRIANGLE_Q].shape;
    return (double)q->dims[1] + q->dims[4];
}

#define STRIDED_INPUTS                                                                                       \
    (1u << QUARTIC_TRIANGLE_Q | 1u << QUARTIC_TRIANGLE_K | 1u << QUARTIC_TRIANGLE_V |                        \
     1u << QUARTIC_TRIANGLE_V2 | 1u << QUARTIC_TRIANGLE_BIAS)

const quartic_op quartic_op_triangle_attention = {
    .name = "triangle_attention",
    .attrs_bytes = sizeof(quartic_triangle_options),
    .strided_inputs = STRIDED_INPUTS,
    .saved_outputs = 1u << 1, /* lse */
    .infer = triangle_infer,
    .cpu = quartic_triangle_reference,
    .cpu_scratch = quartic_triangle_reference_scratch,
    .gpu = quartic_triangle_gpu,
    .grad = triangle_rule,
    .cases = triangle_cases,
    .flops = triangle_flops,
    .tolerance = 8,
    .tolerance_reason =
        "as softmax: Vulkan allows exp(x) an error of 3 + 2|x| ulp; scores are sums themselves",
    .reduction = triangle_reduction,
};

const quartic_op quartic_op_triangle_attention_grad = {
    .name = "triangle_attention_grad",
    .attrs_bytes = sizeof(quartic_triangle_options),
    .strided_inputs = STRIDED_INPUTS,
    .infer = triangle_grad_infer,
    .cpu = quartic_triangle_reference_grad,
    .cpu_scratch = quartic_triangle_reference_scratch,
    .gpu = quartic_triangle_gpu_grad,
    .cases = triangle_grad_cases,
    .flops = triangle_grad_flops,
    .tolerance = 8,
    .tolerance_reason = "as the forward op; dA - delta is a difference of two sums over components",
    .reduction = triangle_reduction,
};

static const quartic_triangle_options standard_triangle = QUARTIC_TRIANGLE_OPTIONS_INIT;
static const quartic_options_type triangle_type = QUARTIC_BUILDER_OPTIONS_TYPE(
    quartic_triangle_options, QUARTIC_TRIANGLE_OPTIONS_INIT, &standard_triangle, scale);

quartic_value quartic_triangle_attention(quartic_graph *graph, quartic_value q, quartic_value k,
                                         quartic_value v, quartic_value v2, quartic_value bias,
                                         quartic_value mask, const quartic_triangle_options *options) {
    QUARTIC_CALL();
    quartic_triangle_options own;
    if (!quartic_graph_options(graph, &triangle_type, options, &own) ||
        !quartic_graph_expect_factor(graph, "triangle_attention", "scale", own.scale))
        return (quartic_value){0};
    const quartic_value inputs[] = {q, k, v, v2, bias, mask};
    return quartic_graph_append_one(graph, &quartic_op_triangle_attention, &own, inputs,
                                    QUARTIC_TRIANGLE_OUT);
}
