/* gradcheck.c: quartic_check_gradients: gradient rules against finite differences, in double.
 *
 * For each differentiable operand x of a case and a random direction d, one graph on the device "reference64"
 * computes both sides of
 *     (f(x + h d) - f(x - h d)) / 2h  =  sum(gradient * d),
 *     f = sum over outputs of sum(output * cotangent),
 * so nothing is rounded to float32 before the difference is taken. The left side D(h) is extrapolated by
 * Richardson,
 *     (4 D(h / 2) - D(h)) / 3,
 * which strongly curved functions need. Every operand has its own graph, in which it alone is differentiated.
 * That also covers rules that build only the gradients that are wanted.
 *
 * The bound is relative to
 *     sqrt(sum((gradient * d)^2)),
 * the size of a sum of these terms with random signs. So cancellation on the right side neither hides an
 * error nor fails the check. The roundings of f, divided by h, are added to the bound: they matter where
 * large outputs hardly depend on x.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/call.h"
#include "base/options.h"
#include "verify/check.h"
#include "verify/fixture.h"

/* The truncation error grows as step^4, the rounding error as 1 / step. 2^-16 leaves 1e-11 for functions
 * whose derivatives are of order 1; the bound allows for cubes of outliers of 10. Where a kink (of relu, of a
 * choice) lies within the step, the difference over it is not the slope. So a check that fails is repeated
 * with a step that contains few kinks. */
static const float steps[] = {0x1p-16f, 0x1p-22f};
enum { STEPS = sizeof steps / sizeof steps[0] };
/* The terms of f are rounded dozens of times, in sums with cancellation: 64. The factor 3 is half the sum of
 * the factors in Richardson's formula. */
static const double relative_bound = 1e-5, absolute_bound = 1e-9, rounding = 64 * 3 * 0x1p-53;

typedef struct gradcheck {
    quartic_device *device;
    const quartic_validate_config *config;
    quartic_reporter *reporter;
    const quartic_op *op;
    quartic_op_case test;
    uint32_t case_index;
} gradcheck;

static void report_gradcheck(const gradcheck *check, quartic_verdict verdict, const char *what, double error,
                             double bound, const char *text) {
    const quartic_check line = {.verdict = verdict,
                                .subject = check->op->name,
                                .index = check->case_index,
                                .label = check->test.label,
                                .check = what,
                                .error = error,
                                .bound = bound,
                                .text = text};
    quartic_report(check->reporter, &line);
}

/* sum over outputs of sum(output * cotangent) with operand `moved` replaced; a scalar. */
static quartic_status append_objective(quartic_fixture *fixture, quartic_value *operands, uint32_t moved,
                                       quartic_value value, const quartic_value *cotangents,
                                       quartic_value *out_objective) {
    quartic_value outputs[QUARTIC_OP_MAX_OUTPUTS], kept = operands[moved], total = {0};
    uint32_t count;
    operands[moved] = value;
    quartic_status status = quartic_fixture_apply(fixture, operands, outputs, &count);
    operands[moved] = kept;
    QUARTIC_TRY(status);
    for (uint32_t o = 0; o < count; ++o) {
        if (cotangents[o].id == 0) continue;
        uint32_t all = (1u << quartic_graph_shape(fixture->graph, outputs[o]).rank) - 1;
        quartic_value term =
            quartic_sum(fixture->graph, quartic_multiply(fixture->graph, outputs[o], cotangents[o]), all, 0);
        total = total.id == 0 ? term : quartic_add(fixture->graph, total, term);
    }
    *out_objective = total;
    return quartic_graph_status(fixture->graph);
}

/* (f(x + h d) - f(x - h d)) / 2h. */
static quartic_status append_difference(quartic_fixture *fixture, quartic_value *operands, uint32_t moved,
                                        quartic_value direction, float h, const quartic_value *cotangents,
                                        quartic_value *out_difference) {
    quartic_graph *graph = fixture->graph;
    quartic_value ends[2];
    for (uint32_t k = 0; k < 2; ++k) {
        quartic_value there =
            quartic_add(graph, operands[moved], quartic_scale(graph, direction, k == 0 ? h : -h, 0.0f));
        QUARTIC_TRY(append_objective(fixture, operands, moved, there, cotangents, &ends[k]));
    }
    *out_difference = quartic_scale(graph, quartic_subtract(graph, ends[0], ends[1]), 0.5f / h, 0.0f);
    return quartic_graph_status(graph);
}

/* Results: 0 gradient * direction, 1 both sides' difference, 2 the right side, 3 the squares of what f
 * sums. */
