/* coordinate_descent.c: soft top-k weights by coordinate descent, and its adjoint.
 *
 * coordinate_descent       scores s (b, m), mask?, wanted? to c (b, m), a (b, T, 2)
 * coordinate_descent_grad  s, mask?, wanted?, a, g = the cotangent of c, to ds (b, m)
 *
 * wanted (b) is the k of each graph, in place of the options'. Scores in groups, (b, g, m), are b g rows of
 * m: c and ds have their shape, a is (b g, T, 2). As CoLT5's published code does it, from b = -s, T times:
 *     a = eps (log k - logsumexp((s + b) / eps))
 *     b = -relu(s + a)                              eps falls from eps_init to eps by eps_decay after each
 * then, with the eps reached:
 *     c = exp((s + a + b) / eps)
 * The sums run over the visible scores; hidden ones have c = 0.
 *
 * Since s + b = min(s, -a) and s + a + b = min(s + a, 0), only the number a is carried and kept for the
 * adjoint:
 *     a_1 = eps_1 (log k - log count)
 *     a_t = eps_t (log k - logsumexp_j(min(s_j, -a_(t-1)) / eps_t))
 *     c_j = exp(min(s_j + a_T, 0) / eps_(T+1))
 * a is the sum of two floats: the rounding of one, divided by eps, would be the error of c, and of T factors
 * of da.
 *
 * Adjoint. A score is saturated at a where s + a > 0.
 *     ds_j     = g_j c_j / eps where s_j is not saturated at a_T
 *     da_T     = sum of these ds_j
 * For t = T .. 2, with p_j = exp((min(s_j, -a_(t-1)) + a_t) / eps_t) / k, which sum to 1:
 *     ds_j     -= da_t p_j where s_j is not saturated at a_(t-1)
 *     da_(t-1) = da_t times the sum of p_j where it is
 */
#include <math.h>

#include "base/call.h"
#include "graph/tape.h"
#include "ops/cases.h"
#include "ops/gpu_plan.h"
#include "ops/routing.h"
#include "shaders/coordinate_descent.args.h"
#include "shaders/coordinate_descent_grad.args.h"

typedef quartic_coordinate_descent_options descent;

enum { SCORES, MASK, WANTED, STEPS, G, GRAD_INPUTS, FORWARD_INPUTS = STEPS };

/* The adjoint's shader holds one number per iteration in shared memory. */
enum { GREATEST_ITERATIONS = 2048 };

static double descent_first_eps(const descent *options) {
    return fmax((double)options->eps_init, (double)options->eps);
}
static double descent_next_eps(const descent *options, double eps) {
    return fmax(eps * (double)options->eps_decay, (double)options->eps);
}
/* Of iteration t = 0 .. T - 1, and of the result: T. */
static double descent_eps_at(const descent *options, uint32_t t) {
    double eps = descent_first_eps(options);
    while (t-- > 0) eps = descent_next_eps(options, eps);
    return eps;
}

/* ---- shape rules ---- */

static quartic_status descent_check_options(const char *op, const quartic_op_call *call) {
    const descent *options = call->attrs;
    QUARTIC_TRY(quartic_routing_expect(op, call, SCORES, MASK));
    if (quartic_is_present(&call->inputs[WANTED])) {
        QUARTIC_TRY(quartic_op_expect_dtype(op, call, WANTED, QUARTIC_FLOAT32));
        QUARTIC_TRY(
            quartic_op_expect_shape(op, call, WANTED, &QUARTIC_SHAPE(call->inputs[SCORES].shape.dims[0])));
    }
    if (!(options->k > 0) || !(options->eps > 0) || !(options->eps_init >= 0) || !isfinite(options->k) ||
        !isfinite(options->eps_init) || !(options->eps_decay > 0 && options->eps_decay <= 1))
        return quartic_fail(
            QUARTIC_INVALID_ARGUMENT,
            "%s needs k > 0, eps > 0, eps_init >= 0 and 0 < eps_decay <= 1, not k %g, eps %g, "
            "eps_init %g, eps_decay %g",
            op, (double)options->k, (double)options->eps, (double)options->eps_init,
            (double)options->eps_decay);
    if (options->iterations == 0 || options->iterations > GREATEST_ITERATIONS)
        return quartic_fail(QUARTIC_INVALID_ARGUMENT, "%s takes 1 to %d iterations, not %u", op,
                            GREATEST_ITERATIONS, options->iterations);
    return QUARTIC_OK;
}

static quartic_shape descent_steps_shape(const quartic_op_call *call) {
    const descent *options = call->attrs;
    return QUARTIC_SHAPE(quartic_routing_extents_of(&call->inputs[SCORES].shape).rows, options->iterations,
                         2);
}

