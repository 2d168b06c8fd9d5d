/* tune.c: quartic_tune: the candidates of each distinct problem of a graph, timed one after the other. See quartic/tune.h.
 *
 * A problem runs by itself: a graph of the one node, whose inputs are tensors with the layouts that they have in the model,
 * filled with random numbers in [-1, 1) (integers: 1). A candidate is put into the device's table, a program is made with
 * it, its results are compared with those of the plan's own choice, and the sum of its steps' times counts, the least of
 * some runs. Both results round in their own ways, so they may differ by the op's bound; a candidate beyond it, or one
 * that the device refuses, is left out. Candidates that come to the dispatches of another are run once.
 */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/call.h"
#include "base/clock.h"
#include "base/options.h"
#include "graph/access.h"
#include "quartic/tune.h"
#include "run/access.h"
#include "verify/compare.h"

static const quartic_tune_config tune_standard = QUARTIC_TUNE_CONFIG_INIT;
const quartic_options_type quartic_tune_config_type = {"quartic_tune_config", "QUARTIC_TUNE_CONFIG_INIT",
                                                       sizeof tune_standard, 0, &tune_standard};

enum { TUNE_NAME = 32 };

typedef struct tune_run {
    quartic_device *device;
    const quartic_graph *graph;
    quartic_tune_config config;
    quartic_gpu_limits limits;
    quartic_tune_totals totals;
    double started;
} tune_run;

/* A problem by itself. */
typedef struct tune_problem {
    const quartic_op *op;
    quartic_graph *graph;
    uint64_t number;
    uint32_t input_count, output_count;
    char inputs[QUARTIC_OP_MAX_INPUTS][TUNE_NAME], outputs[QUARTIC_OP_MAX_OUTPUTS][TUNE_NAME];
    uint64_t input_elements[QUARTIC_OP_MAX_INPUTS], output_elements[QUARTIC_OP_MAX_OUTPUTS];
    quartic_dtype dtypes[QUARTIC_OP_MAX_OUTPUTS];
    float *own[QUARTIC_OP_MAX_OUTPUTS]; /* results of the plan's own choice */
    double tolerance;
} tune_problem;

/* ---- a graph of one node ---- */

/* An operand over no more of its storage than it spans, as far from a multiple of four as it is. */
static quartic_value tune_add_input(tune_problem *problem, uint32_t index, const quartic_layout *layout) {
    int64_t begin, end;
    quartic_layout_extent(layout, &begin, &end);
    quartic_layout moved = *layout;
    moved.offset = layout->offset - begin + (begin & 3);
    problem->input_elements[index] = (uint64_t)(end - begin + (begin & 3));
    snprintf(problem->inputs[index], TUNE_NAME, "input %u", index);
    const quartic_shape flat = QUARTIC_SHAPE((uint32_t)problem->input_elements[index]);
    const quartic_value base =
        quartic_graph_input(problem->graph, problem->inputs[index], layout->dtype, &flat);
    const quartic_value view = quartic_slice(problem->graph, base, 0, 0, flat.dims[0]);
    if (view.id != 0) quartic_graph_set_layout(problem->graph, view, &moved);
    return view;
}

static quartic_status tune_build(tune_problem *problem, const quartic_node *node,
                                 const quartic_op_call *call) {
    quartic_value inputs[QUARTIC_OP_MAX_INPUTS] = {0}, outputs[QUARTIC_OP_MAX_OUTPUTS];
    QUARTIC_TRY(quartic_graph_create(&problem->graph));
    for (uint32_t i = 0; i < call->input_count; ++i)
        if (quartic_is_present(&call->inputs[i])) inputs[i] = tune_add_input(problem, i, &call->inputs[i]);
    problem->input_count = call->input_count;
    QUARTIC_TRY(quartic_graph_append(problem->graph, node->op, node->attrs, inputs, node->input_count,
                                     outputs, QUARTIC_OP_MAX_OUTPUTS));
    problem->output_count = node->output_count;
    for (uint32_t o = 0; o < node->output_count; ++o) {
        problem->dtypes[o] = call->outputs[o].dtype;
        problem->output_elements[o] = quartic_layout_elements(&call->outputs[o]);
        snprintf(problem->outputs[o], TUNE_NAME, "output %u", o);
        quartic_graph_output(problem->graph, problem->outputs[o], outputs[o]);
        problem->own[o] = quartic_alloc(problem->output_elements[o], sizeof(float));
        if (problem->own[o] == NULL) return QUARTIC_OUT_OF_MEMORY;
    }
    const double reduction = node->op->reduction == NULL ? 1.0 : node->op->reduction(call);
    problem->tolerance = node->op->tolerance * sqrt(reduction);
    return quartic_graph_status(problem->graph);
}

