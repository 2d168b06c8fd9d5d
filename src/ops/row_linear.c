/* row_linear.c: norm_linear and gated_linear: products fused with what stands before and after them, so that
 * the row of an edge is read once and written once.
 *
 *     norm_linear    y_p = x' W_p^T, p < 4       x' = norm(x), rms or l2 (norm.c); x' = x for the weights
 *                                                whose bit is set in attrs.raw; y_0 is multiplied by alpha
 *     gated_linear   y = x' W^T + addend         x'[h, d] = x[h, d] * sigmoid(gates[h]), heads of K / H
 *                                                elements; or x' = gelu(x)
 *
 * x (.., K) are rows of any number of axes, W_p (N_p, K), y_p (.., N_p). Each op equals a composition of norm
 * or elementwise ops with matmul. So do its gradients, which are built from those ops: x' is computed again.
 */
#include "base/call.h"
#include "graph/tape.h"
#include "ops/cases.h"
#include "ops/gate.h"
#include "ops/row_linear.h"

#include <math.h>

#include "ops/elementwise.h"
#include "ops/norm.h"

static const quartic_value nothing = {0};

/* ---- shape rules ---- */

static quartic_status row_linear_check_x(const char *name, const quartic_op_call *call) {
    char text[QUARTIC_SHAPE_TEXT];
    QUARTIC_TRY(quartic_op_expect_dtype(name, call, ROW_LINEAR_X, QUARTIC_FLOAT32));
    const quartic_shape *x = &call->inputs[ROW_LINEAR_X].shape;
    if (x->rank == 0 || quartic_shape_elements(x) == 0)
        return quartic_fail(
            QUARTIC_SHAPE_MISMATCH,
            "%s multiplies rows along the last axis, but shape %s has none or no elements; give it "
            "at least one axis and one element",
            name, quartic_shape_text(x, text));
    return QUARTIC_OK;
}

/* The layout of the product of x with the weight at `input`. */
static quartic_status row_linear_infer_part(const char *name, const quartic_op_call *call, uint32_t input,
                                            quartic_layout *out) {
    char x_text[QUARTIC_SHAPE_TEXT], w_text[QUARTIC_SHAPE_TEXT];
    QUARTIC_TRY(quartic_op_expect_dtype(name, call, input, QUARTIC_FLOAT32));
    const quartic_shape *w = &call->inputs[input].shape;
    quartic_shape shape = call->inputs[ROW_LINEAR_X].shape;
    if (w->rank != 2 || w->dims[1] != shape.dims[shape.rank - 1] || w->dims[0] == 0)
        return quartic_fail(
            QUARTIC_SHAPE_MISMATCH,
            "%s of x %s with weight %s: a weight must be (N, K) with N at least 1 and K the last axis "
            "of x",
            name, quartic_shape_text(&shape, x_text), quartic_shape_text(w, w_text));
    shape.dims[shape.rank - 1] = w->dims[0];
    *out = quartic_layout_contiguous(QUARTIC_FLOAT32, &shape);
    return QUARTIC_OK;
}

static quartic_status norm_linear_infer(const quartic_op_call *call, quartic_layout *out,
                                        uint32_t *out_count) {
    const row_linear_attrs *attrs = call->attrs;
    QUARTIC_TRY(quartic_op_expect_inputs("norm_linear", call, ROW_LINEAR_WEIGHTS + 1,
                                         ROW_LINEAR_WEIGHTS + QUARTIC_ROW_PARTS));
    QUARTIC_TRY(row_linear_check_x("norm_linear", call));
    if (!row_linear_norms(attrs) || !(attrs->eps >= 0.0f && isfinite(attrs->eps)) ||
        !isfinite(attrs->offset) || !isfinite(attrs->alpha))
        return quartic_fail(
            QUARTIC_INVALID_ARGUMENT,
            "norm_linear got eps %g, offset %g and alpha %g; all must be finite and eps not negative",
            (double)attrs->eps, (double)attrs->offset, (double)attrs->alpha);
    if (attrs->form != QUARTIC_ROW_RMS || row_linear_has_input(call, ROW_LINEAR_SCALE)) {
        const quartic_shape *x = &call->inputs[ROW_LINEAR_X].shape,
                            want = QUARTIC_SHAPE(x->dims[x->rank - 1]);
        QUARTIC_TRY(quartic_op_expect_dtype("norm_linear", call, ROW_LINEAR_SCALE, QUARTIC_FLOAT32));
        QUARTIC_TRY(quartic_op_expect_shape("norm_linear (scale)", call, ROW_LINEAR_SCALE, &want));
    }
    *out_count = call->input_count - ROW_LINEAR_WEIGHTS;
    for (uint32_t part = 0; part < *out_count; ++part)
        QUARTIC_TRY(row_linear_infer_part("norm_linear", call, ROW_LINEAR_WEIGHTS + part, &out[part]));
    return QUARTIC_OK;
}

