/* check_op.c: quartic_validate: every op on a device against the same op on the reference device.
 *
 * Each case of an op is put into small graphs, one per variant:
 *     forward               operands with poisoned borders -> op -> outputs
 *     in the middle         operand * 1.5 -> op -> result * 2: the op may work in place, its results lie in
 *                           the workspace
 *     operand k strided     the views that the op accepts without a copy
 *     operand k repeated    the same
 *     gradient              operand * 1.5 -> op, and the gradients for random cotangents
 *     gradient, strided     the same on strided operands and cotangents
 *
 * Both devices run the same graph on the same bytes. The bound of a result is
 *     sum over nodes of (tolerance * sqrt(reduction)) * effect of a rounding on the result,
 * where spread.h defines the effect of roundings of operands and intermediate results. So a sum that cancels
 * is judged by its terms. Views have a check of their own, check_view.c.
 */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/call.h"
#include "base/options.h"
#include "graph/access.h"
#include "verify/check.h"
#include "verify/check_view.h"
#include "verify/fill.h"
#include "verify/harness.h"
#include "verify/fixture.h"
#include "verify/spread.h"

typedef enum variant { FORWARD, MIDDLE, STRIDED, REPEATED, GRADIENT, GRADIENT_STRIDED } variant;

static const float middle_factor = 1.5f;

/* At most so many different results of one op: outputs, mutated operands, gradients. */
enum { EVIDENCE = 2 * QUARTIC_FIXTURE_RESULTS };

/* The state of the checks of one op. */
typedef struct validation {
    quartic_device *device, *reference;
    const char *device_name;
    uint64_t seed;
    quartic_reporter *reporter;
    const quartic_op *op;
    const quartic_op_case *test;
    uint32_t case_index;
    const char *variant; /* its name, for the report */
    struct {
        char name[QUARTIC_HARNESS_NAME];
        bool proven; /* in some case the expected result is not mostly zeros */
    } evidence[EVIDENCE];
    uint32_t evidence_count;
} validation;

static void report_validation(const validation *validation, quartic_verdict verdict, const char *result,
                              const quartic_comparison *comparison, const char *message) {
    char check[96], text[QUARTIC_HARNESS_TEXT];
    snprintf(check, sizeof check, "%s%s%s", validation->variant, result[0] == 0 ? "" : ", ", result);
    int used = snprintf(text, sizeof text, "%s", message);
    if (verdict == QUARTIC_FAILED && used > 0 && (size_t)used < sizeof text)
        snprintf(text + used, sizeof text - (size_t)used,
                 "; repeat with: quartic validate --device %s --op %s --case %u --seed %llu",
                 validation->device_name, validation->op->name, validation->case_index,
                 (unsigned long long)validation->seed);
    const quartic_check line = {.verdict = verdict,
                                .subject = validation->op->name,
                                .index = validation->case_index,
                                .label = validation->test->label,
                                .check = check,
                                .error = comparison == NULL ? INFINITY : comparison->error,
                                .bound = comparison == NULL ? 0.0 : comparison->bound,
                                .text = text};
    quartic_report(validation->reporter, &line);
}

/* ---- building the graph of a variant ---- */

/* Adds operand `input` of the case as the variant wants it. *out_base is the value whose gradient is
 * taken. */
static quartic_status add_variant_operand(quartic_fixture *fixture, variant variant, uint32_t chosen,
                                          uint32_t input, quartic_value *out_value, quartic_value *out_base) {
    const quartic_op_case *test = fixture->test;
    bool mutated = quartic_op_mutates(fixture->op, input),
         strided = fixture->op->strided_inputs >> input & 1u || fixture->op->takes_strides != NULL;
    quartic_placement placement = QUARTIC_PLACE_OFFSET;
    if (mutated)
        placement = QUARTIC_PLACE_WHOLE;
    else if (variant == STRIDED && input == chosen)
        placement = QUARTIC_PLACE_STRIDED;
    else if (variant == REPEATED && input == chosen)
        placement = QUARTIC_PLACE_REPEATED;
    else if (variant == GRADIENT_STRIDED && strided)
        placement = QUARTIC_PLACE_STRIDED;
    bool scaled = (variant == MIDDLE || variant == GRADIENT) && !mutated &&
                  test->inputs[input].dtype == QUARTIC_FLOAT32;
    quartic_operand_request request = {.placement = placement,
                                       .dtype = test->inputs[input].dtype,
                                       .shape = test->inputs[input].shape,
                                       .fill = test->inputs[input].fill,
                                       .limit = test->inputs[input].limit,
                                       .state = mutated,
                                       .divisor = scaled ? middle_factor : 1.0f};
    QUARTIC_TRY(quartic_fixture_operand(fixture, &request, out_base));
    *out_value = scaled ? quartic_scale(fixture->graph, *out_base, middle_factor, 0.0f) : *out_base;
    return QUARTIC_OK;
}

