/* norm.c: rms_norm, l2_norm and layer_norm over the last axis, with their adjoints.
 *
 * For a row x of D elements:
 *     c      = x - mean(x) for layer, x for rms and l2
 *     factor = 1 / sqrt(mean(c^2) + eps) for rms and layer, sqrt(D) / max(|x|, 1e-12) for l2
 *     y      = xhat * (scale + offset) + bias,   xhat = c * factor
 * Adjoint, with h = dy * (scale + offset), for layer minus its mean:
 *     dx     = factor * (h - xhat * mean(h * xhat)), or factor * h where the clamp of l2 holds; plus an addend
 *     dscale = sum over rows of dy * xhat
 *     dbias  = sum over rows of dy
 * The three ops differ in attrs.kind only. An adjoint's outputs are the wanted ones of dx, dscale and dbias.
 * The parameter gradients are written after every row was read, so any output may take over an operand's
 * memory.
 */
#include "base/call.h"
#include "graph/tape.h"
#include "ops/cases.h"
#include "ops/norm.h"

#include <math.h>

#include "ops/gpu_plan.h"
#include "ops/rows.h"
#include "shaders/norm.args.h"
#include "shaders/norm_grad.args.h"

enum {
    MAX_STEPS = 64, /* elements of a row that a shader's lane keeps in registers, see norm.comp */
    COLUMN_TILE = 32
};

static const char *norm_name(const norm_attrs *attrs) {
    switch (attrs->kind) {
    case QUARTIC_NORM_RMS:
        return "rms_norm";
    case QUARTIC_NORM_L2:
        return "l2_norm";
    default:
        return "layer_norm";
    }
}

/* ---- shape rules ---- */

static quartic_status norm_check_x(const quartic_op_call *call) {
    const norm_attrs *attrs = call->attrs;
    const char *name = norm_name(attrs);
    QUARTIC_TRY(quartic_op_expect_dtype(name, call, 0, QUARTIC_FLOAT32));
    const quartic_shape *x = &call->inputs[0].shape;
    char text[QUARTIC_SHAPE_TEXT];
    if (x->rank == 0 || quartic_shape_elements(x) == 0)
        return quartic_fail(
            QUARTIC_SHAPE_MISMATCH,
            "%s normalises over the last axis, but shape %s has none or no elements; give it at "
            "least one axis and one element",
            name, quartic_shape_text(x, text));
    if (!(attrs->eps >= 0.0f && isfinite(attrs->eps)) || !isfinite(attrs->offset))
        return quartic_fail(QUARTIC_INVALID_ARGUMENT,
                            "%s got eps %g and offset %g; both must be finite and eps not negative", name,
                            (double)attrs->eps, (double)attrs->offset);
    return QUARTIC_OK;
}

static quartic_status norm_check_vector(const quartic_op_call *call, uint32_t input) {
    const char *name = norm_name(call->attrs);
    const quartic_shape want = QUARTIC_SHAPE(norm_width(&call->inputs[0]));
    QUARTIC_TRY(quartic_op_expect_dtype(name, call, input, QUARTIC_FLOAT32));
    return quartic_op_expect_shape(name, call, input, &want);
}

/* Inputs x (.., D), scale (D) (optional for rms), bias (D) (layer only). */
static quartic_status norm_infer(const quartic_op_call *call, quartic_layout *out, uint32_t *out_count) {
    const norm_attrs *attrs = call->attrs;
    uint32_t inputs = attrs->kind == QUARTIC_NORM_LAYER ? 3 : 2;
    QUARTIC_TRY(quartic_op_expect_inputs(norm_name(attrs), call, inputs, inputs));
    QUARTIC_TRY(norm_check_x(call));
    if (attrs->kind != QUARTIC_NORM_RMS || quartic_is_present(&call->inputs[1]))
        QUARTIC_TRY(norm_check_vector(call, 1));
    if (attrs->kind == QUARTIC_NORM_LAYER) QUARTIC_TRY(norm_check_vector(call, 2));
    out[0] = quartic_layout_contiguous(QUARTIC_FLOAT32, &call->inputs[0].shape);
    *out_count = 1;
    return QUARTIC_OK;
}

