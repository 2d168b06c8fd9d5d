/* edge_softmax_attention.c: softmax attention of every edge to every edge of a graph, and its adjoint.
 *
 * edge_softmax_attention       q, k, v (b, m, h, d), positions?, mask? to out (b, m, h, d), lse (b, m, h)
 * edge_softmax_attention_grad  q, k, v, positions?, mask?, out, lse, g = the cotangent of out, to dq, dk, dv
 *
 * Flash form: probabilities are not stored but computed again from the scores and lse, so memory is linear in
 * m, where m may be n^2. Formulas: reference.c; who sees whom: problem.h. One invocation or thread owns each
 * sum and walks it in a fixed order.
 */
#include "base/call.h"
#include "graph/tape.h"
#include "ops/cases.h"
#include "ops/edges.h"
#include "ops/edge_softmax/problem.h"

/* With wider heads a tile of keys would not fit into 16 KiB of shared memory. */
enum { GREATEST_WIDTH = 1024 };

static quartic_status edge_softmax_check_positions(const char *op, const quartic_op_call *call) {
    const quartic_edge_softmax_options *options = call->attrs;
    const quartic_shape *q = &call->inputs[QUARTIC_EDGE_Q].shape;
    const uint32_t b = q->dims[0], m = q->dims[1];
    if (options->nodes == 0 || (uint64_t)options->nodes * options->nodes >= (uint64_t)1 << 31)
        return quartic_fail(QUARTIC_INVALID_ARGUMENT,
                            "%s is among the edges of %u nodes; give at least 1 and at most 46340 nodes", op,
                            options->nodes);
    if (quartic_is_present(&call->inputs[QUARTIC_EDGE_POSITIONS])) {
        QUARTIC_TRY(quartic_op_expect_dtype(op, call, QUARTIC_EDGE_POSITIONS, QUARTIC_INT32));
        QUARTIC_TRY(quartic_op_expect_shape(op, call, QUARTIC_EDGE_POSITIONS, &QUARTIC_SHAPE(b, m)));
    } else if (m != options->nodes * options->nodes) {
        char text[QUARTIC_SHAPE_TEXT];
        return quartic_fail(QUARTIC_SHAPE_MISMATCH,
                            "%s without positions is among all %u * %u edges, but q has shape %s, %u tokens; "
                            "give positions or the right number of nodes",
                            op, options->nodes, options->nodes, quartic_shape_text(q, text), m);
    }
    const quartic_shape mask = QUARTIC_SHAPE(b, options->nodes);
    return quartic_edges_expect_optional(op, call, QUARTIC_EDGE_MASK, QUARTIC_INT32, &mask);
}

/* q, k, v, positions, mask and the options: the same rule for both ops. */
static quartic_status edge_softmax_check_operands(const char *op, const quartic_op_call *call) {
    const quartic_shape *q = &call->inputs[QUARTIC_EDGE_Q].shape;
    for (uint32_t input = QUARTIC_EDGE_Q; input <= QUARTIC_EDGE_V; ++input) {
        QUARTIC_TRY(quartic_op_expect_dtype(op, call, input, QUARTIC_FLOAT32));
        QUARTIC_TRY(quartic_op_expect_rank(op, call, input, 4));
        QUARTIC_TRY(quartic_op_expect_shape(op, call, input, q));
    }
    if (quartic_shape_elements(q) == 0 || q->dims[3] > GREATEST_WIDTH) {
        char text[QUARTIC_SHAPE_TEXT];
        return quartic_fail(QUARTIC_SHAPE_MISMATCH,
                            "%s needs extents of at least 1 and heads of at most %d, not q of shape %s", op,
                            GREATEST_WIDTH, quartic_shape_text(q, text));
    }
    return edge_softmax_check_positions(op, call);
}

static quartic_status edge_softmax_infer(const quartic_op_call *call, quartic_layout *out,
                                         uint32_t *out_count) {
    const char *op = "edge_softmax_attention";
    QUARTIC_TRY(quartic_op_expect_inputs(op, call, QUARTIC_EDGE_OUT, QUARTIC_EDGE_OUT));
    QUARTIC_TRY(edge_softmax_check_operands(op, call));
    const quartic_shape *q = &call->inputs[QUARTIC_EDGE_Q].shape, lse = quartic_edges_narrow(q);
    out[0] = quartic_layout_contiguous(QUARTIC_FLOAT32, q);
    out[1] = quartic_layout_contiguous(QUARTIC_FLOAT32, &lse);
    *out_count = 2;
    return QUARTIC_OK;
}

static quartic_status edge_softmax_grad_infer(const quartic_op_call *call, quartic_layout *out,
                                              uint32_t *out_count) {
    const char *op = "edge_softmax_attention_grad";
    QUARTIC_TRY(quartic_op_expect_inputs(op, call, QUARTIC_EDGE_INPUTS, QUARTIC_EDGE_INPUTS));
    QUARTIC_TRY(edge_softmax_check_operands(op, call));
    const quartic_shape *q = &call->inputs[QUARTIC_EDGE_Q].shape;
    QUARTIC_TRY(quartic_edges_expect_saved(op, call, QUARTIC_EDGE_Q, QUARTIC_EDGE_OUT));
    for (uint32_t output = 0; output < 3; ++output)
        out[output] = quartic_layout_contiguous(QUARTIC_FLOAT32, q);
    *out_count = 3;
    return QUARTIC_OK;
}