static quartic_status coordinate_descent_infer(const quartic_op_call *call, quartic_layout *out,
                                               uint32_t *out_count) {
    QUARTIC_TRY(quartic_op_expect_inputs("coordinate_descent", call, FORWARD_INPUTS, FORWARD_INPUTS));
    QUARTIC_TRY(descent_check_options("coordinate_descent", call));
    const quartic_shape steps = descent_steps_shape(call);
    out[0] = quartic_layout_contiguous(QUARTIC_FLOAT32, &call->inputs[SCORES].shape);
    out[1] = quartic_layout_contiguous(QUARTIC_FLOAT32, &steps);
    *out_count = 2;
    return QUARTIC_OK;
}

static quartic_status coordinate_descent_grad_infer(const quartic_op_call *call, quartic_layout *out,
                                                    uint32_t *out_count) {
    const char *op = "coordinate_descent_grad";
    QUARTIC_TRY(quartic_op_expect_inputs(op, call, GRAD_INPUTS, GRAD_INPUTS));
    QUARTIC_TRY(descent_check_options(op, call));
    const quartic_shape steps = descent_steps_shape(call);
    QUARTIC_TRY(quartic_op_expect_dtype(op, call, STEPS, QUARTIC_FLOAT32));
    QUARTIC_TRY(quartic_op_expect_shape(op, call, STEPS, &steps));
    QUARTIC_TRY(quartic_op_expect_dtype(op, call, G, QUARTIC_FLOAT32));
    QUARTIC_TRY(quartic_op_expect_shape(op, call, G, &call->inputs[SCORES].shape));
    out[0] = quartic_layout_contiguous(QUARTIC_FLOAT32, &call->inputs[SCORES].shape);
    *out_count = 1;
    return QUARTIC_OK;
}

/* ---- reference ---- */

/* One row of scores. */
typedef struct descent_row {
    const quartic_op_run *run;
    const descent *options;
    uint32_t b, m, extent;
} descent_row;

static descent_row descent_row_of(const quartic_op_run *run) {
    return (descent_row){
        .run = run,
        .options = run->attrs,
        .m = quartic_routing_extents_of(&run->inputs[SCORES].layout->shape).m,
        .extent = run->inputs[MASK].data == NULL ? 0 : quartic_routing_mask_extent(run->inputs[MASK].layout)};
}
static bool descent_sees(const descent_row *at, uint32_t j) {
    return quartic_routing_visible(at->run->inputs[MASK].data, at->extent, at->m, at->b, j);
}
static double descent_k(const descent_row *at) {
    const quartic_operand *wanted = &at->run->inputs[WANTED];
    const uint32_t groups = quartic_routing_extents_of(&at->run->inputs[SCORES].layout->shape).groups;
    return wanted->data != NULL ? quartic_get(wanted, at->b / groups) : (double)at->options->k;
}
static double descent_score(const descent_row *at, uint32_t j) {
    return quartic_get(&at->run->inputs[SCORES], (int64_t)at->b * at->m + j);
}
static void descent_put(const descent_row *at, uint32_t j, double number) {
    quartic_put(&at->run->outputs[0], (int64_t)at->b * at->m + j, number);
}
static int64_t descent_step_place(const descent_row *at, uint32_t t) {
    return 2 * ((int64_t)at->b * at->options->iterations + t);
}

/* min(s, cap), but NaN where s is: a broken score must not turn into a good weight. */
static double descent_capped(double s, double cap) {
    return s > cap ? cap : s;
}

/* log of the sum over visible scores of exp(min(s, cap) / eps). */
static double descent_log_sum_exp(const descent_row *at, double cap, double eps) {
    double largest = -INFINITY, sum = 0;
    for (uint32_t j = 0; j < at->m; ++j)
        if (descent_sees(at, j)) largest = fmax(largest, descent_capped(descent_score(at, j), cap) / eps);
    for (uint32_t j = 0; j < at->m; ++j)
        if (descent_sees(at, j)) sum += exp(descent_capped(descent_score(at, j), cap) / eps - largest);
    return largest + log(sum);
}

