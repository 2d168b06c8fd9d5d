/* diversity.c: how unlike the attention of the streams is: the entropy of mixtures of one head of each
 * stream.
 *
 * p (b, S H, i, j) holds S streams of H heads, stream by stream. A choice c takes one head c_s of each
 * stream:
 *     m_c          = 1/S sum over s of p[s, c_s]
 *     result[b, i] = H^-S sum over c and j of f(m_c)              f(m)  = m log max(m, 1e-20)
 * Adjoint, with g[b, i]:
 *     dp[s, h]     = g / (S H^S) sum over the c with c_s = h of f'(m_c)
 *                                                                f'(m) = log max(m, 1e-20) + (m > 1e-20)
 * The H^S choices are numbered, stream 0 slowest, and counted through; their mixtures are never stored. The
 * public builder takes the mean over b and i.
 */
#include "base/call.h"
#include "graph/tape.h"
#include "ops/cases.h"
#include "ops/diversity.h"

#include <math.h>
#include <stdio.h>

#include "ops/gpu_plan.h"
#include "shaders/diversity.args.h"
#include "shaders/diversity_grad.args.h"

/* ---- shape rules ---- */

static quartic_status diversity_check_p(const char *name, const quartic_op_call *call) {
    const diversity_attrs *attrs = call->attrs;
    const quartic_shape *p = &call->inputs[0].shape;
    char text[QUARTIC_SHAPE_TEXT];
    QUARTIC_TRY(quartic_op_expect_dtype(name, call, 0, QUARTIC_FLOAT32));
    QUARTIC_TRY(quartic_op_expect_rank(name, call, 0, 4));
    if (quartic_shape_elements(p) == 0)
        return quartic_fail(QUARTIC_SHAPE_MISMATCH, "%s got shape %s, which has no elements", name,
                            quartic_shape_text(p, text));
    if (attrs->streams == 0 || p->dims[1] % attrs->streams != 0)
        return quartic_fail(
            QUARTIC_SHAPE_MISMATCH,
            "%s of %u streams got shape %s, whose %u heads (axis 1) do not divide into as many "
            "streams; give streams * heads of one stream",
            name, attrs->streams, quartic_shape_text(p, text), p->dims[1]);
    const diversity_extents e = diversity_extents_of(attrs, &call->inputs[0]);
    if (e.choices > QUARTIC_DIVERSITY_MOST_CHOICES)
        return quartic_fail(
            QUARTIC_UNSUPPORTED,
            "%s of %u streams of %u heads averages over %u^%u = %.3g choices of one head from each "
            "stream, about %.2g operations for shape %s; at most %d choices are counted through, so "
            "take fewer heads or streams",
            name, e.streams, e.heads, e.heads, e.streams, e.choices, diversity_flops(call),
            quartic_shape_text(p, text), QUARTIC_DIVERSITY_MOST_CHOICES);
    return QUARTIC_OK;
}

static quartic_status diversity_infer(const quartic_op_call *call, quartic_layout *out, uint32_t *out_count) {
    QUARTIC_TRY(quartic_op_expect_inputs("diversity_loss", call, 1, 1));
    QUARTIC_TRY(diversity_check_p("diversity_loss", call));
    const uint32_t *dims = call->inputs[0].shape.dims;
    out[0] = quartic_layout_contiguous(QUARTIC_FLOAT32, &QUARTIC_SHAPE(dims[0], dims[2]));
    *out_count = 1;
    return QUARTIC_OK;
}

