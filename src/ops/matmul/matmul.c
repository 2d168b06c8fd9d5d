/* matmul.c: batched matrix products with transposes, bias and addend.
 *
 *     out[.., i, j] = alpha * sum_k op(a)[.., i, k] * op(b)[.., k, j]  +  bias[j]  +  addend[.., i, j]
 *
 * op(a) is (.., M, K) and op(b) (.., K, N); the leading axes broadcast. a and b may have any strides.
 * Gradients are products of the same kind, with transposes chosen so that no operand is copied. Where an
 * operand was broadcast its gradient contracts the repeated axes too (attrs.summed), inside the product.
 * problem.h has the canonical form that kernels work on; plan.c picks the shaders.
 */
#include "base/call.h"
#include "graph/tape.h"
#include "ops/cases.h"
#include "ops/matmul/problem.h"

#include <stdio.h>

/* ---- shapes ---- */

typedef struct matmul_extents {
    quartic_shape leading; /* common leading axes, before the summed ones are dropped */
    uint32_t m, n, k, b_k;
} matmul_extents;

static quartic_shape matmul_leading_axes(const quartic_shape *shape) {
    quartic_shape leading = *shape;
    leading.rank -= 2;
    return leading;
}

static quartic_status matmul_mismatch(const quartic_op_call *call, const char *what) {
    const quartic_matmul_attrs *attrs = call->attrs;
    char a_text[QUARTIC_SHAPE_TEXT], b_text[QUARTIC_SHAPE_TEXT];
    return quartic_fail(QUARTIC_SHAPE_MISMATCH, "matmul of a %s%s with b %s%s: %s",
                        quartic_shape_text(&call->inputs[QUARTIC_MATMUL_A].shape, a_text),
                        attrs->transpose_a ? " transposed" : "",
                        quartic_shape_text(&call->inputs[QUARTIC_MATMUL_B].shape, b_text),
                        attrs->transpose_b ? " transposed" : "", what);
}

static quartic_status matmul_extents_of(const quartic_op_call *call, matmul_extents *out) {
    const quartic_matmul_attrs *attrs = call->attrs;
    const quartic_shape *a = &call->inputs[QUARTIC_MATMUL_A].shape,
                        *b = &call->inputs[QUARTIC_MATMUL_B].shape;
    if (a->rank < 2 || b->rank < 2) return matmul_mismatch(call, "both need at least two axes");
    if (quartic_shape_elements(a) == 0 || quartic_shape_elements(b) == 0)
        return matmul_mismatch(call, "an extent is zero; every axis needs at least one element");
    out->m = a->dims[a->rank - (attrs->transpose_a ? 1 : 2)];
    out->k = a->dims[a->rank - (attrs->transpose_a ? 2 : 1)];
    out->b_k = b->dims[b->rank - (attrs->transpose_b ? 1 : 2)];
    out->n = b->dims[b->rank - (attrs->transpose_b ? 2 : 1)];
    if (out->k != out->b_k) {
        char text[128];
        snprintf(text, sizeof text, "the axes to contract have %u and %u elements and must be equal", out->k,
                 out->b_k);
        return matmul_mismatch(call, text);
    }
    quartic_shape a_leading = matmul_leading_axes(a), b_leading = matmul_leading_axes(b);
    if (!quartic_shape_broadcast(&a_leading, &b_leading, &out->leading))
        return matmul_mismatch(call,
                               "the axes before the last two do not broadcast; each pair must be equal or 1");
    return QUARTIC_OK;
}