static const char *gated_linear_builder(const void *attrs) {
    return ((const row_linear_attrs *)attrs)->form == QUARTIC_ROW_GATE ? "gated_linear" : "gelu_linear";
}

static quartic_status gated_linear_infer(const quartic_op_call *call, quartic_layout *out,
                                         uint32_t *out_count) {
    const row_linear_attrs *attrs = call->attrs;
    const char *name = gated_linear_builder(attrs);
    QUARTIC_TRY(quartic_op_expect_inputs(name, call, ROW_LINEAR_WEIGHT + 1, ROW_LINEAR_ADDEND + 1));
    QUARTIC_TRY(row_linear_check_x(name, call));
    QUARTIC_TRY(row_linear_infer_part(name, call, ROW_LINEAR_WEIGHT, &out[0]));
    *out_count = 1;
    if (attrs->form == QUARTIC_ROW_GATE) {
        QUARTIC_TRY(quartic_op_expect_dtype(name, call, ROW_LINEAR_GATES, QUARTIC_FLOAT32));
        quartic_shape want = call->inputs[ROW_LINEAR_X].shape, gates = call->inputs[ROW_LINEAR_GATES].shape;
        uint32_t k = want.dims[want.rank - 1], heads = gates.rank == 0 ? 0 : gates.dims[gates.rank - 1];
        if (heads == 0 || k % heads != 0)
            return quartic_fail(
                QUARTIC_SHAPE_MISMATCH,
                "gated_linear got rows of %u elements and %u gates; the gates must divide a row into "
                "heads of one size",
                k, heads);
        want.dims[want.rank - 1] = heads;
        QUARTIC_TRY(quartic_op_expect_shape("gated_linear (gates)", call, ROW_LINEAR_GATES, &want));
    }
    if (!row_linear_has_input(call, ROW_LINEAR_ADDEND)) return QUARTIC_OK;
    QUARTIC_TRY(quartic_op_expect_dtype(name, call, ROW_LINEAR_ADDEND, QUARTIC_FLOAT32));
    return quartic_op_expect_shape(attrs->form == QUARTIC_ROW_GATE ? "gated_linear (addend)"
                                                                   : "gelu_linear (addend)",
                                   call, ROW_LINEAR_ADDEND, &out[0].shape);
}

/* ---- reference ---- */

static row_linear_problem row_linear_problem_of_run(const quartic_op_run *run) {
    quartic_layout layouts[QUARTIC_OP_MAX_INPUTS] = {{0}};
    for (uint32_t i = 0; i < run->input_count; ++i)
        if (run->inputs[i].data != NULL) layouts[i] = *run->inputs[i].layout;
    const quartic_op_call call = {.attrs = run->attrs, .input_count = run->input_count, .inputs = layouts};
    return row_linear_describe(&call);
}

/* The factor of the norm for the row of x that starts at base. */
static double row_linear_norm_factor(const row_linear_attrs *attrs, const quartic_operand *x, int64_t base,
                                     uint32_t k) {
    double squares = 0;
    for (uint32_t d = 0; d < k; ++d) squares += quartic_get(x, base + d) * quartic_get(x, base + d);
    const double length = sqrt(squares), least = QUARTIC_NORM_LEAST_LENGTH;
    if (attrs->form == QUARTIC_ROW_L2) return sqrt(k) / (length <= least ? least : length);
    return 1.0 / sqrt(squares / k + (double)attrs->eps);
}

