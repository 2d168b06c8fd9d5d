/* tune.c: `quartic tune`: the plans of a model by measurement. See quartic/tune.h. */
#include "quartic/tune.h"

#include <stdio.h>
#include <stdlib.h>

#include "tool/models.h"

typedef struct tune_settings {
    const char *device, *config;
    uint32_t batch, length, repeat, again, forward_only, json;
    float seconds;
} tune_settings;

static const tune_settings defaults = {.device = "vulkan", .batch = 1, .repeat = 5};
static const arg_option options[] = {
    TOOL_DEVICE_OPTION(tune_settings),
    TOOL_CONFIG_OPTION(tune_settings),
    TOOL_PASS_OPTIONS(tune_settings),
    {"repeat", "N", ARG_UINT32, offsetof(tune_settings, repeat), 1, 1000,
     "timed runs of a candidate, of which the shortest counts"},
    {"seconds", "S", ARG_FLOAT, offsetof(tune_settings, seconds), 0, 1e6,
     "begin no problem after that time (default 0: no limit); a later call goes on"},
    {"again", NULL, ARG_FLAG, offsetof(tune_settings, again), 0, 0,
     "time problems again whose choice is known"},
    TOOL_JSON_OPTION(tune_settings),
};

typedef struct tune_view {
    json_t *list; /* NULL: lines are printed */
} tune_view;

static void tune_show(void *context, const quartic_tuned *tuned) {
    const tune_view *view = context;
    if (view->list != NULL) {
        tool_json_add(view->list,
                      tool_json_object(
                          "op", tool_json_text(tuned->op), "label", tool_json_text(tuned->label),
                          "candidates", tool_json_count(tuned->candidates), "refused",
                          tool_json_count(tuned->refused), "chosen", tool_json_count(tuned->chosen), "choice",
                          tool_json_text(tuned->choice), "own_seconds", tool_json_real(tuned->own_seconds),
                          "seconds", tool_json_real(tuned->seconds), NULL));
        return;
    }
    printf("%-24s %3u candidates %10.3f ms -> %10.3f ms  %s", tuned->op, tuned->candidates,
           1e3 * tuned->own_seconds, 1e3 * tuned->seconds, tuned->choice);
    if (tuned->refused > 0) printf(" (%u refused)", tuned->refused);
    printf("  %s\n", tuned->label);
    fflush(stdout);
}

static void tune_finish(const tune_settings *settings, tune_view *view, const char *device, uint64_t hash,
                        const quartic_tune_totals *totals) {
    char text[32];
    snprintf(text, sizeof text, "%016llx", (unsigned long long)hash);
    if (settings->json)
        tool_print_json(tool_json_object(
            "device", tool_json_text(device), "problems", tool_json_count(totals->problems), "tuned",
            tool_json_count(totals->tuned), "improved", tool_json_count(totals->improved), "own_seconds",
            tool_json_real(totals->own_seconds), "seconds", tool_json_real(totals->seconds), "hash",
            tool_json_text(text), "tuned_problems", view->list, NULL));
    else
        printf("%u problems with a choice, %u timed on %s, %u with another choice than the plan's own: %.3f "
               "ms -> %.3f "
               "ms; the choices have the hash %s\n",
               totals->problems, totals->tuned, device, totals->improved, 1e3 * totals->own_seconds,
               1e3 * totals->seconds, text);
}

static int tune_model(const invocation *call, quartic_model *model) {
    const tune_settings *settings = call->settings;
    quartic_device *device = quartic_model_device(model);
    const tool_run_shape shape = tool_run_shape_of(model, call->operand_count > 0 ? call->operands[0] : NULL);
    const uint32_t length = tool_pass_length(model, &shape, settings->length);
    tune_view view = {.list = settings->json ? tool_json_list() : NULL};
    quartic_tune_config config = QUARTIC_TUNE_CONFIG_INIT;
    config.repeat = settings->repeat, config.seconds = settings->seconds, config.again = settings->again;
    config.callback = tune_show, config.context = &view;
    quartic_graph *graph;
    quartic_tune_totals totals = {0};
    quartic_device_info info;
    quartic_status status = quartic_device_get_info(device, &info);
    if (status == QUARTIC_OK)
        status =
            tool_build_graph(model, settings->batch, length, shape.masked, !settings->forward_only, &graph);
    if (status == QUARTIC_OK) {
        status = quartic_tune(device, graph, &config, &totals);
        quartic_graph_destroy(graph);
    }
    if (status == QUARTIC_OK) {
        tune_finish(settings, &view, info.name, quartic_device_tuning_hash(device), &totals);
        return EXIT_DONE;
    }
    json_decref(view.list);
    return tool_fail_library(call->command, NULL);
}

static int run_tune(const invocation *call) {
    const tune_settings *settings = call->settings;
    const bool is_file = call->operand_count > 0 && !tool_is_config(call->operands[0]);
    if (settings->config != NULL && !is_file)
        return tool_fail_usage(call->command, "--config goes with a file of weights");
    quartic_device *device = tool_open_device(call->command, settings->device);
    if (device == NULL) return EXIT_FAILED;
    quartic_model *model = tool_operand_model(call, device, settings->config);
    const int code = model == NULL ? EXIT_FAILED : tune_model(call, model);
    quartic_model_destroy(model);
    quartic_device_destroy(device);
    return code;
}

const command command_tune = {
    .name = "tune",
    .operands = "[MODEL]",
    .summary = "measure which plans of a model's ops are quickest on a GPU, and keep them",
    .details =
        "For each distinct problem of a model's training step (MODEL as in bench) times tiles, parts of "
        "divided sums, "
        "rows of a thread, forms of Taylor attention and sizes of subgroups, and keeps the quickest whose "
        "results are "
        "those of the plan's own choice within the op's bound. The winners lie beside the pipeline cache, "
        "for this "
        "device, driver and build, and every program of this device is made with them from then on, unless "
        "--fixed is given.",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .least_operands = 0,
    .most_operands = 1,
    .defaults = &defaults,
    .settings_bytes = sizeof defaults,
    .run = run_tune,
};
