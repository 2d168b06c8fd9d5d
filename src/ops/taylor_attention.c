/* taylor_attention.c: attention with weights 1 + s + s^2/2 along one axis of the edges, and its adjoint.
 *
 * taylor_attention        q, k (b, r, c, h, d), v (b, r, c, h, dv), mask?
 *                         to out (b, r, c, h, dv), z (b, r, c, h)
 * taylor_attention_grad   q, k, v, mask?, out, z, g = the cotangent of out, to dq, dk, dv
 *
 * z are the denominators max(sum_j w_ij, 1e-5), kept because the adjoint needs nothing else. A sequence
 * without visible keys gives exact zeros. Formulas: taylor_reference.c; geometry and masks: taylor_problem.h.
 * Neither form stores a tensor of pairs, or of features of each token, in memory.
 */
#include "base/call.h"
#include "graph/tape.h"
#include "ops/cases.h"
#include "ops/taylor_problem.h"

/* A wider head would overflow the count of features, (d + 1)(d + 2) / 2, times a row of values. */
enum { GREATEST_WIDTH = 1024 };

static quartic_status taylor_check_mask(const quartic_taylor_options *options, const quartic_layout *q,
                                        const quartic_layout *mask) {
    const uint32_t rows = q->shape.dims[1], columns = q->shape.dims[2];
    char text[QUARTIC_SHAPE_TEXT];
    if (mask->dtype != QUARTIC_INT32)
        return quartic_fail(QUARTIC_INVALID_ARGUMENT,
                            "the mask of taylor_attention must be int32 with 0 for hidden tokens");
    if (options->pair_mask && rows != columns)
        return quartic_fail(
            QUARTIC_SHAPE_MISMATCH,
            "taylor_attention with pair_mask needs as many rows as columns, not q of shape %s",
            quartic_shape_text(&q->shape, text));
    const quartic_shape want = options->pair_mask ? QUARTIC_SHAPE(q->shape.dims[0], rows)
                                                  : QUARTIC_SHAPE(q->shape.dims[0], rows, columns);
    if (quartic_shape_equal(&mask->shape, &want)) return QUARTIC_OK;
    char want_text[QUARTIC_SHAPE_TEXT];
    return quartic_fail(
        QUARTIC_SHAPE_MISMATCH, "the mask of taylor_attention with pair_mask %u must have shape %s, not %s",
        options->pair_mask, quartic_shape_text(&want, want_text), quartic_shape_text(&mask->shape, text));
}

/* q, k, v, mask and the options: the same rule for both ops. */
static quartic_status taylor_check_operands(const char *op, const quartic_op_call *call) {
    const quartic_taylor_options *options = call->attrs;
    const quartic_layout *q = &call->inputs[QUARTIC_TAYLOR_Q], *v = &call->inputs[QUARTIC_TAYLOR_V];
    for (uint32_t input = QUARTIC_TAYLOR_Q; input <= QUARTIC_TAYLOR_V; ++input) {
        QUARTIC_TRY(quartic_op_expect_dtype(op, call, input, QUARTIC_FLOAT32));
        QUARTIC_TRY(quartic_op_expect_rank(op, call, input, 5));
    }
    if (options->axis != 1 && options->axis != 2)
        return quartic_fail(QUARTIC_INVALID_ARGUMENT,
                            "%s runs along axis 1 or 2 of (b, r, c, h, d), not axis %u", op, options->axis);
    if (options->form > QUARTIC_TAYLOR_LINEAR)
        return quartic_fail(QUARTIC_INVALID_ARGUMENT,
                            "the form of %s is 0 (by cost), 1 (quadratic) or 2 (linear), not %u", op,
                            options->form);
    char q_text[QUARTIC_SHAPE_TEXT], v_text[QUARTIC_SHAPE_TEXT];
    if (quartic_shape_elements(&q->shape) == 0 || quartic_shape_elements(&v->shape) == 0 ||
        q->shape.dims[4] > GREATEST_WIDTH || v->shape.dims[4] > GREATEST_WIDTH)
        return quartic_fail(
            QUARTIC_SHAPE_MISMATCH,
            "%s needs extents of at least 1 and heads of at most %d, not q of shape %s and v of shape %s", op,
            GREATEST_WIDTH, quartic_shape_text(&q->shape, q_text), quartic_shape_text(&v->shape, v_text));
    QUARTIC_TRY(quartic_op_expect_shape(op, call, QUARTIC_TAYLOR_K, &q->shape));
    quartic_shape values = q->shape;
    values.dims[4] = v->shape.dims[4];
    QUARTIC_TRY(quartic_op_expect_shape(op, call, QUARTIC_TAYLOR_V, &values));
    const bool masked =
        call->input_count > QUARTIC_TAYLOR_MASK && quartic_is_present(&call->inputs[QUARTIC_TAYLOR_MASK]);
    return masked ? taylor_check_mask(options, q, &call->inputs[QUARTIC_TAYLOR_MASK]) : QUARTIC_OK;
}