/* Inputs x (.., D), dy (.., D), scale (D) or none, addend (.., D) of dx or none; outputs the wanted ones of
 * dx (.., D), dscale (D), dbias (D). */
static quartic_status norm_grad_infer(const quartic_op_call *call, quartic_layout *out, uint32_t *out_count) {
    const norm_attrs *attrs = call->attrs;
    QUARTIC_TRY(quartic_op_expect_inputs(norm_name(attrs), call, 4, 4));
    QUARTIC_TRY(norm_check_x(call));
    QUARTIC_TRY(quartic_op_expect_dtype(norm_name(attrs), call, 1, QUARTIC_FLOAT32));
    QUARTIC_TRY(quartic_op_expect_shape(norm_name(attrs), call, 1, &call->inputs[0].shape));
    if (attrs->kind != QUARTIC_NORM_RMS || quartic_is_present(&call->inputs[2]))
        QUARTIC_TRY(norm_check_vector(call, 2));
    if (quartic_is_present(&call->inputs[NORM_GRAD_ADDEND])) {
        QUARTIC_TRY(quartic_op_expect_dtype(norm_name(attrs), call, NORM_GRAD_ADDEND, QUARTIC_FLOAT32));
        QUARTIC_TRY(
            quartic_op_expect_shape(norm_name(attrs), call, NORM_GRAD_ADDEND, &call->inputs[0].shape));
    }
    const quartic_shape column = QUARTIC_SHAPE(norm_width(&call->inputs[0]));
    uint32_t count = 0;
    if (attrs->wants & QUARTIC_NORM_WANT_X)
        out[count++] = quartic_layout_contiguous(QUARTIC_FLOAT32, &call->inputs[0].shape);
    if (attrs->wants & QUARTIC_NORM_WANT_SCALE)
        out[count++] = quartic_layout_contiguous(QUARTIC_FLOAT32, &column);
    if (attrs->wants & QUARTIC_NORM_WANT_BIAS)
        out[count++] = quartic_layout_contiguous(QUARTIC_FLOAT32, &column);
    *out_count = count;
    return QUARTIC_OK;
}

/* ---- reference ---- */

typedef struct row_measure {
    double mean, factor, squares; /* squares: the sum of c^2 */
    bool clamped;
} row_measure;

/* The row of x that starts at base. */
static row_measure norm_measure_row(const norm_attrs *attrs, const quartic_operand *x, int64_t base,
                                    uint32_t width) {
    row_measure row = {0};
    if (attrs->kind == QUARTIC_NORM_LAYER) {
        for (uint32_t d = 0; d < width; ++d) row.mean += quartic_get(x, base + d);
        row.mean /= width;
    }
    for (uint32_t d = 0; d < width; ++d) {
        double c = quartic_get(x, base + d) - row.mean;
        row.squares += c * c;
    }
    if (attrs->kind == QUARTIC_NORM_L2) {
        row.clamped = sqrt(row.squares) <= QUARTIC_NORM_LEAST_LENGTH;
        row.factor = sqrt(width) / (row.clamped ? QUARTIC_NORM_LEAST_LENGTH : sqrt(row.squares));
    } else {
        row.factor = 1.0 / sqrt(row.squares / width + (double)attrs->eps);
    }
    return row;
}

/* h - xhat * mean(h * xhat), from 1 = squares * part + eps * factor^2 with part = factor^2 / D. Written so,
 * the terms of the element itself drop out exactly: the gradient of a row of one element, tiny or 0, is not
 * what rounding left of a difference. */
static double norm_row_gradient(const norm_attrs *attrs, const row_measure *row, uint32_t width, double c,
                                double h, double product) {
    if (row->clamped) return h;
    double part = row->factor * row->factor / width;
    double rest = attrs->kind == QUARTIC_NORM_L2 ? 0 : (double)attrs->eps * row->factor * row->factor;
    return h * ((row->squares - c * c) * part) - c * ((product - c * h) * part) + h * rest;
}