/* A position outside the graph would read a mask out of range. */
static quartic_status edge_softmax_check(const quartic_op_run *run) {
    const quartic_edge_problem problem = quartic_edge_problem_of_run(run);
    const int32_t *positions = run->inputs[QUARTIC_EDGE_POSITIONS].data;
    if (positions == NULL) return QUARTIC_OK;
    for (uint64_t t = 0; t < (uint64_t)problem.batch * problem.tokens; ++t)
        if (positions[t] != -1 &&
            (positions[t] < 0 || (uint32_t)positions[t] >= problem.nodes * problem.nodes))
            return quartic_fail(
                QUARTIC_INVALID_ARGUMENT,
                "position %d of token %u of graph %u is none of the %u * %u edges (-1: no edge)",
                positions[t], (uint32_t)(t % problem.tokens), (uint32_t)(t / problem.tokens), problem.nodes,
                problem.nodes);
    return QUARTIC_OK;
}

static double edge_softmax_flops(const quartic_op_call *call) {
    const quartic_edge_problem problem = quartic_edge_problem_of_call(call);
    return quartic_edge_flops(&problem, call->input_count == QUARTIC_EDGE_INPUTS);
}

static double edge_softmax_reduction(const quartic_op_call *call) {
    const quartic_shape *q = &call->inputs[QUARTIC_EDGE_Q].shape;
    return (double)q->dims[1] + q->dims[3];
}

/* The public builder hands out only `out`, so lse never has a cotangent. */
static quartic_status edge_softmax_rule(quartic_tape *tape) {
    quartic_value inputs[QUARTIC_EDGE_INPUTS], gradients[3] = {{0}};
    for (uint32_t input = QUARTIC_EDGE_Q; input <= QUARTIC_EDGE_MASK; ++input)
        inputs[input] = quartic_tape_input(tape, input);
    inputs[QUARTIC_EDGE_OUT] = quartic_tape_output(tape, 0);
    inputs[QUARTIC_EDGE_LSE] = quartic_tape_output(tape, 1);
    inputs[QUARTIC_EDGE_G] = quartic_tape_gradient(tape, 0);
    QUARTIC_TRY(quartic_graph_append(quartic_tape_graph(tape), &quartic_op_edge_softmax_attention_grad,
                                     quartic_tape_attrs(tape), inputs, QUARTIC_EDGE_INPUTS, gradients, 3));
    for (uint32_t input = QUARTIC_EDGE_Q; input <= QUARTIC_EDGE_V; ++input)
        if (quartic_tape_wants(tape, input)) quartic_tape_give(tape, input, gradients[input]);
    return QUARTIC_OK;
}

/* ---- cases ---- */

typedef struct edge_case {
    const char *label;
    uint32_t b, nodes, tokens, h, d; /* tokens 0: all edges, without positions */
    bool causal, masked;
    bool left_out; /* some positions are negative */
} edge_case;

/* Sizes leave remainders in every tile; positions come in any order, also repeated. */
static const edge_case edge_softmax_table[] = {
    {"one edge", .b = 1, .nodes = 1, .h = 1, .d = 1},
    {"two nodes", .b = 2, .nodes = 2, .h = 3, .d = 3},
    {"three nodes, masked", .b = 3, .nodes = 3, .h = 2, .d = 3, .masked = true},
    {"five nodes, causal", .b = 1, .nodes = 5, .h = 2, .d = 16, .causal = true},
    {"six nodes, causal, masked", .b = 2, .nodes = 6, .h = 1, .d = 3, .causal = true, .masked = true},
    {"eleven nodes", .b = 1, .nodes = 11, .h = 2, .d = 16},
    {"twelve nodes, masked", .b = 2, .nodes = 12, .h = 1, .d = 16, .masked = true},
    {"some edges", .b = 2, .nodes = 7, .tokens = 31, .h = 2, .d = 16},
    {"some edges, masked", .b = 3, .nodes = 9, .tokens = 33, .h = 1, .d = 16, .masked = true},
    {"some edges, causal, masked", .b = 2, .nodes = 12, .tokens = 77, .h = 2, .d = 16, .causal = true,
     .masked = true},
    {"edges and none", .b = 3, .nodes = 3, .tokens = 37, .h = 2, .d = 5, .left_out = true},
    {"edges and none, causal, masked", .b = 4, .nodes = 3, .tokens = 70, .h = 1, .d = 16, .causal = true,
     .masked = true, .left_out = true},
    {"heads of 32", .b = 1, .nodes = 9, .h = 2, .d = 32, .masked = true},
    {"heads of 33", .b = 1, .nodes = 6, .h = 2, .d = 33, .causal = true},
    {"heads of 128", .b = 1, .nodes = 4, .h = 2, .d = 128},
};