static void tune_forget(tune_problem *problem) {
    for (uint32_t o = 0; o < problem->output_count; ++o) quartic_free(problem->own[o]);
    quartic_graph_destroy(problem->graph);
}

static quartic_status tune_fill(const tune_problem *problem, quartic_program *program) {
    for (uint32_t i = 0; i < problem->input_count; ++i) {
        if (problem->inputs[i][0] == 0) continue;
        quartic_tensor *tensor = quartic_program_tensor(program, problem->inputs[i]);
        const uint64_t count = problem->input_elements[i];
        float *numbers = quartic_alloc(count, sizeof *numbers);
        if (numbers == NULL) return QUARTIC_OUT_OF_MEMORY;
        const bool whole = quartic_tensor_dtype(tensor) == QUARTIC_INT32;
        uint32_t state = i + 1;
        for (uint64_t k = 0; k < count; ++k) {
            state = state * 1664525u + 1013904223u;
            if (whole)
                ((int32_t *)numbers)[k] = 1;
            else
                numbers[k] = (float)(state >> 8) * 0x1p-23f - 1.0f;
        }
        const quartic_status status = quartic_tensor_write(tensor, numbers, count * sizeof *numbers);
        quartic_free(numbers);
        QUARTIC_TRY(status);
    }
    return QUARTIC_OK;
}

/* ---- one candidate ---- */

static quartic_status tune_time(const tune_run *run, quartic_program *program, double *out_seconds) {
    *out_seconds = INFINITY;
    for (uint32_t r = 0; r <= run->config.repeat; ++r) {
        double seconds = 0;
        QUARTIC_TRY(quartic_program_run(program));
        for (uint32_t s = 0; s < quartic_program_step_count(program); ++s) {
            quartic_step_info info;
            QUARTIC_TRY(quartic_program_step(program, s, &info));
            seconds += info.seconds;
        }
        if (r > 0 && seconds < *out_seconds) *out_seconds = seconds;
    }
    return QUARTIC_OK;
}

/* Reads the results: the first candidate's are kept, the others' are compared with them. */
static quartic_status tune_compare(tune_problem *problem, quartic_program *program, bool keep,
                                   bool *out_same) {
    *out_same = true;
    for (uint32_t o = 0; o < problem->output_count; ++o) {
        const uint64_t count = problem->output_elements[o];
        const quartic_tensor *tensor = quartic_program_tensor(program, problem->outputs[o]);
        if (keep) {
            QUARTIC_TRY(quartic_tensor_read(tensor, problem->own[o], count * sizeof(float)));
            continue;
        }
        float *got = quartic_alloc(count, sizeof *got);
        if (got == NULL) return QUARTIC_OUT_OF_MEMORY;
        const quartic_status status = quartic_tensor_read(tensor, got, count * sizeof *got);
        quartic_comparison comparison;
        const double scale = quartic_error_scale(quartic_largest(problem->own[o], count), 1.0);
        if (status == QUARTIC_OK && problem->dtypes[o] == QUARTIC_INT32)
            quartic_compare_int((const int32_t *)(const void *)got,
                                (const int32_t *)(const void *)problem->own[o], count, &comparison);
        else if (status == QUARTIC_OK)
            quartic_compare(got, problem->own[o], count, problem->tolerance * (double)FLT_EPSILON * scale,
                            &comparison);
        quartic_free(got);
        QUARTIC_TRY(status);
        *out_same = *out_same && quartic_comparison_holds(&comparison);
    }
    return QUARTIC_OK;
}

/* Whether a device cannot take a candidate, which is no error of the tuning. */
static bool tune_is_refusal(quartic_status status) {
    return status == QUARTIC_UNSUPPORTED || status == QUARTIC_OUT_OF_DEVICE_MEMORY;
}

