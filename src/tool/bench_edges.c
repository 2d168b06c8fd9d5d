/* bench_edges.c: `quartic bench edges`: what each form of edge attention costs over the number of nodes.
 *
 * Each form is the first of two layers of a quartic transformer, compiled with its gradients. The steps in
 * the form's scope are summed, each with its shortest time over the runs. The first of them, as many as the
 * graph without gradients has, are the forward pass; the others, recomputation included, are the backward
 * pass. In both, the attention itself (the softmax, Taylor or triangle op; for triangle-multiply the product
 * over the pivots) is summed apart from the norms, projections and gates around it. A size is skipped if,
 * estimated by the size before it (for the first: by the rate of a large matrix product), it would take too long, or if it does not fit into half of the device's
 * memory. Exponents are slopes of log(time) over log(n) by least squares.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tool/bench.h"

#define FORM_SCOPE  "layers.0/1.0"
#define PIVOT_SCOPE "/pivots" /* of triangle-multiply's product */
enum { SMALLEST = 16, MOST_SIZES = 16 };

/* Forward or backward of one form and size. */
typedef struct pass {
    double seconds, flops, bytes;
    double core_seconds, core_flops; /* of the attention itself, without norms, projections and gates */
    double workspace;                /* of the whole model; backward: forward and backward */
} pass;

typedef struct size_row {
    uint32_t n;
    pass forward, backward;
    char why_skipped[160]; /* "" if it was run */
    double estimate;       /* seconds of a skipped one, 0 if unknown */
    double model_flops;    /* forward and backward of the whole model */
} size_row;

static quartic_status make_form_model(const bench *bench, quartic_edge_attention form,
                                      quartic_model **out_model) {
    quartic_model_config config = QUARTIC_MODEL_CONFIG_INIT;
    config.num_tokens = 16, config.dim = 32, config.depth = 2, config.heads = 2, config.dim_head = 16;
    config.dim_edges = bench->settings->dim_edges, config.ff_mult = 1, config.num_residual_streams = 1;
    config.edge_attention = form;
    return quartic_model_create(bench->device, &config, out_model);
}

static bool step_is_of_form(const quartic_step_info *info) {
    const size_t length = strlen(FORM_SCOPE);
    return strncmp(info->label, FORM_SCOPE, length) == 0 &&
           (info->label[length] == 0 || info->label[length] == '/');
}

static bool starts_with(const char *text, const char *beginning) {
    return strncmp(text, beginning, strlen(beginning)) == 0;
}

/* Whether a step is the attention itself, forward or adjoint. */
static bool step_is_attention(const quartic_step_info *info) {
    const size_t length = strlen(info->label), scope = strlen(PIVOT_SCOPE);
    return starts_with(info->op, "taylor_attention") || starts_with(info->op, "edge_softmax_attention") ||
           starts_with(info->op, "triangle_attention") || starts_with(info->op, "triple_attention") ||
           (length >= scope && strcmp(info->label + length - scope, PIVOT_SCOPE) == 0);
}

/* Steps of the form in the graph without gradients. */
static quartic_status count_forward(const bench *bench, quartic_model *model, uint32_t n,
                                    uint32_t *out_count) {
    quartic_program *program = NULL;
    quartic_status status = tool_compile(model, bench->settings->batch, n, false, false, false, &program);
    if (status != QUARTIC_OK) return status;
    *out_count = 0;
    for (uint32_t step = 0; step < quartic_program_step_count(program) && status == QUARTIC_OK; ++step) {
        quartic_step_info info;
        status = quartic_program_step(program, step, &info);
        if (status == QUARTIC_OK && step_is_of_form(&info)) ++*out_count;
    }
    quartic_program_destroy(program);
    return status;
}

/* Sums the form's steps, each with its shortest time of all runs but the first. */
static quartic_status time_form(const bench *bench, quartic_model *model, size_row *row) {
    quartic_program *program = NULL;
    uint32_t forward_steps, seen = 0;
    quartic_status status = count_forward(bench, model, row->n, &forward_steps);
    if (status == QUARTIC_OK)
        status = tool_compile(model, bench->settings->batch, row->n, false, true, true, &program);
    if (status != QUARTIC_OK) return status;
    const uint32_t steps = quartic_program_step_count(program);
    double *least = tool_alloc(steps, sizeof *least);
    quartic_step_info info;
    status = bench_least_seconds(bench, program, least);
    for (uint32_t step = 0; step < steps && status == QUARTIC_OK; ++step) {
        status = quartic_program_step(program, step, &info);
        if (status != QUARTIC_OK || !step_is_of_form(&info)) continue;
        pass *part = seen++ < forward_steps ? &row->forward : &row->backward;
        part->seconds += least[step];
        part->flops += info.flops;
        part->bytes += info.bytes;
        if (!step_is_attention(&info)) continue;
        part->core_seconds += least[step];
        part->core_flops += info.flops;
    }
    free(least);
    quartic_program_destroy(program);
    return status;
}