static double norm_weight(const norm_attrs *attrs, const quartic_operand *scale, uint32_t d) {
    return scale->data == NULL ? 1.0 : quartic_get(scale, d) + (double)attrs->offset;
}

static void norm_cpu(const quartic_op_run *run) {
    const norm_attrs *attrs = run->attrs;
    const quartic_operand *x = &run->inputs[0], *scale = &run->inputs[1], *bias = &run->inputs[2];
    uint32_t width = norm_width(x->layout);
    uint64_t rows = norm_rows(x->layout);
    for (uint64_t r = 0; r < rows; ++r) {
        int64_t base = (int64_t)(r * width);
        row_measure row = norm_measure_row(attrs, x, base, width);
        for (uint32_t d = 0; d < width; ++d) {
            double y = (quartic_get(x, base + d) - row.mean) * row.factor * norm_weight(attrs, scale, d);
            if (attrs->kind == QUARTIC_NORM_LAYER) y += quartic_get(bias, d);
            quartic_put(&run->outputs[0], base + d, y);
        }
    }
}

/* Scratch: the column sums of dy * xhat, then of dy. */
static size_t norm_grad_cpu_scratch(const quartic_op_call *call) {
    return 2 * sizeof(double) * norm_width(&call->inputs[0]);
}

static void norm_grad_cpu(const quartic_op_run *run) {
    const norm_attrs *attrs = run->attrs;
    const quartic_operand *x = &run->inputs[0], *dy = &run->inputs[1], *scale = &run->inputs[2],
                          *addend = &run->inputs[NORM_GRAD_ADDEND];
    uint32_t width = norm_width(x->layout);
    uint64_t rows = norm_rows(x->layout);
    double *scale_sums = run->scratch, *bias_sums = scale_sums + width;
    for (uint32_t d = 0; d < width; ++d) scale_sums[d] = bias_sums[d] = 0;
    for (uint64_t r = 0; r < rows; ++r) {
        int64_t base = (int64_t)(r * width);
        row_measure row = norm_measure_row(attrs, x, base, width);
        double mean_h = 0, product = 0; /* product: the sum of c * h */
        for (uint32_t d = 0; d < width && attrs->kind == QUARTIC_NORM_LAYER; ++d)
            mean_h += quartic_get(dy, base + d) * norm_weight(attrs, scale, d) / width;
        for (uint32_t d = 0; d < width; ++d)
            product += (quartic_get(x, base + d) - row.mean) *
                       (quartic_get(dy, base + d) * norm_weight(attrs, scale, d) - mean_h);
        for (uint32_t d = 0; d < width; ++d) {
            double c = quartic_get(x, base + d) - row.mean, g = quartic_get(dy, base + d);
            double h = g * norm_weight(attrs, scale, d) - mean_h;
            scale_sums[d] += g * c * row.factor;
            bias_sums[d] += g;
            if (attrs->wants & QUARTIC_NORM_WANT_X)
                quartic_put(&run->outputs[0], base + d,
                            row.factor * norm_row_gradient(attrs, &row, width, c, h, product) +
                                (addend->data == NULL ? 0 : quartic_get(addend, base + d)));
        }
    }
    for (uint32_t d = 0; d < width; ++d) {
        if (attrs->wants & QUARTIC_NORM_WANT_SCALE)
            quartic_put(&run->outputs[norm_output(attrs->wants, QUARTIC_NORM_WANT_SCALE)], d, scale_sums[d]);
        if (attrs->wants & QUARTIC_NORM_WANT_BIAS)
            quartic_put(&run->outputs[norm_output(attrs->wants, QUARTIC_NORM_WANT_BIAS)], d, bias_sums[d]);
    }
}

/* ---- Vulkan ---- */