static void descent_forward(const descent_row *at) {
    const double log_k = log(descent_k(at));
    const uint32_t iterations = at->options->iterations;
    uint32_t count = 0;
    for (uint32_t j = 0; j < at->m; ++j) count += descent_sees(at, j);
    double a = 0;
    for (uint32_t t = 0; t < iterations; ++t) {
        const double eps = descent_eps_at(at->options, t);
        if (count > 0) a = eps * (log_k - (t == 0 ? log((double)count) : descent_log_sum_exp(at, -a, eps)));
        const double high = (double)(float)a;
        quartic_put(&at->run->outputs[1], descent_step_place(at, t), high);
        quartic_put(&at->run->outputs[1], descent_step_place(at, t) + 1, a - high);
    }
    const double eps = descent_eps_at(at->options, iterations);
    for (uint32_t j = 0; j < at->m; ++j)
        descent_put(at, j, descent_sees(at, j) ? exp(descent_capped(descent_score(at, j) + a, 0) / eps) : 0);
}

static double descent_read_step(const descent_row *at, uint32_t t) {
    const quartic_operand *steps = &at->run->inputs[STEPS];
    return quartic_get(steps, descent_step_place(at, t)) + quartic_get(steps, descent_step_place(at, t) + 1);
}

static void descent_backward(const descent_row *at) {
    const uint32_t iterations = at->options->iterations;
    double *ds = at->run->scratch; // (m)
    const double last_eps = descent_eps_at(at->options, iterations);
    double a = descent_read_step(at, iterations - 1), da = 0;
    for (uint32_t j = 0; j < at->m; ++j) {
        const double u = descent_score(at, j) + a;
        const double g = quartic_get(&at->run->inputs[G], (int64_t)at->b * at->m + j);
        ds[j] = descent_sees(at, j) && !(u > 0) ? g * exp(u / last_eps) / last_eps : 0;
        da += ds[j];
    }
    for (uint32_t t = iterations - 1; t > 0; --t) {
        const double before = descent_read_step(at, t - 1), eps = descent_eps_at(at->options, t);
        double saturated = 0;
        for (uint32_t j = 0; j < at->m; ++j) {
            if (!descent_sees(at, j)) continue;
            const double p = exp((descent_capped(descent_score(at, j), -before) + a) / eps) / descent_k(at);
            if (descent_score(at, j) + before > 0)
                saturated += p;
            else
                ds[j] -= da * p;
        }
        da *= saturated;
        a = before;
    }
    for (uint32_t j = 0; j < at->m; ++j) descent_put(at, j, ds[j]);
}

static void coordinate_descent_cpu(const quartic_op_run *run) {
    descent_row at = descent_row_of(run);
    const uint32_t rows = quartic_routing_extents_of(&run->inputs[SCORES].layout->shape).rows;
    for (at.b = 0; at.b < rows; ++at.b) descent_forward(&at);
}

static void coordinate_descent_grad_cpu(const quartic_op_run *run) {
    descent_row at = descent_row_of(run);
    const uint32_t rows = quartic_routing_extents_of(&run->inputs[SCORES].layout->shape).rows;
    for (at.b = 0; at.b < rows; ++at.b) descent_backward(&at);
}

static size_t coordinate_descent_grad_scratch(const quartic_op_call *call) {
    return quartic_routing_extents_of(&call->inputs[SCORES].shape).m * sizeof(double);
}

/* ---- GPU ---- */

static double descent_flops(const quartic_op_call *call) {
    const descent *options = call->attrs;
    return 30.0 * (options->iterations + 1.0) * (double)quartic_layout_elements(&call->inputs[SCORES]);
}

/* Walks over a row by 256 invocations, each with a reduction after it. */
static quartic_status descent_expect_iterations(const quartic_op_call *call,
                                                const quartic_gpu_limits *limits) {
    const descent *options = call->attrs;
    const double walk = ceil((double)quartic_routing_extents_of(&call->inputs[SCORES].shape).m / 256);
    return quartic_gpu_expect_iterations("coordinate_descent of this size", limits,
                                         (options->iterations + 2.0) * (walk + 50));
}

static void descent_finish(quartic_dispatch *dispatch, const quartic_op_call *call) {
    quartic_dispatch_groups(dispatch, quartic_routing_extents_of(&call->inputs[SCORES].shape).rows);
    dispatch->flops = descent_flops(call);
    dispatch->bytes = dispatch->flops / 30.0 * 8.0;
}

#define ROW_ARGS(call, options)                                                                              \
    .rows = quartic_routing_extents_of(&(call)->inputs[SCORES].shape).rows,                                  \
    .m = quartic_routing_extents_of(&(call)->inputs[SCORES].shape).m,                                        \
    .groups = quartic_routing_extents_of(&(call)->inputs[SCORES].shape).groups,                              \
    .extent = quartic_routing_mask_extent(&(call)->inputs[MASK]), .iterations = (options)->iterations,       \
    .eps = (options)->eps, .eps_init = (options)->eps_init, .eps_decay = (options)->eps_decay