/* out_seconds: infinite if the candidate is refused or computes something else. */
static quartic_status tune_candidate(tune_run *run, tune_problem *problem,
                                     const quartic_tuning_choice *choice, bool first, double *out_seconds) {
    quartic_program *program = NULL;
    quartic_program_config config = QUARTIC_PROGRAM_CONFIG_INIT;
    config.profile = 1;
    bool same = true;
    *out_seconds = INFINITY;
    QUARTIC_TRY(quartic_tuning_set(quartic_device_tuning(run->device), problem->number, choice));
    quartic_status status = quartic_program_create(run->device, problem->graph, &config, &program);
    if (!first && tune_is_refusal(status)) return QUARTIC_OK;
    if (status == QUARTIC_OK) status = tune_fill(problem, program);
    if (status == QUARTIC_OK) status = tune_time(run, program, out_seconds);
    if (status == QUARTIC_OK) status = tune_compare(problem, program, first, &same);
    if (!same) *out_seconds = INFINITY;
    quartic_program_destroy(program);
    return status;
}

static bool tune_lists_equal(const quartic_dispatch_list *a, const quartic_dispatch_list *b) {
    if (a->count != b->count || a->scratch_bytes != b->scratch_bytes) return false;
    for (uint32_t d = 0; d < a->count; ++d) {
        const quartic_dispatch *x = &a->items[d], *y = &b->items[d];
        if (strcmp(x->shader, y->shader) != 0 || x->spec_count != y->spec_count ||
            memcmp(x->spec, y->spec, x->spec_count * sizeof x->spec[0]) != 0 ||
            memcmp(x->groups, y->groups, sizeof x->groups) != 0 || x->args_bytes != y->args_bytes ||
            memcmp(x->args, y->args, x->args_bytes) != 0)
            return false;
    }
    return true;
}

/* Drops candidates that the device's plan refuses, or that come to the same dispatches as one before them. */
static quartic_status tune_drop_equal(const tune_run *run, const quartic_op *op, const quartic_op_call *call,
                                      quartic_tuning_choice *choices, uint32_t *inout_count) {
    quartic_dispatch_list *lists = quartic_alloc(*inout_count, sizeof *lists);
    if (lists == NULL) return QUARTIC_OUT_OF_MEMORY;
    uint32_t kept = 0;
    for (uint32_t c = 0; c < *inout_count; ++c) {
        quartic_gpu_limits limits = run->limits;
        limits.choice = choices[c];
        lists[kept] = (quartic_dispatch_list){0};
        bool drop = op->gpu(call, &limits, &lists[kept]) != QUARTIC_OK && c > 0;
        for (uint32_t before = 0; before < kept && !drop; ++before)
            drop = choices[before].subgroup_size == choices[c].subgroup_size &&
                   tune_lists_equal(&lists[before], &lists[kept]);
        if (!drop) choices[kept++] = choices[c];
    }
    *inout_count = kept;
    quartic_free(lists);
    return QUARTIC_OK;
}

/* ---- one problem ---- */

static void tune_report(tune_run *run, const tune_problem *problem, const char *label,
                        const quartic_tuned *tuned) {
    quartic_tuned line = *tuned;
    line.op = problem->op->name, line.label = label;
    ++run->totals.tuned;
    run->totals.improved += tuned->chosen != 0 ? 1 : 0;
    run->totals.own_seconds += tuned->own_seconds;
    run->totals.seconds += tuned->seconds;
    if (run->config.callback == NULL) return;
    const char *function = quartic_call_suspend();
    run->config.callback(run->config.context, &line);
    quartic_call_resume(function);
}

