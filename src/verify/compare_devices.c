/* compare_devices.c: quartic_compare_devices: the first step at which two devices differ.
 *
 * 1. The graph runs on the trusted device with every intermediate kept.
 * 2. Each step runs by itself on both devices, on the trusted device's operands in the layouts that they
 *    have in the graph. So errors do not add up from step to step, and each step has its op's own bound.
 * 3. The whole graph runs on both devices as it is planned, in place and with shared memory, and the named
 *    outputs are compared. If all steps agree and the outputs do not, the fault lies between the steps: their
 *    order, memory or barriers.
 */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/call.h"
#include "base/find.h"
#include "graph/access.h"
#include "verify/harness.h"
#include "verify/spread.h"

typedef struct comparison_run {
    quartic_device *device, *trusted;
    const quartic_graph *graph;
    const quartic_feed *feeds;
    uint32_t feed_count;
    void **contents; /* per storage: its numbers on the trusted device before any update; NULL: not known */
    bool *updated;   /* per storage: a step so far has updated it in place */
    quartic_reporter *reporter;
} comparison_run;

static void report_comparison(const comparison_run *run, quartic_verdict verdict, const char *subject,
                              uint32_t index, const char *label, const char *check,
                              const quartic_comparison *comparison, const char *text) {
    const quartic_check line = {.verdict = verdict,
                                .subject = subject,
                                .index = index,
                                .label = label,
                                .check = check,
                                .error = comparison == NULL ? 0.0 : comparison->error,
                                .bound = comparison == NULL ? 0.0 : comparison->bound,
                                .text = text};
    quartic_report(run->reporter, &line);
}

/* tolerance * sqrt(reduction) */
static double tolerance_of(const quartic_graph *graph, const quartic_node *node) {
    quartic_layout inputs[QUARTIC_OP_MAX_INPUTS], outputs[QUARTIC_OP_MAX_OUTPUTS];
    quartic_op_call call = quartic_graph_call(graph, node, inputs, outputs);
    double reduction = node->op->reduction == NULL ? 1.0 : node->op->reduction(&call);
    return node->op->tolerance * sqrt(reduction);
}

/* Compares a result of a graph: float32 with a bound that is cheap to compute; if the error is larger, with
 * the bound from the spread (spread.h). int32 must be equal. */
static quartic_status compare_fetched(const quartic_graph *graph, const quartic_feed *feeds,
                                      uint32_t feed_count, const quartic_fetch *got,
                                      const quartic_fetch *want, quartic_dtype dtype, double tolerance,
                                      double largest_operand, quartic_comparison *out) {
    if (dtype == QUARTIC_INT32) {
        quartic_compare_int(got->numbers, want->numbers, want->count, out);
        return QUARTIC_OK;
    }
    const double largest = quartic_largest(want->numbers, want->count);
    const double cheap = tolerance * (double)FLT_EPSILON * quartic_error_scale(largest, largest_operand);
    quartic_compare(got->numbers, want->numbers, want->count, cheap, out);
    if (quartic_comparison_holds(out) || !isfinite(out->error)) return QUARTIC_OK;
    double spread;
    QUARTIC_TRY(quartic_spread(graph, feeds, feed_count, &want->name, 1, &spread));
    out->bound = fmax(cheap, quartic_spread_bound(tolerance, spread, largest));
    return QUARTIC_OK;
}

/* ---- the results of the trusted device ---- */

static const quartic_feed *find_feed(const comparison_run *run, const char *name) {
    const size_t f = quartic_find_name(run->feeds, sizeof run->feeds[0], run->feed_count, name);
    return f == run->feed_count ? NULL : &run->feeds[f];
}