static quartic_status coordinate_descent_gpu(const quartic_op_call *call, const quartic_gpu_limits *limits,
                                             quartic_dispatch_list *list) {
    const descent *options = call->attrs;
    QUARTIC_TRY(descent_expect_iterations(call, limits));
    const quartic_coordinate_descent_args args = {ROW_ARGS(call, options), .k = options->k};
    quartic_dispatch *dispatch =
        quartic_dispatch_add(list, "coordinate_descent", quartic_coordinate_descent_push(&args));
    if (dispatch == NULL) return QUARTIC_INTERNAL;
    quartic_dispatch_spec(dispatch, args.extent != 0);
    quartic_dispatch_spec(dispatch, quartic_is_present(&call->inputs[WANTED]));
    descent_finish(dispatch, call);
    return QUARTIC_OK;
}

static quartic_status coordinate_descent_grad_gpu(const quartic_op_call *call,
                                                  const quartic_gpu_limits *limits,
                                                  quartic_dispatch_list *list) {
    const descent *options = call->attrs;
    QUARTIC_TRY(descent_expect_iterations(call, limits));
    const quartic_coordinate_descent_grad_args args = {ROW_ARGS(call, options), .k = options->k};
    quartic_dispatch *dispatch =
        quartic_dispatch_add(list, "coordinate_descent_grad", quartic_coordinate_descent_grad_push(&args));
    if (dispatch == NULL) return QUARTIC_INTERNAL;
    quartic_dispatch_spec(dispatch, args.extent != 0);
    quartic_dispatch_spec(dispatch, options->iterations);
    quartic_dispatch_spec(dispatch, quartic_is_present(&call->inputs[WANTED]));
    descent_finish(dispatch, call);
    return QUARTIC_OK;
}

/* ---- gradient, cases, ops ---- */

/* The public builder hands out only c, so the steps never have a cotangent. */
static quartic_status coordinate_descent_rule(quartic_tape *tape) {
    if (!quartic_tape_wants(tape, SCORES)) return QUARTIC_OK;
    const quartic_value inputs[GRAD_INPUTS] = {
        [SCORES] = quartic_tape_input(tape, SCORES), [MASK] = quartic_tape_input(tape, MASK),
        [WANTED] = quartic_tape_input(tape, WANTED), [STEPS] = quartic_tape_output(tape, 1),
        [G] = quartic_tape_gradient(tape, 0),
    };
    quartic_tape_give(tape, SCORES,
                      quartic_graph_append_one(quartic_tape_graph(tape), &quartic_op_coordinate_descent_grad,
                                               quartic_tape_attrs(tape), inputs, GRAD_INPUTS));
    return QUARTIC_OK;
}

static const struct {
    const char *label;
    descent options;
    uint32_t b, m, mask; /* mask: extent, 0 none */
    uint32_t groups;     /* 0: scores (b, m) */
    bool wanted;         /* each graph has its own k */
} coordinate_descent_table[] = {
    {"one score", {.k = 1, .iterations = 3, .eps = 0.5f, .eps_decay = 1}, 1, 1, 0, 0, false},
    {"forty scores", {.k = 9, .iterations = 20, .eps = 0.1f, .eps_decay = 1}, 3, 40, 0, 0, false},
    {"falling eps",
     {.k = 5, .iterations = 7, .eps = 0.1f, .eps_init = 4, .eps_decay = 0.7f},
     2,
     21,
     0,
     0,
     false},
    {"masked scores", {.k = 11.25f, .iterations = 20, .eps = 0.2f, .eps_decay = 1}, 5, 257, 257, 0, false},
    {"masked nodes", {.k = 20, .iterations = 10, .eps = 0.3f, .eps_decay = 1}, 4, 169, 13, 0, false},
    {"more wanted than there are", {.k = 60, .iterations = 5, .eps = 1, .eps_decay = 1}, 2, 33, 0, 0, false},
    {"one iteration", {.k = 2, .iterations = 1, .eps = 1, .eps_decay = 1}, 1, 1031, 0, 0, false},
    {"in groups", {.k = 4, .iterations = 6, .eps = 0.5f, .eps_decay = 1}, 2, 13, 0, 5, false},
    {"in groups, masked", {.k = 3, .iterations = 7, .eps = 1, .eps_decay = 1}, 2, 17, 17, 5, false},
    {"masked nodes, own k", {.k = 1, .iterations = 9, .eps = 0.3f, .eps_decay = 1}, 4, 169, 13, 0, true},
    {"in groups, own k", {.k = 1, .iterations = 6, .eps = 0.5f, .eps_decay = 1}, 3, 13, 13, 5, true},
};