/* (b, r, c, h), from the shape (b, r, c, h, width) of an operand. */
static quartic_shape taylor_z_shape(const quartic_shape *operand) {
    quartic_shape shape = *operand;
    shape.rank = 4;
    shape.dims[4] = 0;
    return shape;
}

static quartic_status taylor_attention_infer(const quartic_op_call *call, quartic_layout *out,
                                             uint32_t *out_count) {
    QUARTIC_TRY(quartic_op_expect_inputs("taylor_attention", call, 3, 4));
    QUARTIC_TRY(taylor_check_operands("taylor_attention", call));
    const quartic_shape z = taylor_z_shape(&call->inputs[QUARTIC_TAYLOR_Q].shape);
    out[0] = quartic_layout_contiguous(QUARTIC_FLOAT32, &call->inputs[QUARTIC_TAYLOR_V].shape);
    out[1] = quartic_layout_contiguous(QUARTIC_FLOAT32, &z);
    *out_count = 2;
    return QUARTIC_OK;
}

static quartic_status taylor_attention_grad_infer(const quartic_op_call *call, quartic_layout *out,
                                                  uint32_t *out_count) {
    const char *op = "taylor_attention_grad";
    QUARTIC_TRY(quartic_op_expect_inputs(op, call, QUARTIC_TAYLOR_INPUTS, QUARTIC_TAYLOR_INPUTS));
    QUARTIC_TRY(taylor_check_operands(op, call));
    const quartic_shape *q = &call->inputs[QUARTIC_TAYLOR_Q].shape,
                        *v = &call->inputs[QUARTIC_TAYLOR_V].shape;
    const quartic_shape z = taylor_z_shape(&call->inputs[QUARTIC_TAYLOR_Q].shape);
    for (uint32_t input = QUARTIC_TAYLOR_OUT; input <= QUARTIC_TAYLOR_G; ++input) {
        QUARTIC_TRY(quartic_op_expect_dtype(op, call, input, QUARTIC_FLOAT32));
        QUARTIC_TRY(quartic_op_expect_shape(op, call, input, input == QUARTIC_TAYLOR_Z ? &z : v));
    }
    out[0] = quartic_layout_contiguous(QUARTIC_FLOAT32, q);
    out[1] = quartic_layout_contiguous(QUARTIC_FLOAT32, q);
    out[2] = quartic_layout_contiguous(QUARTIC_FLOAT32, v);
    *out_count = 3;
    return QUARTIC_OK;
}

static double taylor_attention_flops(const quartic_op_call *call) {
    const quartic_taylor_problem problem = quartic_taylor_problem_of_call(call);
    return quartic_taylor_flops(&problem, false);
}

static double taylor_attention_grad_flops(const quartic_op_call *call) {
    const quartic_taylor_problem problem = quartic_taylor_problem_of_call(call);
    return quartic_taylor_flops(&problem, true);
}

/* Every sum runs over keys or queries, over features (which stand for products of components) or components.
 */
static double taylor_reduction(const quartic_op_call *call) {
    const quartic_taylor_problem problem = quartic_taylor_problem_of_call(call);
    const double tokens = problem.tokens, dv = problem.dv;
    const double along = problem.form == QUARTIC_TAYLOR_LINEAR ? problem.features : problem.d;
    return tokens + along + dv;
}