/* Cotangents for the outputs, and the wanted gradients as results "gradient of operand k". */
static quartic_status add_variant_gradients(quartic_fixture *fixture, variant variant,
                                            const quartic_value *bases, const quartic_value *outputs,
                                            uint32_t output_count) {
    quartic_value cotangents[QUARTIC_OP_MAX_OUTPUTS], wrt[QUARTIC_OP_MAX_INPUTS],
        gradients[QUARTIC_OP_MAX_INPUTS];
    uint32_t operands[QUARTIC_OP_MAX_INPUTS], count;
    quartic_placement placement = variant == GRADIENT_STRIDED ? QUARTIC_PLACE_STRIDED : QUARTIC_PLACE_OFFSET;
    QUARTIC_TRY(quartic_fixture_cotangents(fixture, placement, outputs, output_count, cotangents));
    count = quartic_fixture_differentiable(fixture, operands);
    for (uint32_t k = 0; k < count; ++k) wrt[k] = bases[operands[k]];
    QUARTIC_TRY(quartic_fixture_gradients(fixture, outputs, cotangents, output_count, wrt, count, gradients));
    for (uint32_t k = 0; k < count; ++k) {
        char name[QUARTIC_HARNESS_NAME];
        snprintf(name, sizeof name, "gradient of operand %u", operands[k]);
        QUARTIC_TRY(quartic_fixture_result(fixture, name, gradients[k]));
    }
    return QUARTIC_OK;
}

static quartic_status build_variant(quartic_fixture *fixture, variant variant, uint32_t chosen) {
    const quartic_op *op = fixture->op;
    quartic_value values[QUARTIC_OP_MAX_INPUTS] = {0}, bases[QUARTIC_OP_MAX_INPUTS] = {0};
    quartic_value outputs[QUARTIC_OP_MAX_OUTPUTS];
    uint32_t mutated = 0, output_count;
    for (uint32_t i = 0; i < fixture->test->input_count; ++i)
        if (fixture->test->inputs[i].dtype != QUARTIC_NO_DTYPE)
            QUARTIC_TRY(add_variant_operand(fixture, variant, chosen, i, &values[i], &bases[i]));
    QUARTIC_TRY(quartic_fixture_apply(fixture, values, outputs, &output_count));
    if (variant == GRADIENT || variant == GRADIENT_STRIDED)
        return add_variant_gradients(fixture, variant, bases, outputs, output_count);
    for (uint32_t i = 0; i < fixture->test->input_count; ++i)
        if (quartic_op_mutates(op, i)) {
            ++mutated;
            QUARTIC_TRY(quartic_fixture_state_result(fixture, bases[i]));
        }
    for (uint32_t o = mutated; o < output_count; ++o) {
        char name[QUARTIC_HARNESS_NAME];
        snprintf(name, sizeof name, "output %u", o);
        bool doubled =
            variant == MIDDLE && quartic_graph_dtype(fixture->graph, outputs[o]) == QUARTIC_FLOAT32;
        quartic_value value = doubled ? quartic_scale(fixture->graph, outputs[o], 2.0f, 0.0f) : outputs[o];
        QUARTIC_TRY(quartic_fixture_result(fixture, name, value));
    }
    return QUARTIC_OK;
}

/* ---- running and comparing ---- */

/* A result that is mostly zeros proves little. That is all right in some cases, but each result of an op must
 * have other numbers in at least one case. */
static void note_evidence(validation *validation, const char *name, bool proven) {
    uint32_t k = 0;
    while (k < validation->evidence_count && strcmp(validation->evidence[k].name, name) != 0) ++k;
    if (k == EVIDENCE) return;
    if (k == validation->evidence_count) {
        snprintf(validation->evidence[k].name, sizeof validation->evidence[k].name, "%s", name);
        validation->evidence[validation->evidence_count++].proven = false;
    }
    validation->evidence[k].proven |= proven;
}