/* Checks the feeds and fills the contents of all storages: as fed, else zeros. */
static quartic_status take_feeds(comparison_run *run) {
    for (uint32_t f = 0; f < run->feed_count; ++f) {
        const quartic_feed *feed = &run->feeds[f];
        const uint32_t s = quartic_graph_find_named(run->graph, feed->name);
        const quartic_storage *storage = s == QUARTIC_NONE ? NULL : quartic_graph_storage(run->graph, s);
        if (storage == NULL || storage->kind == QUARTIC_STORAGE_OUTPUT ||
            storage->elements * 4 != feed->bytes)
            return quartic_fail(
                QUARTIC_INVALID_ARGUMENT,
                "\"%s\" of %zu bytes is no input, parameter or state of the graph of that size",
                feed->name == NULL ? "(NULL)" : feed->name, feed->bytes);
        if (feed->data == NULL)
            return quartic_fail(QUARTIC_INVALID_ARGUMENT, "the data fed to \"%s\" is NULL", feed->name);
        if (find_feed(run, feed->name) != feed)
            return quartic_fail(QUARTIC_INVALID_ARGUMENT, "\"%s\" is fed twice", feed->name);
    }
    for (uint32_t s = 0; s < quartic_graph_storage_count(run->graph); ++s) {
        run->contents[s] = quartic_alloc(quartic_graph_storage(run->graph, s)->elements, 4);
        if (run->contents[s] == NULL) return QUARTIC_OUT_OF_MEMORY;
        const char *name = quartic_graph_storage(run->graph, s)->name;
        const quartic_feed *feed = name == NULL ? NULL : find_feed(run, name);
        if (feed != NULL) memcpy(run->contents[s], feed->data, feed->bytes);
    }
    return QUARTIC_OK;
}

/* Names the results of all steps in a copy of the graph and fetches them into contents. */
static quartic_status keep_everything(comparison_run *run, quartic_graph *copy,
                                      char (*names)[QUARTIC_HARNESS_NAME], quartic_fetch *fetches) {
    uint32_t count = 0, nodes = quartic_graph_node_count(copy);
    for (uint32_t n = 0; n < nodes; ++n) {
        const quartic_node node = *quartic_graph_node(copy, n); /* outputs are added below */
        if (node.op->view != NULL || node.op->mutated_inputs != 0) continue;
        for (uint32_t o = 0; o < node.output_count; ++o) {
            uint32_t storage = quartic_graph_value_record(copy, node.outputs[o])->storage;
            if (quartic_graph_storage(copy, storage)->kind == QUARTIC_STORAGE_INTERMEDIATE) {
                snprintf(names[storage], sizeof names[storage], "storage %u", storage);
                quartic_graph_output(copy, names[storage], quartic_graph_value_of(copy, node.outputs[o]));
                QUARTIC_TRY(quartic_graph_status(copy));
            }
            fetches[count++] =
                (quartic_fetch){quartic_graph_storage(copy, storage)->name, run->contents[storage],
                                quartic_graph_storage(copy, storage)->elements};
        }
    }
    return quartic_harness_run(run->trusted, copy, run->feeds, run->feed_count, fetches, count);
}

static quartic_status run_trusted_steps(comparison_run *run) {
    quartic_graph *copy = NULL;
    uint32_t storages = quartic_graph_storage_count(run->graph);
    char(*names)[QUARTIC_HARNESS_NAME] = quartic_alloc(storages, sizeof *names);
    quartic_fetch *fetches = quartic_alloc(storages, sizeof *fetches);
    quartic_status status =
        names == NULL || fetches == NULL ? QUARTIC_OUT_OF_MEMORY : quartic_graph_clone(run->graph, &copy);
    if (status == QUARTIC_OK) status = keep_everything(run, copy, names, fetches);
    quartic_graph_destroy(copy);
    quartic_free(fetches);
    quartic_free(names);
    return status;
}

/* ---- one step by itself ---- */

typedef struct lone_step {
    quartic_graph *graph;
    char names[QUARTIC_OP_MAX_INPUTS + QUARTIC_OP_MAX_OUTPUTS][QUARTIC_HARNESS_NAME];
    quartic_feed feeds[QUARTIC_OP_MAX_INPUTS];
    quartic_fetch got[QUARTIC_OP_MAX_OUTPUTS], want[QUARTIC_OP_MAX_OUTPUTS];
    quartic_shape shapes[QUARTIC_OP_MAX_OUTPUTS];
    quartic_dtype dtypes[QUARTIC_OP_MAX_OUTPUTS];
    uint32_t feed_count, fetch_count;
    double largest; /* element of the real operands */
} lone_step;

/* The operand as a value of the step's graph: its whole storage fed flat, seen through the operand's
 * layout. */