/* The public builder hands out only `out`, so z never has a cotangent. */
static quartic_status taylor_attention_rule(quartic_tape *tape) {
    const quartic_value inputs[QUARTIC_TAYLOR_INPUTS] = {
        [QUARTIC_TAYLOR_Q] = quartic_tape_input(tape, QUARTIC_TAYLOR_Q),
        [QUARTIC_TAYLOR_K] = quartic_tape_input(tape, QUARTIC_TAYLOR_K),
        [QUARTIC_TAYLOR_V] = quartic_tape_input(tape, QUARTIC_TAYLOR_V),
        [QUARTIC_TAYLOR_MASK] = quartic_tape_input(tape, QUARTIC_TAYLOR_MASK),
        [QUARTIC_TAYLOR_OUT] = quartic_tape_output(tape, 0),
        [QUARTIC_TAYLOR_Z] = quartic_tape_output(tape, 1),
        [QUARTIC_TAYLOR_G] = quartic_tape_gradient(tape, 0),
    };
    quartic_value gradients[3] = {{0}};
    QUARTIC_TRY(quartic_graph_append(quartic_tape_graph(tape), &quartic_op_taylor_attention_grad,
                                     quartic_tape_attrs(tape), inputs, QUARTIC_TAYLOR_INPUTS, gradients, 3));
    for (uint32_t input = QUARTIC_TAYLOR_Q; input <= QUARTIC_TAYLOR_V; ++input)
        if (quartic_tape_wants(tape, input)) quartic_tape_give(tape, input, gradients[input]);
    return QUARTIC_OK;
}

/* ---- cases ---- */

typedef struct taylor_case {
    const char *label;
    quartic_taylor_options options;
    uint32_t b, r, c, h, d, dv;
    bool masked;
} taylor_case;

#define ALONG_ROWS    .options.axis = 1
#define ALONG_COLUMNS .options.axis = 2
#define PAIRS         .options.pair_mask = 1, .masked = true
#define QUADRATIC     .options.form = QUARTIC_TAYLOR_QUADRATIC
#define LINEAR        .options.form = QUARTIC_TAYLOR_LINEAR

#define BLOCKS(n) .options.block = (n)