static quartic_status matmul_infer(const quartic_op_call *call, quartic_layout *out, uint32_t *out_count) {
    const quartic_matmul_attrs *attrs = call->attrs;
    QUARTIC_TRY(quartic_op_expect_inputs("matmul", call, 2, 4));
    QUARTIC_TRY(quartic_op_expect_dtype("matmul", call, QUARTIC_MATMUL_A, QUARTIC_FLOAT32));
    QUARTIC_TRY(quartic_op_expect_dtype("matmul", call, QUARTIC_MATMUL_B, QUARTIC_FLOAT32));
    matmul_extents extents;
    QUARTIC_TRY(matmul_extents_of(call, &extents));
    quartic_shape result = {0};
    for (uint32_t axis = 0; axis < extents.leading.rank; ++axis)
        if (!(attrs->summed >> axis & 1u)) result.dims[result.rank++] = extents.leading.dims[axis];
    result.dims[result.rank++] = extents.m;
    result.dims[result.rank++] = extents.n;
    if (call->input_count > QUARTIC_MATMUL_BIAS && quartic_is_present(&call->inputs[QUARTIC_MATMUL_BIAS])) {
        const quartic_shape bias = {1, {extents.n}};
        QUARTIC_TRY(quartic_op_expect_dtype("matmul", call, QUARTIC_MATMUL_BIAS, QUARTIC_FLOAT32));
        QUARTIC_TRY(quartic_op_expect_shape("matmul (bias)", call, QUARTIC_MATMUL_BIAS, &bias));
    }
    if (call->input_count > QUARTIC_MATMUL_ADDEND &&
        quartic_is_present(&call->inputs[QUARTIC_MATMUL_ADDEND])) {
        QUARTIC_TRY(quartic_op_expect_dtype("matmul", call, QUARTIC_MATMUL_ADDEND, QUARTIC_FLOAT32));
        QUARTIC_TRY(quartic_op_expect_shape("matmul (addend)", call, QUARTIC_MATMUL_ADDEND, &result));
    }
    out[0] = quartic_layout_contiguous(QUARTIC_FLOAT32, &result);
    *out_count = 1;
    return QUARTIC_OK;
}

/* ---- reference ---- */

/* Moves a position to the next index of the axes in mask, row-major; false after the last. */
static bool matmul_advance(const quartic_shape *leading, uint32_t mask, uint32_t *index,
                           const int64_t *a_strides, const int64_t *b_strides, int64_t *a_at, int64_t *b_at) {
    for (uint32_t axis = leading->rank; axis-- > 0;) {
        if (!(mask >> axis & 1u)) continue;
        *a_at += a_strides[axis];
        *b_at += b_strides[axis];
        if (++index[axis] < leading->dims[axis]) return true;
        *a_at -= a_strides[axis] * (int64_t)leading->dims[axis];
        *b_at -= b_strides[axis] * (int64_t)leading->dims[axis];
        index[axis] = 0;
    }
    return false;
}

static void matmul_cpu(const quartic_op_run *run) {
    const quartic_matmul_attrs *attrs = run->attrs;
    const quartic_operand *a = &run->inputs[QUARTIC_MATMUL_A], *b = &run->inputs[QUARTIC_MATMUL_B];
    const quartic_operand *bias = &run->inputs[QUARTIC_MATMUL_BIAS],
                          *addend = &run->inputs[QUARTIC_MATMUL_ADDEND];
    bool has_bias = run->input_count > QUARTIC_MATMUL_BIAS && bias->data != NULL;
    bool has_addend = run->input_count > QUARTIC_MATMUL_ADDEND && addend->data != NULL;
    const quartic_layout layouts[] = {*a->layout, *b->layout};
    const quartic_op_call call = {.attrs = attrs, .input_count = 2, .inputs = layouts};
    matmul_extents extents;
    if (matmul_extents_of(&call, &extents) != QUARTIC_OK) return; /* infer has accepted these operands */

    /* Strides of a and b over (.., M, K) and (.., K, N), 0 on repeated axes. */
    quartic_shape a_shape = extents.leading, b_shape = extents.leading;
    a_shape.rank = b_shape.rank = extents.leading.rank + 2;
    for (uint32_t axis = 0; axis < 2; ++axis) {
        a_shape.dims[extents.leading.rank + axis] = layouts[0].shape.dims[layouts[0].shape.rank - 2 + axis];
        b_shape.dims[extents.leading.rank + axis] = layouts[1].shape.dims[layouts[1].shape.rank - 2 + axis];
    }
    quartic_layout a_wide = quartic_layout_broadcast(a->layout, &a_shape);
    quartic_layout b_wide = quartic_layout_broadcast(b->layout, &b_shape);
    const int64_t *a_tail = a_wide.strides + extents.leading.rank,
                  *b_tail = b_wide.strides + extents.leading.rank;
    int64_t a_row = a_tail[attrs->transpose_a ? 1 : 0], a_k = a_tail[attrs->transpose_a ? 0 : 1];
    int64_t b_k = b_tail[attrs->transpose_b ? 1 : 0], b_col = b_tail[attrs->transpose_b ? 0 : 1];

    uint32_t index[QUARTIC_MAX_RANK] = {0};
    int64_t a_batch = 0, b_batch = 0, at = 0;
    do {
        for (uint32_t i = 0; i < extents.m; ++i) {
            for (uint32_t j = 0; j < extents.n; ++j, ++at) {
                double sum = 0.0;
                int64_t a_sum = a_batch + i * a_row, b_sum = b_batch + j * b_col;
                do {
                    for (uint32_t k = 0; k < extents.k; ++k)
                        sum += quartic_get(a, a_sum + k * a_k) * quartic_get(b, b_sum + k * b_k);
                } while (matmul_advance(&extents.leading, attrs->summed, index, a_wide.strides,
                                        b_wide.strides, &a_sum, &b_sum));
                sum *= attrs->alpha;
                if (has_bias) sum += quartic_get(bias, j);
                if (has_addend) sum += quartic_get(addend, at);
                quartic_put(&run->outputs[0], at, sum);
            }
        }
    } while (matmul_advance(&extents.leading, ~attrs->summed, index, a_wide.strides, b_wide.strides, &a_batch,
                            &b_batch));
}