static quartic_value add_step_operand(lone_step *step, const comparison_run *run, const quartic_node *node,
                                      uint32_t input) {
    const quartic_graph_value *value = quartic_graph_value_record(run->graph, node->inputs[input]);
    const quartic_storage *storage = quartic_graph_storage(run->graph, value->storage);
    char *name = step->names[step->feed_count];
    snprintf(name, QUARTIC_HARNESS_NAME, "operand %u", input);
    const quartic_shape flat = QUARTIC_SHAPE((uint32_t)storage->elements);
    quartic_value base = quartic_op_mutates(node->op, input)
                             ? quartic_graph_state(step->graph, name, storage->dtype, &flat)
                             : quartic_graph_input(step->graph, name, storage->dtype, &flat);
    step->feeds[step->feed_count++] =
        (quartic_feed){name, run->contents[value->storage], storage->elements * 4};
    if (storage->dtype == QUARTIC_FLOAT32)
        step->largest =
            fmax(step->largest, quartic_largest(run->contents[value->storage], storage->elements));
    /* A slice of everything is a new value over the storage, which then gets the layout of the operand. */
    quartic_value view = quartic_slice(step->graph, base, 0, 0, flat.dims[0]);
    if (view.id != 0) quartic_graph_set_layout(step->graph, view, &value->layout);
    return view;
}

static quartic_status add_fetch(lone_step *step, const char *name, const quartic_layout *layout,
                                uint64_t elements) {
    uint32_t k = step->fetch_count++;
    step->shapes[k] = layout->shape;
    step->dtypes[k] = layout->dtype;
    step->got[k] = (quartic_fetch){name, quartic_alloc(elements, 4), elements};
    step->want[k] = (quartic_fetch){name, quartic_alloc(elements, 4), elements};
    return step->got[k].numbers == NULL || step->want[k].numbers == NULL ? QUARTIC_OUT_OF_MEMORY : QUARTIC_OK;
}

static quartic_status build_step(lone_step *step, const comparison_run *run, const quartic_node *node) {
    quartic_value inputs[QUARTIC_OP_MAX_INPUTS] = {0}, outputs[QUARTIC_OP_MAX_OUTPUTS];
    uint32_t mutated = 0;
    QUARTIC_TRY(quartic_graph_create(&step->graph));
    for (uint32_t i = 0; i < node->input_count; ++i) {
        if (node->inputs[i] == 0) continue;
        inputs[i] = add_step_operand(step, run, node, i);
        if (!quartic_op_mutates(node->op, i)) continue;
        const quartic_graph_value *value = quartic_graph_value_record(run->graph, node->inputs[i]);
        const quartic_storage *storage = quartic_graph_storage(run->graph, value->storage);
        quartic_layout flat =
            quartic_layout_contiguous(storage->dtype, &QUARTIC_SHAPE((uint32_t)storage->elements));
        QUARTIC_TRY(add_fetch(step, step->names[step->feed_count - 1], &flat, storage->elements));
        ++mutated;
    }
    QUARTIC_TRY(quartic_graph_append(step->graph, node->op, node->attrs, inputs, node->input_count, outputs,
                                     QUARTIC_OP_MAX_OUTPUTS));
    for (uint32_t o = mutated; o < node->output_count; ++o) {
        const quartic_layout *layout = &quartic_graph_value_record(run->graph, node->outputs[o])->layout;
        char *name = step->names[QUARTIC_OP_MAX_INPUTS + o];
        snprintf(name, QUARTIC_HARNESS_NAME, "output %u", o);
        quartic_graph_output(step->graph, name, outputs[o]);
        QUARTIC_TRY(add_fetch(step, name, layout, quartic_layout_elements(layout)));
    }
    return quartic_graph_status(step->graph);
}

/* Compares all results of the step. *worst and text are of the worst result: one that failed if there is
 * any. */