static void row_linear_cpu(const quartic_op_run *run) {
    const row_linear_attrs *attrs = run->attrs;
    const row_linear_problem p = row_linear_problem_of_run(run);
    const quartic_operand *x = &run->inputs[ROW_LINEAR_X], *side = &run->inputs[ROW_LINEAR_SCALE];
    for (uint64_t row = 0; row < p.rows; ++row) {
        int64_t base = (int64_t)(row * p.k);
        double factor = p.norms ? row_linear_norm_factor(attrs, x, base, p.k) : 1;
        for (uint32_t part = 0; part < p.parts; ++part)
            for (uint32_t j = 0; j < p.n[part]; ++j) {
                double sum = 0;
                for (uint32_t d = 0; d < p.k; ++d) {
                    double e = quartic_get(x, base + d);
                    if (p.norms && !(attrs->raw >> part & 1u)) {
                        e *= factor;
                        if (p.has_side) e *= quartic_get(side, d) + (double)attrs->offset;
                    } else if (attrs->form == QUARTIC_ROW_GATE) {
                        int64_t head = d / (p.k / p.heads);
                        e /= 1 + exp(-quartic_get(side, (int64_t)row * p.heads + head));
                    } else if (attrs->form == QUARTIC_ROW_GELU) {
                        e *= 0.5 * erfc(-e * 0.70710678118654752440);
                    }
                    sum += e * quartic_get(&run->inputs[ROW_LINEAR_WEIGHTS + part], (int64_t)j * p.k + d);
                }
                if (part == 0) sum *= (double)attrs->alpha;
                int64_t at = (int64_t)(row * p.n[part] + j);
                if (p.has_addend) sum += quartic_get(&run->inputs[ROW_LINEAR_ADDEND], at);
                quartic_put(&run->outputs[part], at, sum);
            }
    }
}

static double row_linear_flops(const quartic_op_call *call) {
    row_linear_problem p = row_linear_describe(call);
    double columns = 0;
    for (uint32_t part = 0; part < p.parts; ++part) columns += p.n[part];
    return (double)p.rows * p.k * (2 * columns + (p.norms ? 6 : 2));
}

static double row_linear_reduction(const quartic_op_call *call) {
    return row_linear_describe(call).k;
}

/* ---- gradients ---- */

/* x (.., K) as a matrix of its rows (rows, K). */
static quartic_value row_linear_as_rows(quartic_graph *graph, quartic_value x) {
    quartic_shape shape = quartic_graph_shape(graph, x);
    uint32_t k = shape.dims[shape.rank - 1];
    return shape.rank == 2
               ? x
               : quartic_reshape(graph, x, &QUARTIC_SHAPE((uint32_t)(quartic_shape_elements(&shape) / k), k));
}

/* alpha g W + addend over rows: (rows, K). addend may be no value. */
static quartic_value row_linear_times_weight(quartic_graph *graph, quartic_value g, quartic_value w,
                                             float alpha, quartic_value addend) {
    quartic_matmul_options options = QUARTIC_MATMUL_OPTIONS_INIT;
    options.alpha = alpha;
    options.addend = addend;
    return quartic_matmul(graph, row_linear_as_rows(graph, g), w, &options);
}

/* The gradient of W: alpha g^T x over rows. */
static quartic_value row_linear_weight_gradient(quartic_graph *graph, quartic_value g, quartic_value x,
                                                float alpha) {
    quartic_matmul_options options = QUARTIC_MATMUL_OPTIONS_INIT;
    options.alpha = alpha;
    options.transpose_a = 1;
    return quartic_matmul(graph, row_linear_as_rows(graph, g), row_linear_as_rows(graph, x), &options);
}