static double matmul_flops(const quartic_op_call *call) {
    quartic_matmul_problem problem = quartic_matmul_describe(call);
    return quartic_matmul_flops(&problem);
}

static double matmul_reduction(const quartic_op_call *call) {
    quartic_matmul_problem problem = quartic_matmul_describe(call);
    return problem.k * (double)problem.sums;
}

/* ---- gradient ---- */

/* Gives input `to` its gradient alpha * op(x) op(y), contracted over the leading axes that the input repeats.
 * What the input has from elsewhere goes into the product as its addend. */
static void matmul_give_product(quartic_tape *tape, uint32_t to, quartic_value x, uint32_t transpose_x,
                                quartic_value y, uint32_t transpose_y, float alpha) {
    quartic_graph *graph = quartic_tape_graph(tape);
    const quartic_shape whole = quartic_tape_input_layout(tape, to).shape, *shape = &whole;
    const quartic_shape x_shape = quartic_graph_shape(graph, x), y_shape = quartic_graph_shape(graph, y);
    quartic_shape x_leading = matmul_leading_axes(&x_shape), y_leading = matmul_leading_axes(&y_shape),
                  leading = {0};
    quartic_matmul_attrs attrs = {transpose_x, transpose_y, alpha, 0};
    if (quartic_shape_broadcast(&x_leading, &y_leading, &leading)) /* else infer says so */
        for (uint32_t axis = 0; axis < leading.rank; ++axis) {
            bool present = axis + shape->rank >= leading.rank + 2;
            if (!present ||
                (shape->dims[axis + shape->rank - leading.rank - 2] == 1 && leading.dims[axis] > 1))
                attrs.summed |= 1u << axis;
        }
    const quartic_shape shape_leading = matmul_leading_axes(shape);
    const bool is_whole = attrs.summed == 0 && quartic_shape_equal(&leading, &shape_leading);
    const quartic_value inputs[] = {
        x, y, {0}, is_whole ? quartic_tape_collect(tape, to) : (quartic_value){0}};
    quartic_value product = quartic_graph_append_one(graph, &quartic_op_matmul, &attrs, inputs, 4);
    quartic_shape got = quartic_graph_shape(graph, product), ones = *shape;
    if (product.id == 0 || quartic_shape_equal(&got, shape)) {
        quartic_tape_give(tape, to, product);
        return;
    }
    /* Contracted axes come back with extent 1; an axis that neither factor had (only in the gradient of a
     * contraction) is repeated. */
    for (uint32_t axis = 0, kept = 0; axis + 2 < shape->rank; ++axis) {
        uint32_t in_leading = axis + leading.rank + 2 - shape->rank;
        bool dropped = attrs.summed >> in_leading & 1u;
        ones.dims[axis] = dropped ? 1 : got.dims[kept++];
    }
    if (!quartic_shape_equal(&got, &ones)) product = quartic_reshape(graph, product, &ones);
    quartic_tape_give(tape, to,
                      quartic_shape_equal(&ones, shape) ? product : quartic_broadcast(graph, product, shape));
}