/* Elements of a row per lane; refused where a lane's registers would overflow. */
static quartic_status norm_steps(const norm_attrs *attrs, uint32_t width, uint32_t lanes,
                                 uint32_t *out_steps) {
    *out_steps = (width + lanes - 1) / lanes;
    if (*out_steps <= MAX_STEPS) return QUARTIC_OK;
    return quartic_fail(QUARTIC_UNSUPPORTED,
                        "%s on Vulkan takes a last axis of at most %d elements, not %u; use "
                        "the device cpu",
                        norm_name(attrs), MAX_STEPS * QUARTIC_ROWS_INVOCATIONS, width);
}

static quartic_status norm_gpu(const quartic_op_call *call, const quartic_gpu_limits *limits,
                               quartic_dispatch_list *list) {
    (void)limits;
    const norm_attrs *attrs = call->attrs;
    uint32_t width = norm_width(&call->inputs[0]), lanes = quartic_rows_lanes(width), steps;
    uint64_t rows = norm_rows(&call->inputs[0]);
    QUARTIC_TRY(norm_steps(attrs, width, lanes, &steps));
    const quartic_norm_args args = {
        .rows = (uint32_t)rows, .width = width, .eps = attrs->eps, .offset = attrs->offset};
    quartic_dispatch *dispatch = quartic_dispatch_add(list, "norm", quartic_norm_push(&args));
    if (dispatch == NULL) return QUARTIC_INTERNAL;
    bool has_scale = quartic_is_present(&call->inputs[1]);
    quartic_dispatch_spec(dispatch, attrs->kind);
    quartic_dispatch_spec(dispatch, lanes);
    quartic_dispatch_spec(dispatch, steps);
    quartic_dispatch_spec(dispatch, has_scale);
    quartic_dispatch_groups(dispatch, quartic_rows_groups(rows, lanes));
    dispatch->flops = 6.0 * (double)(rows * width);
    dispatch->bytes = 8.0 * (double)(rows * width);
    return QUARTIC_OK;
}

/* Second stage of a parameter gradient: the sum of `count` partial rows, which lie `stride` apart and begin
 * at part * width. */
static quartic_status norm_add_columns(quartic_dispatch_list *list, uint32_t output, uint64_t partial,
                                       uint32_t count, uint32_t stride, uint32_t part, uint32_t width) {
    const uint64_t skipped = (uint64_t)part * width * sizeof(float);
    const quartic_norm_columns_args args = {
        .partial = quartic_dispatch_window(list, partial, skipped,
                                           (uint64_t)count * stride * sizeof(float) - skipped),
        .result = quartic_dispatch_output(output),
        .count = count,
        .stride = stride,
        .width = width};
    uint32_t columns = 1;
    while (columns < COLUMN_TILE && columns < width) columns *= 2;
    return quartic_add_columns(list, &args, columns);
}