/* Fills a row; before: the last row that was run, or NULL. */
static quartic_status bench_size(const bench *bench, quartic_model *model, const size_row *before,
                                 size_row *row) {
    quartic_program_memory forward, both;
    quartic_device_info device;
    const uint32_t batch = bench->settings->batch;
    quartic_status status = quartic_model_measure(model, batch, row->n, 0, 0, &forward);
    if (status == QUARTIC_OK) status = quartic_model_measure(model, batch, row->n, 0, 1, &both);
    if (status == QUARTIC_OK) status = quartic_device_get_info(bench->device, &device);
    if (status != QUARTIC_OK) return status;
    row->forward.workspace = (double)forward.workspace_bytes;
    row->backward.workspace = (double)both.workspace_bytes;
    row->model_flops = both.flops;
    if (before != NULL)
        row->estimate =
            (before->forward.seconds + before->backward.seconds) * row->model_flops / before->model_flops;
    else if (row->n > SMALLEST) /* the slowest forms reach a sixth of the product on a CPU */
        row->estimate = row->model_flops / (bench->product_flops / 6);
    const double runs = bench->settings->repeat + 1;
    char bytes[TOOL_NUMBER_BYTES], limit[TOOL_NUMBER_BYTES];
    if (row->backward.workspace > (double)device.memory_bytes / 2)
        snprintf(row->why_skipped, sizeof row->why_skipped, "takes %s, more than half of the device's %s",
                 tool_bytes_text(row->backward.workspace, bytes),
                 tool_bytes_text((double)device.memory_bytes, limit));
    else if (row->estimate * runs > (double)bench->settings->most_seconds)
        snprintf(row->why_skipped, sizeof row->why_skipped,
                 "about %.3g s forward and backward, %.0f times, is more than --most-seconds %g",
                 row->estimate, runs, (double)bench->settings->most_seconds);
    if (row->why_skipped[0] != 0) return QUARTIC_OK;
    return time_form(bench, model, row);
}

static json_t *pass_json(const bench *bench, const pass *part) {
    return tool_json_object("seconds", tool_json_real(part->seconds), "flops", tool_json_real(part->flops),
                            "bytes", tool_json_real(part->bytes), "share_of_product",
                            tool_json_real(part->flops / part->seconds / bench->product_flops),
                            "attention_seconds", tool_json_real(part->core_seconds), "attention_flops",
                            tool_json_real(part->core_flops), "attention_share_of_product",
                            tool_json_real(part->core_flops / part->core_seconds / bench->product_flops),
                            "attention_over_rest",
                            tool_json_real(part->core_seconds / (part->seconds - part->core_seconds)), NULL);
}

static void print_pass(const bench *bench, const pass *part) {
    char flops[TOOL_NUMBER_BYTES];
    printf("  %10.3f ms %8sFLOP %5.1f%% %10.3f ms %5.1f%% %6.2f", 1e3 * part->seconds,
           tool_count_text(part->flops, flops), 100 * part->flops / part->seconds / bench->product_flops,
           1e3 * part->core_seconds, 100 * part->core_flops / part->core_seconds / bench->product_flops,
           part->core_seconds / (part->seconds - part->core_seconds));
}

static void show_row(const bench *bench, const size_row *row, json_t *sizes) {
    const bool ran = row->why_skipped[0] == 0;
    if (bench->settings->json) {
        json_t *entry = tool_json_object("n", tool_json_count(row->n), "forward_workspace_bytes",
                                         tool_json_real(row->forward.workspace), "training_workspace_bytes",
                                         tool_json_real(row->backward.workspace), NULL);
        if (ran) {
            tool_json_set(entry, "forward", pass_json(bench, &row->forward));
            tool_json_set(entry, "backward", pass_json(bench, &row->backward));
        } else {
            tool_json_set(entry, "why_skipped", tool_json_text(row->why_skipped));
            tool_json_set(entry, "estimated_seconds", tool_json_real(row->estimate));
        }
        tool_json_add(sizes, entry);
        return;
    }
    if (!ran) {
        printf("  %4u  skipped: %s\n", row->n, row->why_skipped);
        return;
    }
    char text[2][TOOL_NUMBER_BYTES];
    printf("  %4u", row->n);
    print_pass(bench, &row->forward);
    print_pass(bench, &row->backward);
    printf("  %10s %10s\n", tool_bytes_text(row->forward.workspace, text[0]),
           tool_bytes_text(row->backward.workspace, text[1]));
    fflush(stdout);
}