static void judge_evidence(validation *validation) {
    validation->variant = "all cases";
    for (uint32_t k = 0; k < validation->evidence_count; ++k)
        if (!validation->evidence[k].proven)
            report_validation(validation, QUARTIC_FAILED, validation->evidence[k].name, NULL,
                              "the expected result is mostly zero in every case, which proves too little");
}

/* Compares one result, first with a bound that is cheap to compute, from its largest element. If the error is
 * larger, the bound from the spread decides. The cheap bound is never the larger one, since a result is at
 * most the sum of its terms' magnitudes. *spreads is filled when it is first needed. */
static quartic_status validate_result(const quartic_fixture *fixture, uint32_t r, double *spreads,
                                      bool *has_spreads, quartic_comparison *out) {
    const quartic_fixture_output *result = &fixture->results[r];
    const double tolerance = quartic_fixture_tolerance(fixture);
    if (result->dtype == QUARTIC_INT32) {
        quartic_compare_int(result->got, result->want, result->count, out);
        return QUARTIC_OK;
    }
    const double cheap = tolerance * (double)FLT_EPSILON * quartic_fixture_scale(fixture, result);
    quartic_compare(result->got, result->want, result->count, cheap, out);
    if (quartic_comparison_holds(out) || !isfinite(out->error)) return QUARTIC_OK;
    if (!*has_spreads) QUARTIC_TRY(quartic_fixture_spreads(fixture, spreads));
    *has_spreads = true;
    out->bound = fmax(cheap, quartic_spread_bound(tolerance, spreads[r], out->largest));
    return QUARTIC_OK;
}

static quartic_status compare_results(validation *validation, const quartic_fixture *fixture) {
    double spreads[QUARTIC_FIXTURE_RESULTS];
    bool has_spreads = false;
    for (uint32_t r = 0; r < fixture->result_count; ++r) {
        const quartic_fixture_output *result = &fixture->results[r];
        quartic_comparison comparison;
        QUARTIC_TRY(validate_result(fixture, r, spreads, &has_spreads, &comparison));
        char text[QUARTIC_COMPARISON_TEXT];
        quartic_comparison_text(&comparison, &result->shape, text);
        bool holds = quartic_comparison_holds(&comparison);
        report_validation(validation, holds ? QUARTIC_PASSED : QUARTIC_FAILED, result->name, &comparison,
                          text);
        note_evidence(validation, result->name, comparison.zeros <= QUARTIC_MOSTLY_ZERO);
    }
    return QUARTIC_OK;
}

/* Fills in what the results must be: those of the reference device, or of a view's definition. */
static quartic_status fill_wanted_results(const validation *validation, quartic_fixture *fixture,
                                          variant variant) {
    const double factor = (double)middle_factor;
    if (fixture->op->view == NULL) return quartic_fixture_run(fixture, validation->reference, true);
    return quartic_view_want(fixture, variant == GRADIENT || variant == GRADIENT_STRIDED,
                             variant == MIDDLE     ? 2.0 * factor
                             : variant == GRADIENT ? factor
                                                   : 1.0);
}

/* Runs one variant; a failure to build or run is a failed check. Only exhausted memory or a lost device ends
 * the validation. */
static quartic_status run_variant(validation *validation, variant variant, uint32_t chosen) {
    char words[64];
    static const char *const names[] = {
        "forward",  "in the middle of a graph", "operand %u strided", "operand %u repeated",
        "gradient", "gradient, strided"};
    snprintf(words, sizeof words, names[variant], chosen);
    validation->variant = words;
    quartic_fixture fixture;
    quartic_status status =
        quartic_fixture_begin(&fixture, validation->op, validation->test,
                              validation->seed + 0x9e3779b97f4a7c15u * (validation->case_index + 1));
    if (status == QUARTIC_OK) status = build_variant(&fixture, variant, chosen);
    if (status == QUARTIC_OK) status = fill_wanted_results(validation, &fixture, variant);
    if (status == QUARTIC_OK) status = quartic_fixture_run(&fixture, validation->device, false);
    if (status == QUARTIC_OK) status = compare_results(validation, &fixture);
    if (status == QUARTIC_UNSUPPORTED)
        report_validation(validation, QUARTIC_NOT_SUPPORTED, "", NULL, quartic_error_detail());
    else if (status != QUARTIC_OK)
        report_validation(validation, QUARTIC_FAILED, "", NULL, quartic_error_detail());
    quartic_fixture_end(&fixture);
    bool ends = status == QUARTIC_OUT_OF_MEMORY || status == QUARTIC_DEVICE_LOST;
    return ends ? status : QUARTIC_OK;
}