static quartic_status compare_step(const lone_step *step, double tolerance, quartic_comparison *worst,
                                   char *text) {
    for (uint32_t k = 0; k < step->fetch_count; ++k) {
        quartic_comparison comparison;
        QUARTIC_TRY(compare_fetched(step->graph, step->feeds, step->feed_count, &step->got[k], &step->want[k],
                                    step->dtypes[k], tolerance, step->largest, &comparison));
        if (k > 0 && (quartic_comparison_holds(&comparison) || !quartic_comparison_holds(worst))) continue;
        char element[QUARTIC_COMPARISON_TEXT];
        *worst = comparison;
        snprintf(text, QUARTIC_HARNESS_TEXT, "%s, %s", step->want[k].name,
                 quartic_comparison_text(&comparison, &step->shapes[k], element));
    }
    return QUARTIC_OK;
}

static quartic_status check_step(comparison_run *run, uint32_t index) {
    const quartic_node *node = quartic_graph_node(run->graph, index);
    const char *label = quartic_graph_node_scope(run->graph, node);
    char text[QUARTIC_HARNESS_TEXT] = "";
    for (uint32_t i = 0; i < node->input_count; ++i)
        if (node->inputs[i] != 0 &&
            run->updated[quartic_graph_value_record(run->graph, node->inputs[i])->storage]) {
            report_comparison(
                run, QUARTIC_NOT_SUPPORTED, node->op->name, index, label, "step", NULL,
                "reads what an earlier step updated in place, so it is checked with the whole graph only");
            return QUARTIC_OK;
        }
    lone_step *step = quartic_alloc(1, sizeof *step);
    if (step == NULL) return QUARTIC_OUT_OF_MEMORY;
    quartic_comparison worst = {0};
    quartic_status status = build_step(step, run, node);
    if (status == QUARTIC_OK)
        status = quartic_harness_run(run->trusted, step->graph, step->feeds, step->feed_count, step->want,
                                     step->fetch_count);
    if (status == QUARTIC_OK)
        status = quartic_harness_run(run->device, step->graph, step->feeds, step->feed_count, step->got,
                                     step->fetch_count);
    if (status == QUARTIC_OK) status = compare_step(step, tolerance_of(run->graph, node), &worst, text);
    if (status == QUARTIC_OK) {
        report_comparison(run, quartic_comparison_holds(&worst) ? QUARTIC_PASSED : QUARTIC_FAILED,
                          node->op->name, index, label, "step", &worst, text);
    } else if (status == QUARTIC_INTERNAL || status == QUARTIC_UNSUPPORTED) {
        snprintf(text, sizeof text, "%s", quartic_error_detail());
        report_comparison(run, status == QUARTIC_INTERNAL ? QUARTIC_FAILED : QUARTIC_NOT_SUPPORTED,
                          node->op->name, index, label, "step", NULL, text);
        status = QUARTIC_OK;
    }
    for (uint32_t k = 0; k < step->fetch_count; ++k) {
        quartic_free(step->got[k].numbers);
        quartic_free(step->want[k].numbers);
    }
    quartic_graph_destroy(step->graph);
    quartic_free(step);
    for (uint32_t i = 0; i < node->input_count; ++i)
        if (quartic_op_mutates(node->op, i))
            run->updated[quartic_graph_value_record(run->graph, node->inputs[i])->storage] = true;
    return status;
}

/* ---- the whole graph ---- */

/* Compares the named outputs: got[k] and want[k] are of storage outputs[k]. */
static quartic_status compare_outputs(comparison_run *run, const quartic_fetch *got,
                                      const quartic_fetch *want, uint32_t count, const uint32_t *outputs,
                                      double tolerance) {
    for (uint32_t k = 0; k < count; ++k) {
        const quartic_storage *storage = quartic_graph_storage(run->graph, outputs[k]);
        quartic_comparison comparison;
        char text[QUARTIC_COMPARISON_TEXT];
        QUARTIC_TRY(compare_fetched(run->graph, run->feeds, run->feed_count, &got[k], &want[k],
                                    storage->dtype, tolerance, 0.0, &comparison));
        quartic_comparison_text(&comparison, &storage->shape, text);
        report_comparison(run, quartic_comparison_holds(&comparison) ? QUARTIC_PASSED : QUARTIC_FAILED,
                          want[k].name, 0, "", "whole graph", &comparison, text);
    }
    return QUARTIC_OK;
}