static quartic_status norm_linear_grad(quartic_tape *tape) {
    const row_linear_attrs *attrs = quartic_tape_attrs(tape);
    quartic_graph *graph = quartic_tape_graph(tape);
    const bool l2 = attrs->form == QUARTIC_ROW_L2;
    quartic_value x = quartic_tape_input(tape, ROW_LINEAR_X),
                  scale = quartic_tape_input(tape, ROW_LINEAR_SCALE);
    quartic_value normed = nothing, d_normed = nothing; // (rows, K)
    bool wants_row = quartic_tape_wants(tape, ROW_LINEAR_X),
         wants_scale = quartic_tape_wants(tape, ROW_LINEAR_SCALE);
    for (uint32_t part = 0; part < QUARTIC_ROW_PARTS; ++part) {
        quartic_value g = quartic_tape_gradient(tape, part);
        if (g.id == 0 || (attrs->raw >> part & 1u)) continue;
        float alpha = part == 0 ? attrs->alpha : 1.0f;
        if (wants_row || wants_scale)
            d_normed = row_linear_times_weight(graph, g, quartic_tape_input(tape, ROW_LINEAR_WEIGHTS + part),
                                               alpha, d_normed);
        if (!quartic_tape_wants(tape, ROW_LINEAR_WEIGHTS + part)) continue;
        if (normed.id == 0)
            normed = l2 ? quartic_l2_norm(graph, x, scale, attrs->offset)
                        : quartic_rms_norm(graph, x, scale, attrs->eps);
        quartic_tape_give(tape, ROW_LINEAR_WEIGHTS + part,
                          row_linear_weight_gradient(graph, g, normed, alpha));
    }
    /* dx (rows, K): what x has from elsewhere, then the products of raw rows, then what comes through the norm.
     * Each is the addend of the next. */
    quartic_value dx = quartic_tape_collect(tape, ROW_LINEAR_X);
    if (dx.id != 0) dx = row_linear_as_rows(graph, dx);
    for (uint32_t part = 0; part < QUARTIC_ROW_PARTS; ++part) {
        quartic_value g = quartic_tape_gradient(tape, part);
        if (g.id == 0 || !(attrs->raw >> part & 1u)) continue;
        float alpha = part == 0 ? attrs->alpha : 1.0f;
        if (wants_row)
            dx = row_linear_times_weight(graph, g, quartic_tape_input(tape, ROW_LINEAR_WEIGHTS + part), alpha,
                                         dx);
        if (quartic_tape_wants(tape, ROW_LINEAR_WEIGHTS + part))
            quartic_tape_give(tape, ROW_LINEAR_WEIGHTS + part,
                              row_linear_weight_gradient(graph, g, x, alpha));
    }
    if (d_normed.id != 0) {
        norm_attrs norm = {
            .kind = l2 ? QUARTIC_NORM_L2 : QUARTIC_NORM_RMS, .eps = attrs->eps, .offset = attrs->offset};
        if (wants_row) norm.wants |= QUARTIC_NORM_WANT_X;
        if (wants_scale) norm.wants |= QUARTIC_NORM_WANT_SCALE;
        const quartic_value operands[] = {row_linear_as_rows(graph, x), d_normed, scale, dx};
        quartic_value gradients[2] = {{0}};
        QUARTIC_TRY(quartic_graph_append(graph, l2 ? &quartic_op_l2_norm_grad : &quartic_op_rms_norm_grad,
                                         &norm, operands, 4, gradients, wants_row && wants_scale ? 2 : 1));
        if (wants_row) dx = gradients[0];
        if (wants_scale) quartic_tape_give(tape, ROW_LINEAR_SCALE, gradients[wants_row ? 1 : 0]);
    }
    if (dx.id != 0) {
        quartic_shape shape = quartic_tape_input_layout(tape, ROW_LINEAR_X).shape;
        quartic_tape_give(tape, ROW_LINEAR_X, quartic_reshape(graph, dx, &shape));
    }
    return QUARTIC_OK;
}

/* Through the gates: gives their gradient; replaces *inout_d, the gradient of x' (rows, K), by that of x, and fills in
 * x' where the weight needs it. x (rows, K). */
