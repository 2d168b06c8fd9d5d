/* stream_exchange.c: a linear mix of all heads at every position.
 *
 *     y[b, o, p] = sum_h W[o, h] x[b, h, p]          x (b, h, ..), W (h, h); transposed: W[h, o] for W[o, h]
 *
 * This is a 1 x 1 convolution over heads. Unlike a matrix product it reads a column before it writes it, so
 * the op works in place: logits (b, h, i, j) are exchanged in the memory where they lie. Adjoint: dx is the
 * op with the other transposition; dW = sum over b and p of dy x^T is a matrix product along all positions.
 */
#include "base/call.h"
#include "graph/tape.h"
#include "ops/cases.h"
#include "ops/gpu_plan.h"
#include "ops/streams.h"
#include "shaders/stream_exchange.args.h"

/* ---- shape rule ---- */

quartic_status quartic_stream_expect(const char *op, const quartic_op_call *call, uint32_t input) {
    const quartic_shape *shape = &call->inputs[input].shape;
    char text[QUARTIC_SHAPE_TEXT];
    QUARTIC_TRY(quartic_op_expect_dtype(op, call, input, QUARTIC_FLOAT32));
    if (shape->rank < 2 || quartic_shape_elements(shape) == 0)
        return quartic_fail(QUARTIC_SHAPE_MISMATCH,
                            "%s takes (batch, heads, ..) with at least one element, not shape %s", op,
                            quartic_shape_text(shape, text));
    if (shape->dims[1] > QUARTIC_STREAM_EXCHANGE_MOST_HEADS)
        return quartic_fail(
            QUARTIC_UNSUPPORTED,
            "%s mixes at most %d heads, and shape %s has %u on axis 1; mix as many by quartic_matmul", op,
            QUARTIC_STREAM_EXCHANGE_MOST_HEADS, quartic_shape_text(shape, text), shape->dims[1]);
    return QUARTIC_OK;
}

static quartic_status stream_exchange_infer(const quartic_op_call *call, quartic_layout *out,
                                            uint32_t *out_count) {
    QUARTIC_TRY(quartic_op_expect_inputs("stream_exchange", call, 2, 2));
    QUARTIC_TRY(quartic_stream_expect("stream_exchange", call, 0));
    const uint32_t heads = call->inputs[0].shape.dims[1];
    QUARTIC_TRY(quartic_op_expect_dtype("stream_exchange", call, 1, QUARTIC_FLOAT32));
    QUARTIC_TRY(quartic_op_expect_shape("stream_exchange", call, 1, &QUARTIC_SHAPE(heads, heads)));
    out[0] = quartic_layout_contiguous(QUARTIC_FLOAT32, &call->inputs[0].shape);
    *out_count = 1;
    return QUARTIC_OK;
}

/* ---- reference ---- */

/* Scratch: a column. */
static size_t stream_exchange_scratch(const quartic_op_call *call) {
    return sizeof(double) * call->inputs[0].shape.dims[1];
}

static void stream_exchange_cpu(const quartic_op_run *run) {
    const stream_exchange_attrs *attrs = run->attrs;
    const quartic_operand *x = &run->inputs[0], *weight = &run->inputs[1];
    const quartic_stream_extents e = quartic_stream_extents_of(x->layout);
    double *column = run->scratch; // (h)
    for (uint32_t b = 0; b < e.batch; ++b)
        for (uint32_t p = 0; p < e.positions; ++p) {
            const int64_t base = (int64_t)b * e.heads * e.positions + p;
            for (uint32_t h = 0; h < e.heads; ++h)
                column[h] = quartic_get(x, base + (int64_t)h * e.positions);
            for (uint32_t o = 0; o < e.heads; ++o) {
                double sum = 0;
                for (uint32_t h = 0; h < e.heads; ++h)
                    sum += quartic_get(weight, attrs->transpose ? (int64_t)h * e.heads + o
                                                                : (int64_t)o * e.heads + h) *
                           column[h];
                quartic_put(&run->outputs[0], base + (int64_t)o * e.positions, sum);
            }
        }
}

/* ---- Vulkan ---- */

static double stream_exchange_flops(const quartic_op_call *call) {
    return 2.0 * call->inputs[0].shape.dims[1] * (double)quartic_layout_elements(&call->inputs[0]);
}