static quartic_status diversity_grad_infer(const quartic_op_call *call, quartic_layout *out,
                                           uint32_t *out_count) {
    QUARTIC_TRY(quartic_op_expect_inputs("diversity_grad", call, 2, 2));
    QUARTIC_TRY(diversity_check_p("diversity_grad", call));
    const uint32_t *dims = call->inputs[0].shape.dims;
    QUARTIC_TRY(quartic_op_expect_dtype("diversity_grad", call, 1, QUARTIC_FLOAT32));
    QUARTIC_TRY(quartic_op_expect_shape("diversity_grad", call, 1, &QUARTIC_SHAPE(dims[0], dims[2])));
    out[0] = quartic_layout_contiguous(QUARTIC_FLOAT32, &call->inputs[0].shape);
    *out_count = 1;
    return QUARTIC_OK;
}

/* ---- reference ---- */

/* Position of p[b, s * heads + h, i, j]. */
static int64_t diversity_position(const diversity_extents *e, uint32_t b, uint32_t head, uint32_t i,
                                  uint32_t j) {
    return (((int64_t)b * e->streams * e->heads + head) * e->queries + i) * e->keys + j;
}

/* Head of a stream in a choice: a digit of its number. */
static uint32_t diversity_head(const diversity_extents *e, uint64_t choice, uint32_t stream) {
    for (uint32_t s = e->streams - 1; s > stream; --s) choice /= e->heads;
    return (uint32_t)(choice % e->heads);
}

/* m_c at (b, i, j). */
static double diversity_mixture(const quartic_operand *p, const diversity_extents *e, uint64_t choice,
                                uint32_t b, uint32_t i, uint32_t j) {
    double sum = 0;
    for (uint32_t s = 0; s < e->streams; ++s)
        sum += quartic_get(p, diversity_position(e, b, s * e->heads + diversity_head(e, choice, s), i, j));
    return sum / e->streams;
}

static void diversity_cpu(const quartic_op_run *run) {
    const quartic_operand *p = &run->inputs[0];
    const diversity_extents e = diversity_extents_of(run->attrs, p->layout);
    for (uint32_t b = 0; b < e.batch; ++b)
        for (uint32_t i = 0; i < e.queries; ++i) {
            double sum = 0;
            for (uint64_t c = 0; c < (uint64_t)e.choices; ++c)
                for (uint32_t j = 0; j < e.keys; ++j) {
                    const double m = diversity_mixture(p, &e, c, b, i, j);
                    sum += m * log(fmax(m, QUARTIC_DIVERSITY_LEAST));
                }
            quartic_put(&run->outputs[0], (int64_t)b * e.queries + i, sum / e.choices);
        }
}

static size_t diversity_grad_cpu_scratch(const quartic_op_call *call) {
    return sizeof(double) * call->inputs[0].shape.dims[1];
}

static void diversity_grad_cpu(const quartic_op_run *run) {
    const quartic_operand *p = &run->inputs[0];
    const diversity_extents e = diversity_extents_of(run->attrs, p->layout);
    double *sums = run->scratch; // (s h)
    for (uint32_t b = 0; b < e.batch; ++b)
        for (uint32_t i = 0; i < e.queries; ++i) {
            const double factor =
                quartic_get(&run->inputs[1], (int64_t)b * e.queries + i) / (e.choices * e.streams);
            for (uint32_t j = 0; j < e.keys; ++j) {
                for (uint32_t head = 0; head < e.streams * e.heads; ++head) sums[head] = 0;
                for (uint64_t c = 0; c < (uint64_t)e.choices; ++c) {
                    const double m = diversity_mixture(p, &e, c, b, i, j);
                    const double slope =
                        log(fmax(m, QUARTIC_DIVERSITY_LEAST)) + (m > QUARTIC_DIVERSITY_LEAST ? 1.0 : 0.0);
                    for (uint32_t s = 0; s < e.streams; ++s)
                        sums[s * e.heads + diversity_head(&e, c, s)] += slope;
                }
                for (uint32_t head = 0; head < e.streams * e.heads; ++head)
                    quartic_put(&run->outputs[0], diversity_position(&e, b, head, i, j), factor * sums[head]);
            }
        }
}

/* ---- Vulkan ---- */