static quartic_status matmul_grad(quartic_tape *tape) {
    const quartic_matmul_attrs *attrs = quartic_tape_attrs(tape);
    quartic_graph *graph = quartic_tape_graph(tape);
    quartic_value g = quartic_tape_gradient(tape, 0); /* (.., M, N) */
    quartic_shape a_shape = quartic_tape_input_layout(tape, QUARTIC_MATMUL_A).shape;
    quartic_shape b_shape = quartic_tape_input_layout(tape, QUARTIC_MATMUL_B).shape;
    if (quartic_tape_wants(tape, QUARTIC_MATMUL_ADDEND)) quartic_tape_give(tape, QUARTIC_MATMUL_ADDEND, g);
    if (quartic_tape_wants(tape, QUARTIC_MATMUL_BIAS)) {
        uint32_t rank = quartic_graph_shape(graph, g).rank;
        quartic_tape_give(tape, QUARTIC_MATMUL_BIAS, quartic_sum(graph, g, (1u << (rank - 1)) - 1u, 0));
    }
    if (attrs->summed != 0) {
        /* g repeats along the contracted axes: they come back with extent 1. */
        quartic_shape narrow = quartic_graph_shape(graph, g), wide = narrow;
        uint32_t leading = (a_shape.rank > b_shape.rank ? a_shape.rank : b_shape.rank) - 2;
        wide.rank = leading + 2;
        for (uint32_t axis = 0, kept = 0; axis < wide.rank; ++axis)
            wide.dims[axis] = axis < leading && (attrs->summed >> axis & 1u) ? 1 : narrow.dims[kept++];
        g = quartic_reshape(graph, g, &wide);
    }
    uint32_t ta = attrs->transpose_a, tb = attrs->transpose_b;
    if (quartic_tape_wants(tape, QUARTIC_MATMUL_A)) {
        quartic_value b = quartic_tape_input(tape, QUARTIC_MATMUL_B);
        /* d op(a) = alpha g op(b)^T, so da = alpha op(b) g^T where a is transposed. */
        if (ta)
            matmul_give_product(tape, QUARTIC_MATMUL_A, b, tb, g, 1, attrs->alpha);
        else
            matmul_give_product(tape, QUARTIC_MATMUL_A, g, 0, b, !tb, attrs->alpha);
    }
    if (quartic_tape_wants(tape, QUARTIC_MATMUL_B)) {
        quartic_value a = quartic_tape_input(tape, QUARTIC_MATMUL_A);
        /* d op(b) = alpha op(a)^T g, so db = alpha g^T op(a) where b is transposed. */
        if (tb)
            matmul_give_product(tape, QUARTIC_MATMUL_B, g, 1, a, ta, attrs->alpha);
        else
            matmul_give_product(tape, QUARTIC_MATMUL_B, a, !ta, g, 0, attrs->alpha);
    }
    return QUARTIC_OK;
}

/* ---- cases ---- */