static bool edge_softmax_cases(uint32_t index, quartic_op_case *out) {
    if (index >= QUARTIC_CASES(edge_softmax_table)) return false;
    const edge_case *from = &edge_softmax_table[index];
    const uint32_t tokens = from->tokens == 0 ? from->nodes * from->nodes : from->tokens;
    *out = (quartic_op_case){.label = from->label, .input_count = QUARTIC_EDGE_OUT};
    *(quartic_edge_softmax_options *)out->attrs =
        (quartic_edge_softmax_options){.nodes = from->nodes, .causal = from->causal};
    for (uint32_t input = QUARTIC_EDGE_Q; input <= QUARTIC_EDGE_V; ++input) {
        /* Outliers in q and k together would make scores of 100, whose rounding is a large error of exp. */
        quartic_case_floats(out, input, QUARTIC_SHAPE(from->b, tokens, from->h, from->d),
                            input == QUARTIC_EDGE_Q ? QUARTIC_FILL_SMALL : QUARTIC_FILL_NORMAL);
        /* With one key, out is its value: the gradients of q and k are zero but for rounding. */
        out->inputs[input].no_gradient = tokens == 1 && input != QUARTIC_EDGE_V;
    }
    if (from->tokens != 0)
        quartic_case_ints(out, QUARTIC_EDGE_POSITIONS, QUARTIC_SHAPE(from->b, tokens),
                          from->left_out ? QUARTIC_FILL_SIGNED_INDEX : QUARTIC_FILL_INDEX,
                          from->nodes * from->nodes);
    if (from->masked)
        quartic_case_ints(out, QUARTIC_EDGE_MASK, QUARTIC_SHAPE(from->b, from->nodes), QUARTIC_FILL_MASK, 0);
    return true;
}

/* Any lse will do, as long as exp(s - lse) stays moderate, hence small keys too. */
static bool edge_softmax_grad_cases(uint32_t index, quartic_op_case *out) {
    if (!edge_softmax_cases(index, out)) return false;
    out->input_count = QUARTIC_EDGE_INPUTS;
    out->inputs[QUARTIC_EDGE_K].fill = QUARTIC_FILL_SMALL;
    quartic_edges_saved_case(out, QUARTIC_EDGE_Q, QUARTIC_EDGE_OUT);
    return true;
}

/* ---- ops ---- */

#define STRIDED_INPUTS (1u << QUARTIC_EDGE_Q | 1u << QUARTIC_EDGE_K | 1u << QUARTIC_EDGE_V)

const quartic_op quartic_op_edge_softmax_attention = {
    .name = "edge_softmax_attention",
    .attrs_bytes = sizeof(quartic_edge_softmax_options),
    .strided_inputs = STRIDED_INPUTS,
    .saved_outputs = 1u << 1, /* lse */
    .infer = edge_softmax_infer,
    .check = edge_softmax_check,
    .cpu = quartic_edge_reference,
    .cpu_scratch = quartic_edge_reference_scratch,
    .gpu = quartic_edge_gpu,
    .grad = edge_softmax_rule,
    .cases = edge_softmax_cases,
    .flops = edge_softmax_flops,
    .tolerance = 4,
    .tolerance_reason = "a score is a sum over components whose rounding, up to its magnitude, becomes a "
                        "relative error of exp; then sums over keys",
    .reduction = edge_softmax_reduction,
};

const quartic_op quartic_op_edge_softmax_attention_grad = {
    .name = "edge_softmax_attention_grad",
    .attrs_bytes = sizeof(quartic_edge_softmax_options),
    .strided_inputs = STRIDED_INPUTS,
    .infer = edge_softmax_grad_infer,
    .check = edge_softmax_check,
    .cpu = quartic_edge_reference_grad,
    .cpu_scratch = quartic_edge_reference_scratch,
    .gpu = quartic_edge_gpu_grad,
    .cases = edge_softmax_grad_cases,
    .flops = edge_softmax_flops,
    .tolerance = 4,
    .tolerance_reason = "as the forward op; ds is a difference of two sums over components",
    .reduction = edge_softmax_reduction,
};

static const quartic_edge_softmax_options standard_edge_softmax = QUARTIC_EDGE_SOFTMAX_OPTIONS_INIT;
static const quartic_options_type edge_softmax_type = QUARTIC_BUILDER_OPTIONS_TYPE(
    quartic_edge_softmax_options, QUARTIC_EDGE_SOFTMAX_OPTIONS_INIT, &standard_edge_softmax, causal);

quartic_value quartic_edge_softmax_attention(quartic_graph *graph, quartic_value q, quartic_value k,
                                             quartic_value v, quartic_value positions, quartic_value mask,
                                             const quartic_edge_softmax_options *options) {
    QUARTIC_CALL();
    const quartic_value inputs[] = {q, k, v, positions, mask};
    quartic_edge_softmax_options own; /* without nodes refused by the shape rule */
    if (!quartic_graph_options(graph, &edge_softmax_type, options, &own)) return (quartic_value){0};
    return quartic_graph_append_one(graph, &quartic_op_edge_softmax_attention, &own, inputs, 5);
}