static quartic_status norm_grad_gpu(const quartic_op_call *call, const quartic_gpu_limits *limits,
                                    quartic_dispatch_list *list) {
    const norm_attrs *attrs = call->attrs;
    uint32_t wants = attrs->wants;
    uint32_t width = norm_width(&call->inputs[0]), lanes = quartic_rows_lanes(width), steps;
    uint64_t rows = norm_rows(&call->inputs[0]);
    QUARTIC_TRY(norm_steps(attrs, width, lanes, &steps));
    /* Without parameter gradients a workgroup takes the rows it can hold at once. With them it walks over
     * more, so that the partial sums stay few: four workgroups a compute unit hide latency. */
    uint32_t parts =
        norm_output(wants, QUARTIC_NORM_WANT_BIAS * 2) - norm_output(wants, QUARTIC_NORM_WANT_SCALE);
    uint32_t at_once = QUARTIC_ROWS_INVOCATIONS / lanes;
    uint64_t batches = quartic_rows_groups(rows, lanes), groups = batches;
    if (parts > 0) {
        uint64_t most = 4 * (uint64_t)limits->compute_units;
        most = most < 32 ? 32 : most > 512 ? 512 : most;
        if (groups > most) groups = most;
    }
    uint64_t batches_per_group = (batches + groups - 1) / groups;
    groups = (batches + batches_per_group - 1) / batches_per_group;

    const uint64_t partial =
        parts > 0 ? quartic_dispatch_reserve(list, groups * parts * width * sizeof(float)) : 0;
    const quartic_norm_grad_args args = {.dx = wants & QUARTIC_NORM_WANT_X ? quartic_dispatch_output(0) : 0,
                                         .partial = partial,
                                         .rows = (uint32_t)rows,
                                         .width = width,
                                         .rows_per_group = (uint32_t)batches_per_group * at_once,
                                         .eps = attrs->eps,
                                         .offset = attrs->offset};
    quartic_dispatch *dispatch = quartic_dispatch_add(list, "norm_grad", quartic_norm_grad_push(&args));
    if (dispatch == NULL) return QUARTIC_INTERNAL;
    bool has_scale = quartic_is_present(&call->inputs[2]);
    quartic_dispatch_spec(dispatch, attrs->kind);
    quartic_dispatch_spec(dispatch, lanes);
    quartic_dispatch_spec(dispatch, steps);
    quartic_dispatch_spec(dispatch, has_scale);
    quartic_dispatch_spec(dispatch, wants);
    const bool has_addend = quartic_is_present(&call->inputs[NORM_GRAD_ADDEND]);
    quartic_dispatch_spec(dispatch, has_addend);
    quartic_dispatch_groups(dispatch, groups);
    dispatch->flops = 16.0 * (double)(rows * width);
    dispatch->bytes = (has_addend ? 16.0 : 12.0) * (double)(rows * width);

    uint32_t part = 0;
    for (uint32_t want = QUARTIC_NORM_WANT_SCALE; want <= QUARTIC_NORM_WANT_BIAS; want *= 2)
        if (wants & want)
            QUARTIC_TRY(norm_add_columns(list, norm_output(wants, want), partial, (uint32_t)groups,
                                         parts * width, part++, width));
    return QUARTIC_OK;
}

/* ---- gradient ---- */

static quartic_status norm_tape(quartic_tape *tape, const quartic_op *adjoint) {
    norm_attrs attrs = *(const norm_attrs *)quartic_tape_attrs(tape);
    uint32_t inputs = attrs.kind == QUARTIC_NORM_LAYER ? 3 : 2, count = 0;
    attrs.wants = 0;
    for (uint32_t input = 0; input < inputs; ++input)
        if (quartic_tape_wants(tape, input)) attrs.wants |= 1u << input, ++count;
    if (count == 0) return QUARTIC_OK;
    const quartic_value operands[] = {quartic_tape_input(tape, 0), quartic_tape_gradient(tape, 0),
                                      quartic_tape_input(tape, 1), quartic_tape_collect(tape, 0)};
    quartic_value gradients[3] = {0};
    QUARTIC_TRY(
        quartic_graph_append(quartic_tape_graph(tape), adjoint, &attrs, operands, 4, gradients, count));
    for (uint32_t input = 0; input < inputs; ++input)
        if (attrs.wants >> input & 1u)
            quartic_tape_give(tape, input, gradients[norm_output(attrs.wants, 1u << input)]);
    return QUARTIC_OK;
}

#define NORM_GRAD_RULE(name)                                                                                 \
    static quartic_status name##_grad_rule(quartic_tape *tape) {                                             \
        return norm_tape(tape, &quartic_op_##name##_grad);                                                   \
    }
NORM_GRAD_RULE(rms_norm)
NORM_GRAD_RULE(l2_norm)
NORM_GRAD_RULE(layer_norm)

/* ---- cases ---- */