static bool coordinate_descent_cases(uint32_t index, quartic_op_case *out) {
    if (index >= QUARTIC_CASES(coordinate_descent_table)) return false;
    *out = (quartic_op_case){.label = coordinate_descent_table[index].label, .input_count = FORWARD_INPUTS};
    *(descent *)out->attrs = coordinate_descent_table[index].options;
    const uint32_t b = coordinate_descent_table[index].b, m = coordinate_descent_table[index].m;
    const uint32_t groups = coordinate_descent_table[index].groups,
                   mask = coordinate_descent_table[index].mask;
    const quartic_shape scores = groups == 0 ? QUARTIC_SHAPE(b, m) : QUARTIC_SHAPE(b, groups, m);
    quartic_case_floats(out, SCORES, scores, QUARTIC_FILL_NORMAL);
    if (mask != 0)
        quartic_case_ints(out, MASK, groups == 0 ? QUARTIC_SHAPE(b, mask) : scores, QUARTIC_FILL_MASK, 0);
    if (coordinate_descent_table[index].wanted) {
        quartic_case_floats(out, WANTED, QUARTIC_SHAPE(b), QUARTIC_FILL_POSITIVE);
        out->inputs[WANTED].no_gradient = true;
    }
    return true;
}

/* With steps of 0 the sums of p stay small enough to be multiplied 20 times. */
static bool coordinate_descent_grad_cases(uint32_t index, quartic_op_case *out) {
    if (!coordinate_descent_cases(index, out)) return false;
    out->input_count = GRAD_INPUTS;
    const uint32_t rows = quartic_routing_extents_of(&out->inputs[SCORES].shape).rows;
    const uint32_t iterations = coordinate_descent_table[index].options.iterations;
    quartic_case_floats(out, STEPS, QUARTIC_SHAPE(rows, iterations, 2), QUARTIC_FILL_ZERO);
    quartic_case_floats(out, G, out->inputs[SCORES].shape, QUARTIC_FILL_NORMAL);
    return true;
}

static double coordinate_descent_reduction(const quartic_op_call *call) {
    return quartic_routing_extents_of(&call->inputs[SCORES].shape).m;
}

/* Of the adjoint: the iterations' factors follow each other. */
static double coordinate_descent_grad_reduction(const quartic_op_call *call) {
    return coordinate_descent_reduction(call) * ((const descent *)call->attrs)->iterations;
}

const quartic_op quartic_op_coordinate_descent = {
    .name = "coordinate_descent",
    .attrs_bytes = sizeof(descent),
    .saved_outputs = 1u << 1, /* a */
    .infer = coordinate_descent_infer,
    .cpu = coordinate_descent_cpu,
    .gpu = coordinate_descent_gpu,
    .grad = coordinate_descent_rule,
    .cases = coordinate_descent_cases,
    .flops = descent_flops,
    .tolerance = 8,
    .tolerance_reason = "c is exp of a difference of numbers up to 10 divided by eps, about 0.1: rounding of "
                        "the difference is up to 100 times as large in c",
    .reduction = coordinate_descent_reduction,
};

const quartic_op quartic_op_coordinate_descent_grad = {
    .name = "coordinate_descent_grad",
    .attrs_bytes = sizeof(descent),
    .infer = coordinate_descent_grad_infer,
    .cpu = coordinate_descent_grad_cpu,
    .cpu_scratch = coordinate_descent_grad_scratch,
    .gpu = coordinate_descent_grad_gpu,
    .cases = coordinate_descent_grad_cases,
    .flops = descent_flops,
    .tolerance = 16,
    .tolerance_reason =
        "as the forward op; each iteration multiplies by a sum of exps, with its own roundings",
    .reduction = coordinate_descent_grad_reduction,
};

static const quartic_coordinate_descent_options standard_coordinate_descent =
    QUARTIC_COORDINATE_DESCENT_OPTIONS_INIT;
static const quartic_options_type coordinate_descent_type =
    QUARTIC_BUILDER_OPTIONS_TYPE(quartic_coordinate_descent_options, QUARTIC_COORDINATE_DESCENT_OPTIONS_INIT,
                                 &standard_coordinate_descent, eps_decay);

quartic_value quartic_coordinate_descent(quartic_graph *graph, quartic_value scores, quartic_value mask,
                                         const quartic_coordinate_descent_options *options) {
    QUARTIC_CALL();
    const quartic_value inputs[FORWARD_INPUTS] = {scores, mask};
    descent own;
    if (!quartic_graph_options(graph, &coordinate_descent_type, options, &own)) return (quartic_value){0};
    return quartic_graph_append_one(graph, &quartic_op_coordinate_descent, &own, inputs, FORWARD_INPUTS);
}