static quartic_status stream_exchange_gpu(const quartic_op_call *call, const quartic_gpu_limits *limits,
                                          quartic_dispatch_list *list) {
    (void)limits;
    const stream_exchange_attrs *attrs = call->attrs;
    const quartic_stream_extents e = quartic_stream_extents_of(&call->inputs[0]);
    const uint32_t tiles = quartic_divide_up(e.positions, quartic_stream_columns(e.heads));
    const uint64_t groups = (uint64_t)e.batch * tiles;
    const quartic_stream_exchange_args args = {
        .positions = e.positions, .tiles = tiles, .groups = (uint32_t)groups};
    const quartic_dispatch_shape shape = {
        QUARTIC_SPEC(QUARTIC_STREAM_CONSTANTS(e.heads), attrs->transpose != 0),
        .groups = groups,
        .flops = stream_exchange_flops(call),
        .bytes = 8.0 * (double)quartic_layout_elements(&call->inputs[0]),
    };
    return quartic_dispatch_append(list, "stream_exchange", quartic_stream_exchange_push(&args), &shape);
}

/* ---- gradient ---- */

static quartic_status stream_exchange_grad(quartic_tape *tape) {
    quartic_graph *graph = quartic_tape_graph(tape);
    const stream_exchange_attrs *attrs = quartic_tape_attrs(tape);
    const quartic_layout layout = quartic_tape_input_layout(tape, 0);
    const quartic_stream_extents e = quartic_stream_extents_of(&layout);
    const quartic_value dy = quartic_tape_gradient(tape, 0);
    /* dW first: after it dx may take over the memory of dy. */
    if (quartic_tape_wants(tape, 1)) {
        const quartic_shape flat = QUARTIC_SHAPE(e.batch, e.heads, e.positions);
        quartic_value left = quartic_reshape(graph, dy, &flat);
        quartic_value right = quartic_reshape(graph, quartic_tape_input(tape, 0), &flat);
        quartic_matmul_options options = QUARTIC_MATMUL_OPTIONS_INIT;
        options.transpose_b = 1;
        quartic_value products = attrs->transpose ? quartic_matmul(graph, right, left, &options)
                                                  : quartic_matmul(graph, left, right, &options); // (b, h, h)
        quartic_tape_give(tape, 1, quartic_sum(graph, products, 1u << 0, 0));
    }
    if (quartic_tape_wants(tape, 0)) {
        const stream_exchange_attrs back = {.transpose = !attrs->transpose};
        const quartic_value inputs[] = {dy, quartic_tape_input(tape, 1)};
        quartic_tape_give(tape, 0,
                          quartic_graph_append_one(graph, &quartic_op_stream_exchange, &back, inputs, 2));
    }
    return QUARTIC_OK;
}

/* ---- cases ---- */

static bool stream_exchange_cases(uint32_t index, quartic_op_case *out) {
    static const struct {
        const char *label;
        quartic_shape x;
        uint32_t transpose;
    } table[] = {
        {"two streams of two heads", {4, {2, 4, 5, 7}}, 0},
        {"two streams of eight heads", {4, {1, 16, 9, 8}}, 0},
        {"transposed", {4, {2, 6, 7, 5}}, 1},
        {"one head", {3, {3, 1, 9}}, 0},
        {"one position", {2, {2, 5}}, 0},
        {"64 heads, two tiles and a bit", {3, {1, 64, 37}}, 0},
        {"an odd number of heads, transposed", {4, {1, 19, 9, 9}}, 1},
        {"as many heads as there may be", {3, {1, QUARTIC_STREAM_EXCHANGE_MOST_HEADS, 3}}, 0},
    };
    if (index >= QUARTIC_CASES(table)) return false;
    *out = (quartic_op_case){.label = table[index].label, .input_count = 2};
    *(stream_exchange_attrs *)out->attrs = (stream_exchange_attrs){table[index].transpose};
    const uint32_t heads = table[index].x.dims[1];
    quartic_case_floats(out, 0, table[index].x, QUARTIC_FILL_NORMAL);
    quartic_case_floats(out, 1, QUARTIC_SHAPE(heads, heads), QUARTIC_FILL_NORMAL);
    return true;
}

static double stream_exchange_reduction(const quartic_op_call *call) {
    return call->inputs[0].shape.dims[1];
}

const quartic_op quartic_op_stream_exchange = {
    .name = "stream_exchange",
    .attrs_bytes = sizeof(stream_exchange_attrs),
    .in_place_inputs = 1,
    .infer = stream_exchange_infer,
    .cpu = stream_exchange_cpu,
    .cpu_scratch = stream_exchange_scratch,
    .gpu = stream_exchange_gpu,
    .grad = stream_exchange_grad,
    .cases = stream_exchange_cases,
    .flops = stream_exchange_flops,
    .tolerance = 2,
    .tolerance_reason = "a sum of products over the heads, each rounded once",
    .reduction = stream_exchange_reduction,
};

quartic_value quartic_stream_exchange(quartic_graph *graph, quartic_value x, quartic_value weight) {
    QUARTIC_CALL();
    const stream_exchange_attrs attrs = {0};
    const quartic_value inputs[] = {x, weight};
    return quartic_graph_append_one(graph, &quartic_op_stream_exchange, &attrs, inputs, 2);
}