static quartic_status build_gradcheck(quartic_fixture *fixture, uint32_t moved, float step) {
    const quartic_op_case *test = fixture->test;
    quartic_graph *graph = fixture->graph;
    quartic_value operands[QUARTIC_OP_MAX_INPUTS] = {0}, outputs[QUARTIC_OP_MAX_OUTPUTS], direction, gradient;
    quartic_value cotangents[QUARTIC_OP_MAX_OUTPUTS], wide, narrow, squares = {0};
    uint32_t count;
    for (uint32_t i = 0; i < test->input_count; ++i) {
        const quartic_operand_request request = {.placement = QUARTIC_PLACE_OFFSET,
                                                 .dtype = test->inputs[i].dtype,
                                                 .shape = test->inputs[i].shape,
                                                 .fill = test->inputs[i].fill,
                                                 .limit = test->inputs[i].limit,
                                                 .divisor = 1.0f};
        if (request.dtype != QUARTIC_NO_DTYPE)
            QUARTIC_TRY(quartic_fixture_operand(fixture, &request, &operands[i]));
    }
    QUARTIC_TRY(quartic_fixture_apply(fixture, operands, outputs, &count));
    QUARTIC_TRY(quartic_fixture_cotangents(fixture, QUARTIC_PLACE_OFFSET, outputs, count, cotangents));
    QUARTIC_TRY(
        quartic_fixture_gradients(fixture, outputs, cotangents, count, &operands[moved], 1, &gradient));
    const quartic_operand_request request = {.placement = QUARTIC_PLACE_OFFSET,
                                             .dtype = QUARTIC_FLOAT32,
                                             .shape = test->inputs[moved].shape,
                                             .fill = QUARTIC_FILL_NORMAL,
                                             .divisor = 1.0f};
    QUARTIC_TRY(quartic_fixture_operand(fixture, &request, &direction));
    QUARTIC_TRY(append_difference(fixture, operands, moved, direction, step, cotangents, &wide));
    QUARTIC_TRY(append_difference(fixture, operands, moved, direction, 0.5f * step, cotangents, &narrow));
    quartic_value change = quartic_subtract(graph, narrow, wide);
    quartic_value left = quartic_add(graph, narrow, quartic_scale(graph, change, 1.0f / 3.0f, 0.0f));
    for (uint32_t o = 0; o < count; ++o) {
        if (cotangents[o].id == 0) continue;
        quartic_value square = quartic_square(graph, quartic_multiply(graph, outputs[o], cotangents[o]));
        square = quartic_sum(graph, square, (1u << quartic_graph_shape(graph, outputs[o]).rank) - 1, 0);
        squares = squares.id == 0 ? square : quartic_add(graph, squares, square);
    }
    quartic_value terms = quartic_multiply(graph, gradient, direction);
    quartic_value right = quartic_sum(graph, terms, (1u << test->inputs[moved].shape.rank) - 1, 0);
    QUARTIC_TRY(quartic_fixture_result(fixture, "terms", terms));
    QUARTIC_TRY(quartic_fixture_result(fixture, "difference", quartic_subtract(graph, left, right)));
    QUARTIC_TRY(quartic_fixture_result(fixture, "right", quartic_scale(graph, right, 1.0f, 0.0f)));
    return quartic_fixture_result(fixture, "squares", quartic_scale(graph, squares, 1.0f, 0.0f));
}

/* Judges one operand at one step and reports it. A failure is reported only if `last`. Returns whether it
 * holds. */
static bool judge_gradient(const gradcheck *check, const quartic_fixture *fixture, float step, bool last,
                           const char *what) {
    const float *terms = fixture->results[0].want, *difference = fixture->results[1].want,
                *sum = fixture->results[2].want, *sizes = fixture->results[3].want;
    double squares = 0.0, error = fabs((double)*difference), right = (double)*sum;
    for (uint64_t i = 0; i < fixture->results[0].count; ++i) squares += (double)terms[i] * (double)terms[i];
    double bound =
        relative_bound * sqrt(squares) + rounding / (double)step * sqrt((double)*sizes) + absolute_bound;
    bool holds = error <= bound; /* false for NaN */
    if (!holds && !last) return false;
    char text[QUARTIC_HARNESS_TEXT];
    int used = snprintf(text, sizeof text,
                        "along a random direction the gradient gives %.9g, finite differences %.3g "
                        "away from it, bound %.3g",
                        right, error, bound);
    if (!holds && used > 0)
        snprintf(text + used, sizeof text - (size_t)used,
                 "; repeat with: quartic validate --gradients --op %s --case %u --seed %llu", check->op->name,
                 check->case_index, (unsigned long long)check->config->seed);
    report_gradcheck(check, holds ? QUARTIC_PASSED : QUARTIC_FAILED, what, error, bound, text);
    return holds;
}