static bool matmul_cases(uint32_t index, quartic_op_case *out) {
    /* with: 1 bias, 2 addend (their shapes follow from a and b). */
    static const struct {
        const char *label;
        quartic_shape a, b;
        uint32_t transpose_a, transpose_b, with, summed;
        float alpha;
    } table[] = {
        {"one element", {2, {1, 1}}, {2, {1, 1}}, 0, 0, 0, 0, 1.0f},
        {"plain", {2, {13, 15}}, {2, {15, 127}}, 0, 0, 0, 0, 1.0f},
        {"a transposed", {2, {15, 13}}, {2, {15, 129}}, 1, 0, 0, 0, 0.5f},
        {"b transposed with bias", {2, {129, 33}}, {2, {17, 33}}, 0, 1, 1, 0, 1.0f},
        {"both transposed with bias and addend", {2, {31, 65}}, {2, {70, 31}}, 1, 1, 3, 0, -1.5f},
        {"tiles with remainders", {2, {130, 66}}, {2, {66, 131}}, 0, 0, 2, 0, 1.0f},
        {"linear layer over edges", {4, {2, 9, 9, 32}}, {2, {24, 32}}, 0, 1, 1, 0, 1.0f},
        {"few outputs from many rows", {4, {1, 19, 19, 32}}, {2, {8, 32}}, 0, 1, 1, 0, 1.0f},
        {"talking heads", {2, {8, 8}}, {3, {2, 8, 149}}, 0, 0, 0, 0, 1.0f},
        {"edges out of attention", {3, {2, 8, 121}}, {2, {32, 8}}, 1, 1, 2, 0, 1.0f},
        {"attention scores", {4, {2, 3, 17, 16}}, {4, {2, 3, 19, 16}}, 0, 1, 0, 0, 0.25f},
        {"attention values", {4, {2, 3, 17, 19}}, {4, {2, 3, 19, 16}}, 0, 0, 0, 0, 1.0f},
        {"both operands broadcast", {4, {3, 1, 5, 7}}, {3, {4, 7, 6}}, 0, 0, 3, 0, 1.0f},
        {"broadcast batch in the middle", {5, {2, 1, 3, 4, 5}}, {5, {1, 4, 3, 5, 2}}, 0, 0, 0, 0, 2.0f},
        {"six axes", {6, {2, 2, 1, 2, 3, 4}}, {6, {1, 2, 3, 1, 4, 5}}, 0, 0, 0, 0, 1.0f},
        {"streams mixed per token", {3, {130, 4, 5}}, {3, {130, 4, 33}}, 1, 0, 0, 0, 1.0f},
        {"tiny products", {3, {300, 3, 4}}, {3, {300, 4, 5}}, 0, 0, 0, 0, 1.0f},
        {"row times matrix", {2, {1, 200}}, {2, {200, 67}}, 0, 0, 1, 0, 1.0f},
        {"row times transposed matrix", {2, {1, 300}}, {2, {67, 300}}, 0, 1, 1, 0, 1.0f},
        {"matrix times column", {2, {150, 130}}, {2, {130, 1}}, 0, 0, 1, 0, 1.0f},
        {"outer product", {2, {65, 1}}, {2, {1, 77}}, 0, 0, 2, 0, 3.0f},
        {"long contraction", {2, {2500, 13}}, {2, {2500, 15}}, 1, 0, 0, 0, 1.0f},
        {"long rows contracted", {2, {7, 2500}}, {2, {9, 2500}}, 0, 1, 3, 0, 0.5f},
        {"batches contracted", {3, {6, 9, 50}}, {3, {6, 9, 11}}, 1, 0, 0, 1, 1.0f},
        {"strided batches contracted", {4, {3, 4, 20, 7}}, {4, {3, 1, 20, 5}}, 1, 0, 2, 1, 2.0f},
        /* Strided, the next ones are matrices side by side: the batch is the dense axis. */
        {"channels", {3, {33, 18, 20}}, {3, {33, 17, 20}}, 0, 1, 3, 0, -1.5f},
        {"channels with a matrix for all", {3, {1, 19, 5}}, {3, {17, 19, 13}}, 1, 0, 0, 0, 1.0f},
        {"channels of batches", {4, {3, 16, 7, 3}}, {4, {3, 16, 3, 9}}, 0, 0, 2, 0, 1.0f},
        {"inner batches contracted", {4, {3, 4, 6, 70}}, {4, {3, 4, 5, 70}}, 0, 1, 1, 2, 1.0f},
    };
    if (index >= QUARTIC_CASES(table)) return false;
    *out = (quartic_op_case){.label = table[index].label, .input_count = 4};
    const quartic_matmul_attrs attrs = {table[index].transpose_a, table[index].transpose_b,
                                        table[index].alpha, table[index].summed};
    *(quartic_matmul_attrs *)out->attrs = attrs;
    quartic_case_floats(out, QUARTIC_MATMUL_A, table[index].a, QUARTIC_FILL_NORMAL);
    quartic_case_floats(out, QUARTIC_MATMUL_B, table[index].b, QUARTIC_FILL_NORMAL);
    const quartic_layout inputs[] = {quartic_layout_contiguous(QUARTIC_FLOAT32, &table[index].a),
                                     quartic_layout_contiguous(QUARTIC_FLOAT32, &table[index].b)};
    const quartic_op_call call = {.attrs = &attrs, .input_count = 2, .inputs = inputs};
    quartic_layout result;
    uint32_t count;
    if (matmul_infer(&call, &result, &count) != QUARTIC_OK) return false;
    const uint32_t columns = result.shape.dims[result.shape.rank - 1];
    if (table[index].with & 1)
        quartic_case_floats(out, QUARTIC_MATMUL_BIAS, QUARTIC_SHAPE(columns), QUARTIC_FILL_NORMAL);
    if (table[index].with & 2)
        quartic_case_floats(out, QUARTIC_MATMUL_ADDEND, result.shape, QUARTIC_FILL_NORMAL);
    return true;
}