/* Times all candidates; the winner, or after an error what was there before, remains in the table. */
static quartic_status tune_choose(tune_run *run, tune_problem *problem, const quartic_tuning_choice *choices,
                                  uint32_t count, const char *label) {
    quartic_tuning_table *table = quartic_device_tuning(run->device);
    const quartic_tuning_choice *found = quartic_tuning_find(table, problem->number);
    const quartic_tuning_choice before = found == NULL ? (quartic_tuning_choice){0} : *found;
    quartic_tuned tuned = {.candidates = count};
    char text[QUARTIC_TUNING_TEXT];
    quartic_status status = QUARTIC_OK;
    for (uint32_t c = 0; c < count && status == QUARTIC_OK; ++c) {
        double seconds;
        status = tune_candidate(run, problem, &choices[c], c == 0, &seconds);
        if (status != QUARTIC_OK) break;
        tuned.refused += isfinite(seconds) ? 0 : 1;
        if (c == 0) tuned.own_seconds = tuned.seconds = seconds;
        /* The plan's own choice stays unless another is clearly quicker than the noise of timing. */
        if (c > 0 && seconds < tuned.seconds && seconds < 0.97 * tuned.own_seconds)
            tuned.chosen = c, tuned.seconds = seconds;
    }
    const quartic_tuning_choice *winner = status == QUARTIC_OK ? &choices[tuned.chosen] : &before;
    const quartic_status set = quartic_tuning_set(table, problem->number, winner);
    QUARTIC_TRY(status);
    QUARTIC_TRY(set);
    tuned.choice = quartic_tuning_text(&choices[tuned.chosen], text);
    tune_report(run, problem, label, &tuned);
    return quartic_device_save_tuning(run->device);
}

/* timed: whether the problem is to be timed, and not only counted. */
static quartic_status tune_node(tune_run *run, const quartic_node *node, bool timed) {
    quartic_layout inputs[QUARTIC_OP_MAX_INPUTS], outputs[QUARTIC_OP_MAX_OUTPUTS];
    const quartic_op_call call = quartic_graph_call(run->graph, node, inputs, outputs);
    tune_problem problem = {.op = node->op, .number = quartic_tuning_problem(node->op, &call)};
    quartic_tuning_choice choices[QUARTIC_TUNING_MOST_CANDIDATES];
    uint32_t count = quartic_tuning_candidates(node->op, &call, &run->limits, choices);
    QUARTIC_TRY(tune_drop_equal(run, node->op, &call, choices, &count));
    run->totals.problems += count > 1 ? 1 : 0;
    if (count <= 1 || !timed) return QUARTIC_OK;
    quartic_status status = tune_build(&problem, node, &call);
    if (status == QUARTIC_OK)
        status = tune_choose(run, &problem, choices, count, quartic_graph_node_scope(run->graph, node));
    tune_forget(&problem);
    return status;
}

static quartic_status tune_all(tune_run *run) {
    const uint32_t nodes = quartic_graph_node_count(run->graph);
    uint64_t *met = quartic_alloc(nodes, sizeof *met);
    uint32_t met_count = 0;
    quartic_status status = met == NULL ? QUARTIC_OUT_OF_MEMORY : QUARTIC_OK;
    for (uint32_t n = 0; n < nodes && status == QUARTIC_OK; ++n) {
        const quartic_node *node = quartic_graph_node(run->graph, n);
        quartic_layout inputs[QUARTIC_OP_MAX_INPUTS], outputs[QUARTIC_OP_MAX_OUTPUTS];
        if (node->op->gpu == NULL || node->op->mutated_inputs != 0) continue;
        const quartic_op_call call = quartic_graph_call(run->graph, node, inputs, outputs);
        const uint64_t number = quartic_tuning_problem(node->op, &call);
        bool seen = false;
        for (uint32_t m = 0; m < met_count; ++m) seen = seen || met[m] == number;
        if (seen) continue;
        met[met_count++] = number;
        const bool late =
            run->config.seconds > 0 && quartic_clock() - run->started > (double)run->config.seconds;
        const bool known =
            run->config.again == 0 && quartic_tuning_find(quartic_device_tuning(run->device), number) != NULL;
        status = tune_node(run, node, !known && !late);
    }
    quartic_free(met);
    return status;
}

quartic_status quartic_tune(quartic_device *device, const quartic_graph *graph,
                            const quartic_tune_config *config, quartic_tune_totals *out_totals) {
    QUARTIC_CALL();
    QUARTIC_NEED(device);
    QUARTIC_NEED(graph);
    tune_run run = {.device = device, .graph = graph, .started = quartic_clock()};
    QUARTIC_TRY(quartic_options_read(&quartic_tune_config_type, config, &run.config));
    if (run.config.repeat == 0)
        return quartic_fail(QUARTIC_INVALID_ARGUMENT, "repeat of quartic_tune_config is 0; it is at least 1");
    QUARTIC_TRY(quartic_graph_status(graph));
    QUARTIC_TRY(quartic_device_plan_limits(device, &run.limits));
    const quartic_status status = tune_all(&run);
    if (out_totals != NULL) *out_totals = run.totals;
    return status;
}