/* The slope of log y over log n; NAN for fewer than two rows. */
static double growth_exponent(const size_row *rows, uint32_t count, bool backward) {
    double sums[5] = {0}; /* of 1, x, y, x x, x y */
    for (uint32_t k = 0; k < count; ++k) {
        if (rows[k].why_skipped[0] != 0) continue;
        const double x = log(rows[k].n);
        const double y = log(backward ? rows[k].backward.seconds : rows[k].forward.seconds);
        sums[0] += 1, sums[1] += x, sums[2] += y, sums[3] += x * x, sums[4] += x * y;
    }
    const double spread = sums[0] * sums[3] - sums[1] * sums[1];
    return spread > 0 ? (sums[0] * sums[4] - sums[1] * sums[2]) / spread : NAN;
}

static quartic_status bench_form(bench *bench, quartic_edge_attention form, json_t *forms) {
    quartic_model *model = NULL;
    size_row rows[MOST_SIZES] = {0};
    uint32_t count = 0;
    const size_row *before = NULL;
    json_t *sizes = tool_json_list();
    if (!bench->settings->json) printf("%s\n", tool_edge_form_name(form));
    quartic_status status = make_form_model(bench, form, &model);
    const uint32_t first = bench->settings->least != 0 ? bench->settings->least : SMALLEST;
    for (uint32_t n = first; status == QUARTIC_OK && n <= bench->settings->longest; n *= 2) {
        size_row *row = &rows[count++];
        row->n = n;
        status = bench_size(bench, model, before, row);
        if (status != QUARTIC_OK) break;
        if (row->why_skipped[0] == 0) before = row;
        show_row(bench, row, sizes);
    }
    quartic_model_destroy(model);
    const double forward = growth_exponent(rows, count, false), backward = growth_exponent(rows, count, true);
    if (bench->settings->json)
        tool_json_add(forms, tool_json_object("form", tool_json_text(tool_edge_form_name(form)), "sizes",
                                              json_incref(sizes), "forward_exponent", tool_json_real(forward),
                                              "backward_exponent", tool_json_real(backward), NULL));
    else if (isfinite(forward) && isfinite(backward))
        printf("  time grows as n^%.2f forward, n^%.2f backward\n", forward, backward);
    json_decref(sizes);
    return status;
}

quartic_status bench_edges(bench *bench) {
    const bench_settings *settings = bench->settings;
    quartic_device_info info;
    quartic_status status = quartic_device_get_info(bench->device, &info);
    if (status == QUARTIC_OK) status = bench_measure_product(bench);
    if (status != QUARTIC_OK) return status;
    tool_json_set(bench->report, "batch", tool_json_count(settings->batch));
    tool_json_set(bench->report, "dim_edges", tool_json_count(settings->dim_edges));
    tool_json_set(bench->report, "matrix_product_flops_per_second", tool_json_real(bench->product_flops));
    if (!settings->json)
        printf(
            "edge attention by form on %s: batch %u, dim_edges %u, default heads, least of %u runs;\n"
            "work: estimated operations; share: of a large matrix product's %.1f GFLOP/s; attention: "
            "without\n"
            "its norms, projections and gates; x: the attention's time over theirs; workspaces: of the whole "
            "model\n"
            "  %4s  %13s %12s %6s %13s %6s %6s  %13s %12s %6s %13s %6s %6s  %10s %10s\n",
            info.name, settings->batch, settings->dim_edges, settings->repeat, 1e-9 * bench->product_flops,
            "n", "forward", "work", "share", "attention", "share", "x", "backward", "work", "share",
            "attention", "share", "x", "workspace", "training");
    json_t *forms = tool_json_list();
    for (uint32_t form = QUARTIC_EDGE_ATTENTION_AXIAL;
         tool_edge_form_name(form) != NULL && status == QUARTIC_OK; ++form)
        if (form != QUARTIC_EDGE_ATTENTION_NONE &&
            (settings->form == NULL || strcmp(settings->form, tool_edge_form_name(form)) == 0))
            status = bench_form(bench, (quartic_edge_attention)form, forms);
    tool_json_set(bench->report, "forms", forms);
    return status;
}