static const struct norm_case {
    const char *label;
    quartic_shape x;
    quartic_fill_kind fill;
    bool kinked; /* finite differences would leave the clamp */
} norm_table[] = {
    {"odd width", {2, {5, 33}}, QUARTIC_FILL_NORMAL, false},
    {"leading axes", {4, {2, 3, 1, 13}}, QUARTIC_FILL_NORMAL, false},
    {"one row", {1, {129}}, QUARTIC_FILL_NORMAL, false},
    {"one element a row", {2, {37, 1}}, QUARTIC_FILL_POSITIVE, false},
    {"more rows than a workgroup holds", {2, {71, 8}}, QUARTIC_FILL_NORMAL, false},
    {"a row over a whole workgroup", {2, {2, 1030}}, QUARTIC_FILL_NORMAL, true},
    {"partial sums of many rows", {2, {8200, 5}}, QUARTIC_FILL_NORMAL, true},
    {"zero vectors", {2, {4, 6}}, QUARTIC_FILL_ZERO, true},
    {"huge numbers", {2, {9, 33}}, QUARTIC_FILL_HUGE, true},
    {"tiny numbers", {2, {9, 33}}, QUARTIC_FILL_TINY, true},
    {"huge numbers, one a row", {2, {5, 1}}, QUARTIC_FILL_HUGE, true},
};
enum { NORM_SHAPES = QUARTIC_CASES(norm_table) };

static norm_attrs norm_case_attrs(uint32_t kind, uint32_t wants) {
    return (norm_attrs){.kind = kind,
                        .wants = wants,
                        .eps = kind == QUARTIC_NORM_L2 ? 0.0f : 1e-5f,
                        .offset = kind == QUARTIC_NORM_L2 ? 1.0f : 0.0f};
}

/* The shapes with all operands; then, for rms, one without scale. */
static bool norm_case(uint32_t kind, uint32_t index, quartic_op_case *out) {
    bool bare = index == NORM_SHAPES && kind == QUARTIC_NORM_RMS;
    if (index >= NORM_SHAPES && !bare) return false;
    const struct norm_case *shape = &norm_table[bare ? 0 : index];
    *out = (quartic_op_case){.label = bare ? "without scale" : shape->label,
                             .input_count = kind == QUARTIC_NORM_LAYER ? 3 : 2,
                             .no_finite_difference = shape->kinked};
    *(norm_attrs *)out->attrs = norm_case_attrs(kind, 0);
    const quartic_shape column = QUARTIC_SHAPE(shape->x.dims[shape->x.rank - 1]);
    quartic_case_floats(out, 0, shape->x, shape->fill);
    if (!bare) quartic_case_floats(out, 1, column, QUARTIC_FILL_NORMAL);
    if (kind == QUARTIC_NORM_LAYER) quartic_case_floats(out, 2, column, QUARTIC_FILL_NORMAL);
    return true;
}

/* The shapes with everything wanted, every other with an addend; then every subset of what may be wanted; then,
 * for rms, no scale. */
static bool norm_grad_case(uint32_t kind, uint32_t index, quartic_op_case *out) {
    uint32_t most = kind == QUARTIC_NORM_LAYER ? 7 : 3,
             subset = index < NORM_SHAPES ? most : index - NORM_SHAPES + 1;
    bool bare = kind == QUARTIC_NORM_RMS && subset == most && index >= NORM_SHAPES;
    if (subset > most || (subset == most && index >= NORM_SHAPES && !bare)) return false;
    const struct norm_case *shape = &norm_table[index < NORM_SHAPES ? index : 4];
    *out = (quartic_op_case){.label = bare                  ? "without scale"
                                      : index < NORM_SHAPES ? shape->label
                                                            : "some gradients only",
                             .input_count = 4};
    *(norm_attrs *)out->attrs = norm_case_attrs(kind, bare ? QUARTIC_NORM_WANT_X : subset);
    if (index % 2 == 0 && (subset & QUARTIC_NORM_WANT_X))
        quartic_case_floats(out, NORM_GRAD_ADDEND, shape->x, QUARTIC_FILL_NORMAL);
    quartic_case_floats(out, 0, shape->x, shape->fill);
    quartic_case_floats(out, 1, shape->x, QUARTIC_FILL_NORMAL);
    if (!bare)
        quartic_case_floats(out, 2, QUARTIC_SHAPE(shape->x.dims[shape->x.rank - 1]), QUARTIC_FILL_NORMAL);
    return true;
}

#define NORM_CASES(name, kind)                                                                               \
    static bool name##_cases(uint32_t index, quartic_op_case *out) {                                         \
        return norm_case(kind, index, out);                                                                  \
    }                                                                                                        \
    static bool name##_grad_cases(uint32_t index, quartic_op_case *out) {                                    \
        return norm_grad_case(kind, index, out);                                                             \
    }