/* Every size is one that leaves a remainder in some tile; masks hide whole sequences now and then. */
static const taylor_case taylor_table[] = {
    {"one token", ALONG_COLUMNS, QUADRATIC, .b = 1, .r = 1, .c = 1, .h = 1, .d = 1, .dv = 1},
    {"one token, linear", ALONG_ROWS, LINEAR, .b = 1, .r = 1, .c = 1, .h = 1, .d = 1, .dv = 1},
    {"two tokens", ALONG_ROWS, QUADRATIC, .b = 2, .r = 2, .c = 2, .h = 3, .d = 16, .dv = 16, PAIRS},
    {"two tokens, linear", ALONG_COLUMNS, LINEAR, .b = 2, .r = 2, .c = 2, .h = 3, .d = 16, .dv = 16, PAIRS},
    {"d below dv", ALONG_COLUMNS, QUADRATIC, .b = 2, .r = 3, .c = 5, .h = 2, .d = 3, .dv = 7, .masked = true},
    {"d below dv, linear", ALONG_ROWS, LINEAR, .b = 2, .r = 5, .c = 3, .h = 2, .d = 3, .dv = 7,
     .masked = true},
    {"31, causal", ALONG_COLUMNS, QUADRATIC, .b = 1, .r = 31, .c = 31, .h = 2, .d = 16, .dv = 16,
     .options.causal = 1},
    {"31, causal, linear", ALONG_ROWS, LINEAR, .b = 1, .r = 31, .c = 31, .h = 2, .d = 16, .dv = 16,
     .options.causal = 1},
    {"33, causal pairs", ALONG_ROWS, QUADRATIC, .b = 2, .r = 33, .c = 33, .h = 1, .d = 17, .dv = 5, PAIRS,
     .options.causal = 1},
    {"33, causal pairs, linear", ALONG_COLUMNS, LINEAR, .b = 2, .r = 33, .c = 33, .h = 1, .d = 17, .dv = 5,
     PAIRS, .options.causal = 1},
    {"127 tokens", ALONG_ROWS, QUADRATIC, .b = 1, .r = 127, .c = 2, .h = 2, .d = 16, .dv = 16,
     .masked = true},
    {"127 tokens, linear", ALONG_COLUMNS, LINEAR, .b = 1, .r = 2, .c = 127, .h = 2, .d = 16, .dv = 16,
     .masked = true},
    {"129 tokens", ALONG_COLUMNS, QUADRATIC, .b = 1, .r = 2, .c = 129, .h = 1, .d = 8, .dv = 40},
    {"129 tokens, linear", ALONG_ROWS, LINEAR, .b = 1, .r = 129, .c = 1, .h = 1, .d = 8, .dv = 40},
    {"wide heads", ALONG_COLUMNS, QUADRATIC, .b = 1, .r = 2, .c = 9, .h = 2, .d = 64, .dv = 64,
     .masked = true},
    {"wide heads, linear", ALONG_ROWS, LINEAR, .b = 1, .r = 9, .c = 2, .h = 1, .d = 33, .dv = 64,
     .masked = true},
    {"blocks of 7, the last of 4", ALONG_COLUMNS, QUADRATIC, .b = 2, .r = 2, .c = 39, .h = 2, .d = 16,
     .dv = 16, BLOCKS(7)},
    {"blocks of 7, the last of 4, linear", ALONG_COLUMNS, LINEAR, .b = 2, .r = 2, .c = 39, .h = 2, .d = 16,
     .dv = 16, BLOCKS(7)},
    {"blocks, masked", ALONG_ROWS, QUADRATIC, .b = 2, .r = 70, .c = 2, .h = 1, .d = 8, .dv = 5, BLOCKS(33),
     .masked = true},
    {"blocks, masked, linear", ALONG_ROWS, LINEAR, .b = 2, .r = 70, .c = 2, .h = 1, .d = 8, .dv = 5,
     BLOCKS(33), .masked = true},
    {"blocks of one", ALONG_ROWS, QUADRATIC, .b = 1, .r = 37, .c = 2, .h = 2, .d = 4, .dv = 7, BLOCKS(1),
     .masked = true},
    {"blocks of one, linear", ALONG_COLUMNS, LINEAR, .b = 1, .r = 2, .c = 37, .h = 2, .d = 4, .dv = 7,
     BLOCKS(1), .masked = true},
    {"a block of all", ALONG_COLUMNS, QUADRATIC, .b = 1, .r = 2, .c = 9, .h = 1, .d = 5, .dv = 3, BLOCKS(9)},
    {"a block beyond all, linear", ALONG_ROWS, LINEAR, .b = 1, .r = 9, .c = 2, .h = 1, .d = 5, .dv = 3,
     BLOCKS(4000000000u)},
    {"blocks, causal pairs", ALONG_ROWS, QUADRATIC, .b = 2, .r = 19, .c = 19, .h = 1, .d = 5, .dv = 3, PAIRS,
     .options.causal = 1, BLOCKS(4)},
    {"blocks, causal pairs, linear", ALONG_COLUMNS, LINEAR, .b = 2, .r = 19, .c = 19, .h = 1, .d = 5, .dv = 3,
     PAIRS, .options.causal = 1, BLOCKS(4)},
    {"blocks, d 33", ALONG_COLUMNS, QUADRATIC, .b = 1, .r = 1, .c = 77, .h = 2, .d = 33, .dv = 33, BLOCKS(20),
     .masked = true},
    {"blocks, d 33, linear", ALONG_COLUMNS, LINEAR, .b = 1, .r = 1, .c = 77, .h = 2, .d = 33, .dv = 33,
     BLOCKS(20), .masked = true},
    {"blocks, wide heads", ALONG_ROWS, QUADRATIC, .b = 1, .r = 67, .c = 1, .h = 1, .d = 64, .dv = 40,
     BLOCKS(5)},
    {"edges of 12 nodes, form by cost", ALONG_COLUMNS, .b = 2, .r = 1, .c = 144, .h = 2, .d = 4, .dv = 4,
     BLOCKS(12), .masked = true},
    {"long, form by cost", ALONG_COLUMNS, .b = 1, .r = 1, .c = 2500, .h = 2, .d = 5, .dv = 3, .masked = true},
};