enum {
    LOGARITHM = 20,    /* operations of one, and of its mixture */
    MOST_SPLITS = 256, /* workgroups that share a row's choices */
    COLUMNS = 32
};

double diversity_flops(const quartic_op_call *call) {
    const diversity_extents e = diversity_extents_of(call->attrs, &call->inputs[0]);
    return (double)LOGARITHM * e.choices * e.batch * e.queries * e.keys;
}

double diversity_grad_flops(const quartic_op_call *call) {
    return 1.2 * diversity_flops(call);
}

/* Refuses shaders whose loops the device would cut short. */
static quartic_status diversity_expect_iterations(const diversity_extents *e,
                                                  const quartic_gpu_limits *limits, double iterations) {
    char what[80];
    snprintf(what, sizeof what, "the diversity loss of %u streams of %u heads", e->streams, e->heads);
    return quartic_gpu_expect_iterations(what, limits, iterations);
}

/* The last stream's heads are the inner loop; the others' choices are the outer one, cut into `splits`. */
typedef struct choice_cut {
    uint32_t outer, outer_of_one, splits;
} choice_cut;

static choice_cut diversity_cut_choices(uint64_t outer, uint64_t splits) {
    choice_cut cut = {.outer = (uint32_t)outer};
    if (splits > outer) splits = outer;
    if (splits < 1) splits = 1;
    cut.outer_of_one = quartic_divide_up(outer, splits);
    cut.splits = quartic_divide_up(outer, cut.outer_of_one);
    return cut;
}

static quartic_status diversity_gpu(const quartic_op_call *call, const quartic_gpu_limits *limits,
                                    quartic_dispatch_list *list) {
    const diversity_extents e = diversity_extents_of(call->attrs, &call->inputs[0]);
    const uint32_t rows = e.batch * e.queries;
    const uint64_t outer = (uint64_t)(e.choices / e.heads);
    /* 256 keys at once; where there are fewer, 256 / lanes outer choices beside each other. */
    uint32_t lanes = 1;
    while (lanes < 256 && lanes < e.keys) lanes *= 2;
    const double key_turns = (double)quartic_divide_up64(e.keys, lanes),
                 of_choice = e.heads + e.streams + 1.0;
    uint64_t splits = quartic_divide_up64(4 * (uint64_t)quartic_gpu_compute_units(limits), rows);
    if (limits->max_iterations != 0) {
        const double of_outer = key_turns * of_choice * lanes / 256;
        const uint64_t least = (uint64_t)ceil(of_outer * (double)outer / (0.8 * limits->max_iterations));
        if (splits < least) splits = least;
    }
    const choice_cut cut = diversity_cut_choices(outer, splits > MOST_SPLITS ? MOST_SPLITS : splits);
    QUARTIC_TRY(diversity_expect_iterations(
        &e, limits, (double)quartic_divide_up64(cut.outer_of_one, 256 / lanes) * key_turns * of_choice));
    const uint64_t bytes = (uint64_t)cut.splits * rows * sizeof(float),
                   result =
                       cut.splits > 1 ? quartic_dispatch_reserve(list, bytes) : quartic_dispatch_output(0);
    const quartic_diversity_args args = {.result = result,
                                         .rows = rows,
                                         .queries = e.queries,
                                         .keys = e.keys,
                                         .outer = cut.outer,
                                         .outer_of_one = cut.outer_of_one,
                                         .splits = cut.splits,
                                         .factor = (float)(1.0 / e.choices)};
    const quartic_dispatch_shape shape = {
        QUARTIC_SPEC(e.streams, e.heads, lanes),
        .groups = (uint64_t)rows * cut.splits,
        .flops = diversity_flops(call),
        .bytes = 4.0 * (double)quartic_layout_elements(&call->inputs[0]) * cut.splits,
    };
    QUARTIC_TRY(quartic_dispatch_append(list, "diversity", quartic_diversity_push(&args), &shape));
    if (cut.splits == 1) return QUARTIC_OK;

    const quartic_norm_columns_args sum = {.partial = result,
                                           .result = quartic_dispatch_output(0),
                                           .count = cut.splits,
                                           .stride = rows,
                                           .width = rows};
    return quartic_add_columns(list, &sum, COLUMNS);
}