NORM_CASES(rms_norm, QUARTIC_NORM_RMS)
NORM_CASES(l2_norm, QUARTIC_NORM_L2)
NORM_CASES(layer_norm, QUARTIC_NORM_LAYER)

static double norm_flops(const quartic_op_call *call) {
    return 6.0 * (double)quartic_layout_elements(&call->inputs[0]);
}
static double norm_grad_flops(const quartic_op_call *call) {
    return 16.0 * (double)quartic_layout_elements(&call->inputs[0]);
}
static double norm_reduction(const quartic_op_call *call) {
    return norm_width(&call->inputs[0]);
}
static double norm_grad_reduction(const quartic_op_call *call) {
    const quartic_layout *x = &call->inputs[0];
    return fmax(norm_width(x), (double)norm_rows(x));
}

#define NORM_OPS(NAME)                                                                                       \
    const quartic_op quartic_op_##NAME = {                                                                   \
        .name = #NAME,                                                                                       \
        .attrs_bytes = sizeof(norm_attrs),                                                                   \
        .in_place_inputs = 1,                                                                                \
        .infer = norm_infer,                                                                                 \
        .cpu = norm_cpu,                                                                                     \
        .gpu = norm_gpu,                                                                                     \
        .grad = NAME##_grad_rule,                                                                            \
        .cases = NAME##_cases,                                                                               \
        .flops = norm_flops,                                                                                 \
        .tolerance = 4,                                                                                      \
        .tolerance_reason = "a sum over the row, then square root, division and two or three products",      \
        .reduction = norm_reduction,                                                                         \
    };                                                                                                       \
    const quartic_op quartic_op_##NAME##_grad = {                                                            \
        .name = #NAME "_grad",                                                                               \
        .attrs_bytes = sizeof(norm_attrs),                                                                   \
        .in_place_inputs = 1u << 0 | 1u << 1 | 1u << NORM_GRAD_ADDEND,                                       \
        .infer = norm_grad_infer,                                                                            \
        .cpu = norm_grad_cpu,                                                                                \
        .cpu_scratch = norm_grad_cpu_scratch,                                                                \
        .gpu = norm_grad_gpu,                                                                                \
        .cases = NAME##_grad_cases,                                                                          \
        .flops = norm_grad_flops,                                                                            \
        .tolerance = 8,                                                                                      \
        .tolerance_reason = "sums over the row and over the column; the terms of dx cancel in part",         \
        .reduction = norm_grad_reduction,                                                                    \
    };
NORM_OPS(rms_norm)
NORM_OPS(l2_norm)
NORM_OPS(layer_norm)

/* ---- builders ---- */

quartic_value quartic_rms_norm(quartic_graph *graph, quartic_value x, quartic_value scale, float eps) {
    QUARTIC_CALL();
    const norm_attrs attrs = {.kind = QUARTIC_NORM_RMS, .eps = eps};
    const quartic_value inputs[] = {x, scale};
    return quartic_graph_append_one(graph, &quartic_op_rms_norm, &attrs, inputs, 2);
}

quartic_value quartic_l2_norm(quartic_graph *graph, quartic_value x, quartic_value gamma,
                              float gamma_offset) {
    QUARTIC_CALL();
    const norm_attrs attrs = {.kind = QUARTIC_NORM_L2, .offset = gamma_offset};
    const quartic_value inputs[] = {x, gamma};
    return quartic_graph_append_one(graph, &quartic_op_l2_norm, &attrs, inputs, 2);
}

quartic_value quartic_layer_norm(quartic_graph *graph, quartic_value x, quartic_value weight,
                                 quartic_value bias, float eps) {
    QUARTIC_CALL();
    const norm_attrs attrs = {.kind = QUARTIC_NORM_LAYER, .eps = eps};
    const quartic_value inputs[] = {x, weight, bias};
    return quartic_graph_append_one(graph, &quartic_op_layer_norm, &attrs, inputs, 3);
}