static quartic_status run_case(validation *validation) {
    const quartic_op *op = validation->op;
    const quartic_op_case *test = validation->test;
    QUARTIC_TRY(run_variant(validation, FORWARD, 0));
    QUARTIC_TRY(run_variant(validation, MIDDLE, 0));
    for (uint32_t i = 0; i < test->input_count; ++i) {
        quartic_placed placed;
        const quartic_shape *shape = &test->inputs[i].shape;
        quartic_dtype dtype = test->inputs[i].dtype;
        const bool strided = op->strided_inputs >> i & 1u || op->takes_strides != NULL;
        if (dtype == QUARTIC_NO_DTYPE || quartic_op_mutates(op, i) || !strided) continue;
        if (quartic_place(QUARTIC_PLACE_STRIDED, dtype, shape, &placed))
            QUARTIC_TRY(run_variant(validation, STRIDED, i));
        if (quartic_place(QUARTIC_PLACE_REPEATED, dtype, shape, &placed))
            QUARTIC_TRY(run_variant(validation, REPEATED, i));
    }
    if (op->grad == NULL || !quartic_fixture_has_gradient(op, test)) return QUARTIC_OK;
    QUARTIC_TRY(run_variant(validation, GRADIENT, 0));
    return run_variant(validation, GRADIENT_STRIDED, 0);
}

static quartic_status validate_op(validation *validation, const quartic_validate_config *config) {
    const quartic_op *op = validation->op;
    quartic_op_case test = {.label = ""};
    validation->test = &test;
    validation->variant = "cases";
    validation->evidence_count = 0;
    uint32_t count = 0;
    for (; op->cases != NULL && op->cases(count, &test); ++count) {
        if (config->case_index != QUARTIC_ALL_CASES && config->case_index != count) continue;
        validation->case_index = count;
        QUARTIC_TRY(run_case(validation));
    }
    if (config->case_index == QUARTIC_ALL_CASES) judge_evidence(validation);
    if (count == 0)
        report_validation(validation, QUARTIC_FAILED, "", NULL,
                          "the op has no cases, so nothing can be checked");
    else if (config->case_index != QUARTIC_ALL_CASES && config->case_index >= count)
        return quartic_fail(QUARTIC_INVALID_ARGUMENT, "%s has %u cases (from 0), so there is no case %u",
                            op->name, count, config->case_index);
    return QUARTIC_OK;
}

quartic_status quartic_validate_one(quartic_device *device, const quartic_op *op,
                                    const quartic_validate_config *config, quartic_reporter *reporter) {
    quartic_device_info info;
    QUARTIC_TRY(quartic_device_get_info(device, &info));
    validation validation = {
        .device = device, .device_name = info.name, .seed = config->seed, .reporter = reporter, .op = op};
    QUARTIC_TRY(quartic_device_create("reference", &validation.reference));
    quartic_status status = validate_op(&validation, config);
    quartic_device_destroy(validation.reference);
    return status;
}

quartic_status quartic_validate(quartic_device *device, const quartic_validate_config *config,
                                quartic_check_totals *out_totals) {
    QUARTIC_CALL();
    QUARTIC_NEED(device);
    quartic_validate_config whole;
    QUARTIC_TRY(quartic_options_read(&quartic_validate_config_type, config, &whole));
    config = &whole;
    quartic_reporter reporter = {.callback = config->callback, .context = config->context};
    QUARTIC_TRY(quartic_fixture_expect_op(config->op));
    quartic_status status = QUARTIC_OK;
    for (uint32_t o = 0; status == QUARTIC_OK && o < quartic_op_count(); ++o) {
        const quartic_op *op = quartic_op_at(o);
        if (config->op == NULL || strcmp(config->op, op->name) == 0)
            status = quartic_validate_one(device, op, config, &reporter);
    }
    if (out_totals != NULL) *out_totals = reporter.totals;
    return status;
}

const char *quartic_validate_op_name(uint32_t index) {
    QUARTIC_CALL();
    return index < quartic_op_count() ? quartic_op_at(index)->name : NULL;
}