/* An invocation has one element of dp and counts through the choices of the other streams. Where the device
 * bounds its iterations, several dispatches add up parts of them. */
static quartic_status diversity_grad_gpu(const quartic_op_call *call, const quartic_gpu_limits *limits,
                                         quartic_dispatch_list *list) {
    const diversity_extents e = diversity_extents_of(call->attrs, &call->inputs[0]);
    const uint64_t elements = quartic_layout_elements(&call->inputs[0]);
    /* One of the other streams is the inner loop. */
    const uint32_t inner = e.streams > 1 ? e.heads : 1;
    const uint64_t outer = (uint64_t)(e.choices / e.heads / inner + 0.5);
    const double of_outer = inner + e.streams + 1.0;
    uint64_t splits = 1;
    if (limits->max_iterations != 0) {
        const double at_once = floor((limits->max_iterations - 1.0) / of_outer);
        splits = at_once < 1 ? outer : (uint64_t)ceil((double)outer / at_once);
    }
    const choice_cut cut =
        diversity_cut_choices(outer, splits > QUARTIC_DISPATCH_MAX ? QUARTIC_DISPATCH_MAX : splits);
    QUARTIC_TRY(diversity_expect_iterations(&e, limits, cut.outer_of_one * of_outer));
    const quartic_dispatch_shape shape = {
        QUARTIC_SPEC(e.streams, e.heads),
        .groups = quartic_divide_up64(elements, 256),
        .flops =
            e.streams * diversity_flops(call) / cut.splits, /* each choice is met once for every stream */
        .bytes = 8.0 * (double)elements,
    };
    for (uint32_t split = 0; split < cut.splits; ++split) {
        const uint32_t begin = split * cut.outer_of_one, rest = cut.outer - begin;
        const quartic_diversity_grad_args args = {.elements = (uint32_t)elements,
                                                  .queries = e.queries,
                                                  .keys = e.keys,
                                                  .begin = begin,
                                                  .end = begin +
                                                         (rest < cut.outer_of_one ? rest : cut.outer_of_one),
                                                  .factor = (float)(1.0 / (e.choices * e.streams))};
        QUARTIC_TRY(
            quartic_dispatch_append(list, "diversity_grad", quartic_diversity_grad_push(&args), &shape));
    }
    return QUARTIC_OK;
}

/* ---- gradient ---- */

static quartic_status diversity_tape(quartic_tape *tape) {
    const quartic_value inputs[] = {quartic_tape_input(tape, 0), quartic_tape_gradient(tape, 0)};
    quartic_tape_give(tape, 0,
                      quartic_graph_append_one(quartic_tape_graph(tape), &quartic_op_diversity_grad,
                                               quartic_tape_attrs(tape), inputs, 2));
    return QUARTIC_OK;
}

/* ---- cases ---- */

static const struct {
    const char *label;
    quartic_shape p;
    uint32_t streams;
    quartic_fill_kind fill;
} diversity_table[] = {
    {"two streams of two heads", {4, {2, 4, 5, 7}}, 2, QUARTIC_FILL_POSITIVE},
    {"one stream", {4, {2, 3, 5, 5}}, 1, QUARTIC_FILL_POSITIVE},
    {"one head a stream", {4, {1, 3, 3, 9}}, 3, QUARTIC_FILL_POSITIVE},
    {"three streams of three heads", {4, {1, 9, 7, 5}}, 3, QUARTIC_FILL_POSITIVE},
    {"eight streams, one key", {4, {1, 16, 3, 1}}, 8, QUARTIC_FILL_POSITIVE},
    {"more keys than a workgroup", {4, {1, 4, 2, 300}}, 2, QUARTIC_FILL_POSITIVE},
    {"five streams of five heads", {4, {1, 25, 2, 3}}, 5, QUARTIC_FILL_POSITIVE},
    {"many choices", {4, {1, 32, 1, 2}}, 4, QUARTIC_FILL_POSITIVE},
    /* Negative and zero values exercise the floor; the loss has a kink there. */
    {"below the floor", {4, {1, 4, 3, 5}}, 2, QUARTIC_FILL_SMALL},
    {"zeros", {4, {1, 4, 3, 5}}, 2, QUARTIC_FILL_ZERO},
};