static void row_linear_gate_gradients(quartic_tape *tape, quartic_value x, quartic_value *inout_d,
                                      quartic_value *out_prepared) {
    quartic_graph *graph = quartic_tape_graph(tape);
    const quartic_shape gates_shape = quartic_tape_input_layout(tape, ROW_LINEAR_GATES).shape;
    quartic_value gates = row_linear_as_rows(graph, quartic_tape_input(tape, ROW_LINEAR_GATES)); // (rows, H)
    const quartic_shape per_row = quartic_graph_shape(graph, gates), whole = quartic_graph_shape(graph, x);
    if (per_row.rank != 2 || whole.rank != 2) return; /* after an error, which the graph keeps */
    const uint32_t rows = per_row.dims[0], h = per_row.dims[1];
    const quartic_shape heads = QUARTIC_SHAPE(1, rows, h, whole.dims[1] / h);
    gates = quartic_reshape(graph, gates, &QUARTIC_SHAPE(1, rows, h));
    x = quartic_reshape(graph, x, &heads);
    uint32_t wants = 0;
    if (quartic_tape_wants(tape, ROW_LINEAR_X)) wants |= QUARTIC_GATE_WANT_X;
    if (quartic_tape_wants(tape, ROW_LINEAR_GATES)) wants |= QUARTIC_GATE_WANT_GATES;
    if (wants == 0) {
        *out_prepared = quartic_reshape(graph, quartic_gate(graph, x, gates), &whole);
        return;
    }
    if (quartic_tape_wants(tape, ROW_LINEAR_WEIGHT)) wants |= QUARTIC_GATE_WANT_Y;
    quartic_value results[3];
    quartic_gate_gradient(graph, x, gates, quartic_reshape(graph, *inout_d, &heads), wants, results);
    if (wants & QUARTIC_GATE_WANT_X) *inout_d = results[0];
    if (wants & QUARTIC_GATE_WANT_GATES)
        quartic_tape_give(
            tape, ROW_LINEAR_GATES,
            quartic_reshape(graph, results[gate_output(wants, QUARTIC_GATE_WANT_GATES)], &gates_shape));
    if (wants & QUARTIC_GATE_WANT_Y)
        *out_prepared = quartic_reshape(graph, results[gate_output(wants, QUARTIC_GATE_WANT_Y)], &whole);
}

static quartic_status gated_linear_grad(quartic_tape *tape) {
    const row_linear_attrs *attrs = quartic_tape_attrs(tape);
    quartic_graph *graph = quartic_tape_graph(tape);
    quartic_value g = quartic_tape_gradient(tape, 0);                                    // (.., N)
    quartic_value x = row_linear_as_rows(graph, quartic_tape_input(tape, ROW_LINEAR_X)); // (rows, K)
    const quartic_shape shape = quartic_tape_input_layout(tape, ROW_LINEAR_X).shape;
    const bool wants_x = quartic_tape_wants(tape, ROW_LINEAR_X),
               wants_gates = quartic_tape_wants(tape, ROW_LINEAR_GATES),
               wants_weight = quartic_tape_wants(tape, ROW_LINEAR_WEIGHT);
    if (quartic_tape_wants(tape, ROW_LINEAR_ADDEND)) quartic_tape_give(tape, ROW_LINEAR_ADDEND, g);

    quartic_value d = nothing; // of x', (rows, K)
    if (wants_x || wants_gates)
        d = row_linear_times_weight(graph, g, quartic_tape_input(tape, ROW_LINEAR_WEIGHT), attrs->alpha,
                                    nothing);
    quartic_value prepared = nothing; // x', (rows, K)
    if (attrs->form == QUARTIC_ROW_GELU) {
        if (wants_weight) prepared = quartic_gelu(graph, x);
        const quartic_unary_attrs gelu = {QUARTIC_UNARY_gelu, 0, 0};
        const quartic_value operands[] = {d, x};
        if (wants_x) d = quartic_graph_append_one(graph, &quartic_op_unary_grad, &gelu, operands, 2);
    } else {
        row_linear_gate_gradients(tape, x, &d, &prepared);
    }
    if (wants_x) quartic_tape_give(tape, ROW_LINEAR_X, quartic_reshape(graph, d, &shape));
    if (prepared.id != 0)
        quartic_tape_give(tape, ROW_LINEAR_WEIGHT,
                          row_linear_weight_gradient(graph, g, prepared, attrs->alpha));
    return QUARTIC_OK;
}

/* ---- cases ---- */