static bool taylor_cases(uint32_t index, quartic_op_case *out) {
    if (index >= QUARTIC_CASES(taylor_table)) return false;
    const taylor_case *from = &taylor_table[index];
    *out = (quartic_op_case){.label = from->label, .input_count = 4};
    *(quartic_taylor_options *)out->attrs = from->options;
    const quartic_shape keys = QUARTIC_SHAPE(from->b, from->r, from->c, from->h, from->d);
    const quartic_shape values = QUARTIC_SHAPE(from->b, from->r, from->c, from->h, from->dv);
    for (uint32_t input = QUARTIC_TAYLOR_Q; input <= QUARTIC_TAYLOR_V; ++input) {
        const bool is_value = input == QUARTIC_TAYLOR_V;
        /* Scores of magnitude 10 would make w a difference of large numbers in the linear form. */
        quartic_case_floats(out, input, is_value ? values : keys,
                            is_value ? QUARTIC_FILL_NORMAL : QUARTIC_FILL_SMALL);
        /* With one key, out is its value: the gradients of q and k are zero but for rounding. */
        out->inputs[input].no_gradient = from->r == 1 && from->c == 1 && input != QUARTIC_TAYLOR_V;
    }
    const quartic_shape mask =
        from->options.pair_mask ? QUARTIC_SHAPE(from->b, from->r) : QUARTIC_SHAPE(from->b, from->r, from->c);
    if (from->masked) quartic_case_ints(out, QUARTIC_TAYLOR_MASK, mask, QUARTIC_FILL_MASK, 0);
    return true;
}

static bool taylor_grad_cases(uint32_t index, quartic_op_case *out) {
    if (!taylor_cases(index, out)) return false;
    out->input_count = QUARTIC_TAYLOR_INPUTS;
    const quartic_shape values = out->inputs[QUARTIC_TAYLOR_V].shape;
    quartic_case_floats(out, QUARTIC_TAYLOR_OUT, values, QUARTIC_FILL_NORMAL);
    quartic_case_floats(out, QUARTIC_TAYLOR_Z, taylor_z_shape(&values), QUARTIC_FILL_POSITIVE);
    quartic_case_floats(out, QUARTIC_TAYLOR_G, values, QUARTIC_FILL_NORMAL);
    return true;
}

/* ---- ops ---- */

#define STRIDED_INPUTS (1u << QUARTIC_TAYLOR_Q | 1u << QUARTIC_TAYLOR_K | 1u << QUARTIC_TAYLOR_V)

const quartic_op quartic_op_taylor_attention = {
    .name = "taylor_attention",
    .attrs_bytes = sizeof(quartic_taylor_options),
    .strided_inputs = STRIDED_INPUTS,
    .saved_outputs = 1u << 1, /* z */
    .infer = taylor_attention_infer,
    .cpu = quartic_taylor_reference,
    .cpu_scratch = quartic_taylor_reference_scratch,
    .gpu = quartic_taylor_gpu,
    .grad = taylor_attention_rule,
    .cases = taylor_cases,
    .flops = taylor_attention_flops,
    .tolerance = 4,
    .tolerance_reason = "sums over components or features, then over keys, each a walk of roundings; the "
                        "weights of the linear form are sums of terms of both signs",
    .reduction = taylor_reduction,
};

const quartic_op quartic_op_taylor_attention_grad = {
    .name = "taylor_attention_grad",
    .attrs_bytes = sizeof(quartic_taylor_options),
    .strided_inputs = STRIDED_INPUTS,
    .infer = taylor_attention_grad_infer,
    .cpu = quartic_taylor_reference_grad,
    .cpu_scratch = quartic_taylor_reference_scratch,
    .gpu = quartic_taylor_gpu_grad,
    .cases = taylor_grad_cases,
    .flops = taylor_attention_grad_flops,
    .tolerance = 4,
    .tolerance_reason = "as the forward op; dW is a difference of two sums over components",
    .reduction = taylor_reduction,
};

static const quartic_taylor_options standard_taylor = QUARTIC_TAYLOR_OPTIONS_INIT;
static const quartic_options_type taylor_type = QUARTIC_BUILDER_OPTIONS_TYPE(
    quartic_taylor_options, QUARTIC_TAYLOR_OPTIONS_INIT, &standard_taylor, block);

quartic_value quartic_taylor_attention(quartic_graph *graph, quartic_value q, quartic_value k,
                                       quartic_value v, quartic_value mask,
                                       const quartic_taylor_options *options) {
    QUARTIC_CALL();
    quartic_taylor_options own; /* without an axis refused by the shape rule */
    if (!quartic_graph_options(graph, &taylor_type, options, &own)) return (quartic_value){0};
    const quartic_value inputs[] = {q, k, v, mask};
    return quartic_graph_append_one(graph, &quartic_op_taylor_attention, &own, inputs, 4);
}