static bool diversity_cases(uint32_t index, quartic_op_case *out) {
    if (index >= QUARTIC_CASES(diversity_table)) return false;
    *out = (quartic_op_case){.label = diversity_table[index].label, .input_count = 1};
    *(diversity_attrs *)out->attrs = (diversity_attrs){diversity_table[index].streams};
    quartic_case_floats(out, 0, diversity_table[index].p, diversity_table[index].fill);
    out->no_finite_difference = diversity_table[index].fill != QUARTIC_FILL_POSITIVE;
    return true;
}

static bool diversity_grad_cases(uint32_t index, quartic_op_case *out) {
    if (!diversity_cases(index, out)) return false;
    out->input_count = 2;
    const uint32_t *p = diversity_table[index].p.dims;
    quartic_case_floats(out, 1, QUARTIC_SHAPE(p[0], p[2]), QUARTIC_FILL_NORMAL);
    return true;
}

/* All terms of a result. */
static double diversity_reduction(const quartic_op_call *call) {
    const diversity_extents e = diversity_extents_of(call->attrs, &call->inputs[0]);
    return e.choices * e.keys;
}
static double diversity_grad_reduction(const quartic_op_call *call) {
    const diversity_extents e = diversity_extents_of(call->attrs, &call->inputs[0]);
    return e.choices / e.heads;
}

static const char *diversity_builder(const void *attrs) {
    (void)attrs;
    return "diversity_loss";
}

const quartic_op quartic_op_diversity = {
    .name = "diversity",
    .builder = diversity_builder,
    .attrs_bytes = sizeof(diversity_attrs),
    .infer = diversity_infer,
    .cpu = diversity_cpu,
    .gpu = diversity_gpu,
    .grad = diversity_tape,
    .cases = diversity_cases,
    .flops = diversity_flops,
    .tolerance = 4,
    .tolerance_reason = "a sum over choices and keys of logarithms to 0.9 ulp, times their arguments",
    .reduction = diversity_reduction,
};

const quartic_op quartic_op_diversity_grad = {
    .name = "diversity_grad",
    .attrs_bytes = sizeof(diversity_attrs),
    .infer = diversity_grad_infer,
    .cpu = diversity_grad_cpu,
    .cpu_scratch = diversity_grad_cpu_scratch,
    .gpu = diversity_grad_gpu,
    .cases = diversity_grad_cases,
    .flops = diversity_grad_flops,
    .tolerance = 4,
    .tolerance_reason = "a sum over choices of logarithms to 0.9 ulp",
    .reduction = diversity_grad_reduction,
};

quartic_value quartic_diversity_loss(quartic_graph *graph, quartic_value attention, uint32_t streams) {
    QUARTIC_CALL();
    const diversity_attrs attrs = {.streams = streams};
    const quartic_value inputs[] = {attention};
    quartic_value rows = quartic_graph_append_one(graph, &quartic_op_diversity, &attrs, inputs, 1); // (b, i)
    const quartic_shape shape = quartic_graph_shape(graph, rows);
    const float share = 1.0f / (float)quartic_shape_elements(&shape);
    return quartic_scale(graph, quartic_sum(graph, rows, 3, 0), share, 0.0f);
}