static bool norm_linear_cases(uint32_t index, quartic_op_case *out) {
    static const struct {
        const char *label;
        quartic_shape x;
        uint32_t form, raw, parts, n[QUARTIC_ROW_PARTS];
        bool bare;
        quartic_fill_kind fill;
    } table[] = {
        {"one element", {1, {1}}, QUARTIC_ROW_RMS, 0, 1, {1}, false, QUARTIC_FILL_POSITIVE},
        {"q, k, v and gates of edges", {4, {1, 9, 9, 32}}, QUARTIC_ROW_L2, 8, 4, {24, 24, 24, 3}, false, 0},
        {"odd extents", {2, {67, 13}}, QUARTIC_ROW_RMS, 2, 3, {5, 7, 130}, false, 0},
        {"no scale, first part raw", {2, {65, 20}}, QUARTIC_ROW_RMS, 1, 2, {33, 66}, true, 0},
        {"rows of two tiles", {2, {70, 130}}, QUARTIC_ROW_L2, 4, 3, {70, 8, 4}, false, 0},
        {"a hidden layer", {2, {30, 64}}, QUARTIC_ROW_RMS, 0, 1, {256}, false, 0},
        {"zero vectors", {2, {4, 6}}, QUARTIC_ROW_RMS, 0, 1, {5}, false, QUARTIC_FILL_ZERO},
        {"huge numbers, rms", {2, {9, 33}}, QUARTIC_ROW_RMS, 0, 2, {5, 9}, false, QUARTIC_FILL_HUGE},
        {"huge numbers, l2", {2, {9, 33}}, QUARTIC_ROW_L2, 2, 2, {5, 9}, false, QUARTIC_FILL_HUGE},
        {"tiny numbers, l2", {2, {9, 33}}, QUARTIC_ROW_L2, 0, 1, {5}, false, QUARTIC_FILL_TINY},
    };
    if (index >= QUARTIC_CASES(table)) return false;
    *out = (quartic_op_case){.label = table[index].label,
                             .input_count = ROW_LINEAR_WEIGHTS + table[index].parts,
                             .no_finite_difference = table[index].fill == QUARTIC_FILL_HUGE ||
                                                     table[index].fill == QUARTIC_FILL_TINY};
    bool l2 = table[index].form == QUARTIC_ROW_L2;
    *(row_linear_attrs *)out->attrs = (row_linear_attrs){.form = table[index].form,
                                                         .raw = table[index].raw,
                                                         .eps = l2 ? 0.0f : 1e-5f,
                                                         .offset = l2 ? 1.0f : 0.0f,
                                                         .alpha = 0.75f};
    uint32_t k = table[index].x.dims[table[index].x.rank - 1];
    quartic_case_floats(out, ROW_LINEAR_X, table[index].x, table[index].fill);
    if (!table[index].bare) quartic_case_floats(out, ROW_LINEAR_SCALE, QUARTIC_SHAPE(k), QUARTIC_FILL_NORMAL);
    for (uint32_t part = 0; part < table[index].parts; ++part)
        quartic_case_floats(out, ROW_LINEAR_WEIGHTS + part, QUARTIC_SHAPE(table[index].n[part], k),
                            QUARTIC_FILL_NORMAL);
    return true;
}

static bool gated_linear_cases(uint32_t index, quartic_op_case *out) {
    static const struct {
        const char *label;
        quartic_shape x;
        uint32_t heads, n; /* heads 0: gelu */
        bool addend;
    } table[] = {
        {"one element", {1, {1}}, 1, 1, false},          {"edges", {4, {1, 9, 9, 96}}, 3, 32, true},
        {"odd heads", {2, {67, 39}}, 3, 13, true},       {"many columns", {2, {5, 8}}, 2, 150, false},
        {"a hidden layer", {2, {70, 128}}, 0, 32, true}, {"odd hidden layer", {2, {3, 67}}, 0, 5, false},
    };
    if (index >= QUARTIC_CASES(table)) return false;
    *out = (quartic_op_case){.label = table[index].label, .input_count = ROW_LINEAR_ADDEND + 1};
    *(row_linear_attrs *)out->attrs = (row_linear_attrs){
        .form = table[index].heads == 0 ? QUARTIC_ROW_GELU : QUARTIC_ROW_GATE, .alpha = 1.0f};
    quartic_shape gates = table[index].x, y = gates;
    uint32_t k = gates.dims[gates.rank - 1];
    gates.dims[gates.rank - 1] = table[index].heads;
    y.dims[y.rank - 1] = table[index].n;
    quartic_case_floats(out, ROW_LINEAR_X, table[index].x, QUARTIC_FILL_NORMAL);
    if (table[index].heads != 0) quartic_case_floats(out, ROW_LINEAR_GATES, gates, QUARTIC_FILL_NORMAL);
    quartic_case_floats(out, ROW_LINEAR_WEIGHT, QUARTIC_SHAPE(table[index].n, k), QUARTIC_FILL_NORMAL);
    if (table[index].addend) quartic_case_floats(out, ROW_LINEAR_ADDEND, y, QUARTIC_FILL_NORMAL);
    return true;
}