static quartic_status check_outputs(comparison_run *run, double tolerance) {
    uint32_t storages = quartic_graph_storage_count(run->graph), count = 0;
    quartic_fetch *got = quartic_alloc(storages, sizeof *got), *want = quartic_alloc(storages, sizeof *want);
    uint32_t *outputs = quartic_alloc(storages, sizeof *outputs);
    quartic_status status =
        got == NULL || want == NULL || outputs == NULL ? QUARTIC_OUT_OF_MEMORY : QUARTIC_OK;
    for (uint32_t s = 0; status == QUARTIC_OK && s < storages; ++s) {
        const quartic_storage *output = quartic_graph_storage(run->graph, s);
        if (output->kind != QUARTIC_STORAGE_OUTPUT) continue;
        got[count] =
            (quartic_fetch){output->name, quartic_alloc(output->elements, sizeof(float)), output->elements};
        want[count] =
            (quartic_fetch){output->name, quartic_alloc(output->elements, sizeof(float)), output->elements};
        if (got[count].numbers == NULL || want[count].numbers == NULL) status = QUARTIC_OUT_OF_MEMORY;
        outputs[count++] = s;
    }
    if (status == QUARTIC_OK)
        status = quartic_harness_run(run->trusted, run->graph, run->feeds, run->feed_count, want, count);
    if (status == QUARTIC_OK)
        status = quartic_harness_run(run->device, run->graph, run->feeds, run->feed_count, got, count);
    if (status == QUARTIC_OK) status = compare_outputs(run, got, want, count, outputs, tolerance);
    for (uint32_t k = 0; k < count; ++k) {
        quartic_free(got[k].numbers);
        quartic_free(want[k].numbers);
    }
    quartic_free(got);
    quartic_free(want);
    quartic_free(outputs);
    return status;
}

static quartic_status compare_all(comparison_run *run) {
    QUARTIC_TRY(take_feeds(run));
    QUARTIC_TRY(run_trusted_steps(run));
    double tolerance = 0.0;
    for (uint32_t n = 0; n < quartic_graph_node_count(run->graph); ++n) {
        if (quartic_graph_node(run->graph, n)->op->view != NULL) continue;
        tolerance += tolerance_of(run->graph, quartic_graph_node(run->graph, n));
        QUARTIC_TRY(check_step(run, n));
    }
    return check_outputs(run, tolerance);
}

quartic_status quartic_compare_devices(quartic_device *device, quartic_device *trusted,
                                       const quartic_graph *graph, const quartic_feed *feeds,
                                       uint32_t feed_count, quartic_check_callback callback, void *context,
                                       quartic_check_totals *out_totals) {
    QUARTIC_CALL();
    QUARTIC_NEED(device);
    QUARTIC_NEED(trusted);
    QUARTIC_NEED(graph);
    if (feeds == NULL && feed_count != 0)
        return quartic_fail(QUARTIC_INVALID_ARGUMENT, "feeds is NULL, but feed_count is %u", feed_count);
    for (uint32_t f = 0; f < feed_count; ++f)
        if (feeds[f].name == NULL || feeds[f].data == NULL)
            return quartic_fail(QUARTIC_INVALID_ARGUMENT, "feeds[%u] has no %s (NULL)", f,
                                feeds[f].name == NULL ? "name" : "data");
    QUARTIC_TRY(quartic_graph_status(graph));
    quartic_reporter reporter = {.callback = callback, .context = context};
    comparison_run run = {.device = device,
                          .trusted = trusted,
                          .graph = graph,
                          .feeds = feeds,
                          .feed_count = feed_count,
                          .contents = quartic_alloc(quartic_graph_storage_count(graph), sizeof(void *)),
                          .updated = quartic_alloc(quartic_graph_storage_count(graph), sizeof(bool)),
                          .reporter = &reporter};
    quartic_status status =
        run.contents == NULL || run.updated == NULL ? QUARTIC_OUT_OF_MEMORY : compare_all(&run);
    for (uint32_t s = 0; run.contents != NULL && s < quartic_graph_storage_count(graph); ++s)
        quartic_free(run.contents[s]);
    quartic_free(run.contents);
    quartic_free(run.updated);
    if (out_totals != NULL) *out_totals = reporter.totals;
    return status;
}