static quartic_status check_operand_gradient(const gradcheck *check, uint32_t moved) {
    char what[QUARTIC_HARNESS_NAME];
    snprintf(what, sizeof what, "gradient of operand %u", moved);
    quartic_status status = QUARTIC_OK;
    bool done = false;
    for (uint32_t k = 0; k < STEPS && !done && status == QUARTIC_OK; ++k) {
        quartic_fixture fixture;
        status = quartic_fixture_begin(&fixture, check->op, &check->test,
                                       check->config->seed + 0x9e3779b97f4a7c15u * (check->case_index + 1));
        if (status == QUARTIC_OK) status = build_gradcheck(&fixture, moved, steps[k]);
        if (status == QUARTIC_OK) status = quartic_fixture_run(&fixture, check->device, true);
        if (status == QUARTIC_OK)
            done = judge_gradient(check, &fixture, steps[k], k + 1 == STEPS, what);
        else
            report_gradcheck(check, QUARTIC_FAILED, what, INFINITY, 0.0, quartic_error_detail());
        quartic_fixture_end(&fixture);
    }
    return status == QUARTIC_OUT_OF_MEMORY ? status : QUARTIC_OK;
}

static quartic_status check_op_gradients(gradcheck *check) {
    quartic_op_case *test = &check->test;
    const bool has_cases = check->op->grad != NULL && check->op->cases != NULL;
    uint32_t c = 0;
    for (; has_cases && check->op->cases(c, test); ++c) {
        uint32_t operands[QUARTIC_OP_MAX_INPUTS];
        const quartic_fixture fixture = {.op = check->op, .test = test};
        if (test->no_finite_difference) continue;
        if (check->config->case_index != QUARTIC_ALL_CASES && check->config->case_index != c) continue;
        check->case_index = c;
        uint32_t count = quartic_fixture_differentiable(&fixture, operands);
        for (uint32_t k = 0; k < count; ++k) QUARTIC_TRY(check_operand_gradient(check, operands[k]));
    }
    if (has_cases && check->config->case_index != QUARTIC_ALL_CASES && check->config->case_index >= c)
        return quartic_fail(QUARTIC_INVALID_ARGUMENT, "%s has %u cases (from 0), so there is no case %u",
                            check->op->name, c, check->config->case_index);
    return QUARTIC_OK;
}

quartic_status quartic_check_gradients_of(const quartic_op *op, const quartic_validate_config *config,
                                          quartic_reporter *reporter) {
    gradcheck check = {.config = config, .reporter = reporter, .op = op};
    QUARTIC_TRY(quartic_device_create("reference64", &check.device));
    quartic_status status = check_op_gradients(&check);
    quartic_device_destroy(check.device);
    return status;
}

/* Whether any of its cases is differentiated. */
static bool has_checked_gradient(const quartic_op *op) {
    quartic_op_case test;
    bool any = false;
    for (uint32_t c = 0; op->cases != NULL && op->cases(c, &test); ++c)
        any = any || (quartic_fixture_has_gradient(op, &test) && !test.no_finite_difference);
    return any;
}

quartic_status quartic_check_gradients(const quartic_validate_config *config,
                                       quartic_check_totals *out_totals) {
    QUARTIC_CALL();
    quartic_validate_config whole;
    QUARTIC_TRY(quartic_options_read(&quartic_validate_config_type, config, &whole));
    config = &whole;
    quartic_reporter reporter = {.callback = config->callback, .context = config->context};
    QUARTIC_TRY(quartic_fixture_expect_op(config->op));
    if (config->op != NULL && !has_checked_gradient(quartic_op_find(config->op)))
        return quartic_fail(
            QUARTIC_INVALID_ARGUMENT,
            "%s has no gradient, so there is no rule of it to check; `quartic validate --op %s` "
            "checks what it computes",
            config->op, config->op);
    quartic_status status = QUARTIC_OK;
    for (uint32_t o = 0; status == QUARTIC_OK && o < quartic_op_count(); ++o) {
        const quartic_op *op = quartic_op_at(o);
        if (config->op == NULL || strcmp(config->op, op->name) == 0)
            status = quartic_check_gradients_of(op, config, &reporter);
    }
    if (out_totals != NULL) *out_totals = reporter.totals;
    return status;
}