/* ---- ops ---- */

const quartic_op quartic_op_norm_linear = {
    .name = "norm_linear",
    .attrs_bytes = sizeof(row_linear_attrs),
    .infer = norm_linear_infer,
    .cpu = row_linear_cpu,
    .gpu = row_linear_gpu,
    .candidates = row_linear_candidates,
    .grad = norm_linear_grad,
    .cases = norm_linear_cases,
    .flops = row_linear_flops,
    .tolerance = 6,
    .tolerance_reason = "a norm's roundings, then a float32 sum of K products in any order",
    .reduction = row_linear_reduction,
};

const quartic_op quartic_op_gated_linear = {
    .name = "gated_linear",
    .builder = gated_linear_builder,
    .attrs_bytes = sizeof(row_linear_attrs),
    .infer = gated_linear_infer,
    .cpu = row_linear_cpu,
    .gpu = row_linear_gpu,
    .candidates = row_linear_candidates,
    .grad = gated_linear_grad,
    .cases = gated_linear_cases,
    .flops = row_linear_flops,
    .tolerance = 6,
    .tolerance_reason = "sigmoid or gelu to a few ulp, then a float32 sum of K products in any order",
    .reduction = row_linear_reduction,
};

/* ---- builders ---- */

static const quartic_norm_linear_options standard_norm_linear = QUARTIC_NORM_LINEAR_OPTIONS_INIT;
static const quartic_options_type norm_linear_type = QUARTIC_BUILDER_OPTIONS_TYPE(
    quartic_norm_linear_options, QUARTIC_NORM_LINEAR_OPTIONS_INIT, &standard_norm_linear, alpha);

void quartic_norm_linear(quartic_graph *graph, quartic_value x, quartic_value scale,
                         const quartic_value *weights, uint32_t count,
                         const quartic_norm_linear_options *options, quartic_value *out_products) {
    QUARTIC_CALL();
    quartic_norm_linear_options own;
    for (uint32_t part = 0; out_products != NULL && part < count; ++part) out_products[part] = nothing;
    if (!quartic_graph_expect_pointer(graph, "norm_linear", "out_products", out_products) ||
        !quartic_graph_expect_pointer(graph, "norm_linear", "weights", weights) ||
        !quartic_graph_options(graph, &norm_linear_type, options, &own) ||
        !quartic_graph_expect_factor(graph, "norm_linear", "alpha", own.alpha))
        return;
    const row_linear_attrs attrs = {.form = own.l2 ? QUARTIC_ROW_L2 : QUARTIC_ROW_RMS,
                                    .raw = own.raw,
                                    .eps = own.eps,
                                    .offset = own.scale_offset,
                                    .alpha = own.alpha};
    quartic_value inputs[ROW_LINEAR_WEIGHTS + QUARTIC_ROW_PARTS + 1] = {x, scale};
    /* One too many stays one too many, for infer to refuse. */
    uint32_t given = count > QUARTIC_ROW_PARTS ? QUARTIC_ROW_PARTS + 1 : count;
    for (uint32_t part = 0; part < given; ++part) inputs[ROW_LINEAR_WEIGHTS + part] = weights[part];
    quartic_graph_append(graph, &quartic_op_norm_linear, &attrs, inputs, ROW_LINEAR_WEIGHTS + given,
                         out_products, given);
}

quartic_value quartic_gated_linear(quartic_graph *graph, quartic_value x, quartic_value gates,
                                   quartic_value weight, quartic_value addend) {
    QUARTIC_CALL();
    const row_linear_attrs attrs = {.form = QUARTIC_ROW_GATE, .alpha = 1.0f};
    const quartic_value inputs[] = {x, gates, weight, addend};
    return quartic_graph_append_one(graph, &quartic_op_gated_linear, &attrs, inputs, 4);
}

quartic_value quartic_gelu_linear(quartic_graph *graph, quartic_value x, quartic_value weight,
                                  quartic_value addend) {
    QUARTIC_CALL();
    const row_linear_attrs attrs = {.form = QUARTIC_ROW_GELU, .alpha = 1.0f};
    const quartic_value inputs[] = {x, nothing, weight, addend};
    return quartic_graph_append_one(graph, &quartic_op_gated_linear, &attrs, inputs, 4);
}