const quartic_op quartic_op_matmul = {
    .name = "matmul",
    .attrs_bytes = sizeof(quartic_matmul_attrs),
    .strided_inputs = 1u << QUARTIC_MATMUL_A | 1u << QUARTIC_MATMUL_B,
    .in_place_inputs = 1u << QUARTIC_MATMUL_ADDEND,
    .infer = matmul_infer,
    .cpu = matmul_cpu,
    .gpu = quartic_matmul_gpu,
    .candidates = quartic_matmul_candidates,
    .grad = matmul_grad,
    .cases = matmul_cases,
    .flops = matmul_flops,
    .tolerance = 4,
    .tolerance_reason = "float32 sums of K products in any order: rounding grows as sqrt(K)",
    .reduction = matmul_reduction,
};

/* ---- builders ---- */

static const quartic_matmul_options standard_matmul = QUARTIC_MATMUL_OPTIONS_INIT;
static const quartic_options_type matmul_type = QUARTIC_BUILDER_OPTIONS_TYPE(
    quartic_matmul_options, QUARTIC_MATMUL_OPTIONS_INIT, &standard_matmul, addend);

quartic_value quartic_matmul(quartic_graph *graph, quartic_value a, quartic_value b,
                             const quartic_matmul_options *options) {
    QUARTIC_CALL();
    quartic_matmul_options own;
    if (!quartic_graph_options(graph, &matmul_type, options, &own) ||
        !quartic_graph_expect(graph, "matmul", (const quartic_value[]){a, b, own.bias, own.addend}, 4) ||
        !quartic_graph_expect_factor(graph, "matmul", "alpha", own.alpha))
        return (quartic_value){0};
    const quartic_matmul_attrs attrs = {own.transpose_a != 0, own.transpose_b != 0, own.alpha, 0};
    const quartic_value inputs[] = {a, b, own.bias, own.addend};
    return quartic_graph_append_one(graph, &quartic_op_matmul, &attrs, inputs, 4);
}

quartic_value quartic_linear(quartic_graph *graph, quartic_value x, quartic_value weight,
                             quartic_value bias) {
    QUARTIC_CALL();
    quartic_matmul_options options = QUARTIC_MATMUL_OPTIONS_INIT;
    options.transpose_b = 1;
    options.bias = bias;
    if (!quartic_graph_expect(graph, "linear", (const quartic_value[]){x, weight, bias}, 3))
        return (quartic_value){0};
    quartic_shape shape = quartic_graph_shape(graph, x);
    if (shape.rank != 1) return quartic_matmul(graph, x, weight, &options);
    /* A single row: (K) to (1, K) and back. */
    const quartic_shape row = QUARTIC_SHAPE(1, shape.dims[0]);
    quartic_value y = quartic_matmul(graph, quartic_reshape(graph, x, &row), weight, &options);
    shape.dims[0] = quartic_graph_shape(graph, y).dims[1];
    return y.id == 0 ? y : quartic_reshape(graph, y, &shape);
}
