/* experiment.c: `quartic experiment TASK...`: what edges that attend to edges learn and quadratic
 * transformers do not. See experiment_tasks.h for the tasks, experiment_contest.h for the contestants,
 * docs/which-edge-attention.md for what was found.
 */
#include "tool/experiment_attention.h"
#include "tool/experiment_chart.h"
#include "tool/experiment_report.h"
#include "tool/run_lock.h"
#include "tool/files.h"

#include <string.h>

typedef struct experiment_settings {
    const char *out, *device, *only, *encodings, *records, *train_sizes, *test_sizes;
    uint32_t baseline_steps, nodes, width, depth, heads, head_width, quick, steps, seeds, batch, graphs,
        limit, check, no_map, relational, sizes, rates, evaluations, json;
    float rate;
    uint64_t seed;
} experiment_settings;

static const experiment_settings defaults = {.out = "experiment",
                                             .encodings = "ids",
                                             .train_sizes = "",
                                             .test_sizes = "",
                                             .steps = 400,
                                             .seeds = 3,
                                             .batch = 16,
                                             .graphs = 4096,
                                             .limit = 120,
                                             .evaluations = 20,
                                             .sizes = CONTEST_MOST_SIZES,
                                             .rates = CONTEST_MOST_RATES,
                                             .rate = 3e-3f};

static const arg_option options[] = {
    {"out", "FOLDER", ARG_TEXT, offsetof(experiment_settings, out), 0, 0,
     "where results.csv, report.md and the pictures go; made if missing"},
    TOOL_DEVICE_OPTION(experiment_settings),
    {"quick", NULL, ARG_FLAG, offsetof(experiment_settings, quick), 0, 0,
     "one size and one learning rate of each baseline, no ablated ones, forms without identifiers only"},
    {"sizes", "N", ARG_UINT32, offsetof(experiment_settings, sizes), 1, CONTEST_MOST_SIZES,
     "sizes of each baseline: 1: 2 layers and as many parameters as the largest form; "
     "2: also 4 layers and four times as many; 3: also 6 layers and as many"},
    {"rates", "N", ARG_UINT32, offsetof(experiment_settings, rates), 1, CONTEST_MOST_RATES,
     "learning rates of which a baseline takes the best: --rate, a third of it, three times as much"},
    {"encodings", "LIST", ARG_TEXT, offsetof(experiment_settings, encodings), 0, 0,
     "what baselines are given beside edges, each by itself, as ids,rows,walks,laplacian,distances (default: "
     "ids); all also take part with nothing"},
    {"nodes", "N", ARG_UINT32, offsetof(experiment_settings, nodes), 1, EXPERIMENT_MOST_NODES,
     "nodes of a graph (default: the task's)"},
    {"train-sizes", "LIST", ARG_TEXT, offsetof(experiment_settings, train_sizes), 0, 0,
     "sizes to train on, as 12,14:4,20: nodes and, after a colon, degree; batches take them in turn "
     "(default: one "
     "size, --nodes)"},
    {"test-sizes", "LIST", ARG_TEXT, offsetof(experiment_settings, test_sizes), 0, 0,
     "sizes to test on, each by itself; tables show the first (default: those to train on)"},
    {"width", "N", ARG_UINT32, offsetof(experiment_settings, width), 1, 512,
     "width of every contestant's nodes and edges (default: 16 for the forms, baselines by parameters)"},
    {"depth", "N", ARG_UINT32, offsetof(experiment_settings, depth), 1, 64,
     "layers of the forms, and of the baselines' first size (default: 2)"},
    {"heads", "N", ARG_UINT32, offsetof(experiment_settings, heads), 1, 64, "heads (default: 4)"},
    {"head-width", "N", ARG_UINT32, offsetof(experiment_settings, head_width), 1, 256,
     "width of a head (default: half of that of nodes and edges)"},
    {"relational", NULL, ARG_FLAG, offsetof(experiment_settings, relational), 0, 0,
     "the forms are layers of a RelationalTransformer, whose nodes take up their edges (default: where nodes "
     "or "
     "graphs are read out)"},
    {"steps", "N", ARG_UINT32, offsetof(experiment_settings, steps), 1, 1e6, "training steps of a form"},
    {"baseline-steps", "N", ARG_UINT32, offsetof(experiment_settings, baseline_steps), 1, 1e6,
     "training steps of a baseline (default: four times the forms')"},
    {"seeds", "N", ARG_UINT32, offsetof(experiment_settings, seeds), 1, 100, "runs of each contestant"},
    {"batch", "N", ARG_UINT32, offsetof(experiment_settings, batch), 1, 64, "graphs of a step"},
    {"rate", "X", ARG_FLOAT, offsetof(experiment_settings, rate), 1e-6, 1, "learning rate of the forms"},
    {"evaluations", "N", ARG_UINT32, offsetof(experiment_settings, evaluations), 1, 1000,
     "how often a run is tested, at equal distances"},
    {"graphs", "N", ARG_UINT32, offsetof(experiment_settings, graphs), 64, 1e6, "graphs to train on"},
    TOOL_SEED_OPTION(experiment_settings, seed, "of the graphs and of the identifiers"),
    {"limit", "SECONDS", ARG_UINT32, offsetof(experiment_settings, limit), 0, 1e6,
     "longest run; a longer one is cut short, which the table says; 0: none"},
    {"only", "FORM", ARG_TEXT, offsetof(experiment_settings, only), 0, 0,
     "these contestants alone: forms of edge attention, static, none, relational, ablated, in a list; with + "
     "and "
     "an encoding, or +plain, that one only, as triangle+plain,none+rows"},
    {"records", "FILE", ARG_TEXT, offsetof(experiment_settings, records), 0, 0,
     "a file to which each run is added as a line of JSON; runs that it holds are not run again"},
    {"check", NULL, ARG_FLAG, offsetof(experiment_settings, check), 0, 0,
     "exit with 1 unless in one of the tasks the best edge form reaches 99% and no baseline more than 90%"},
    {"no-map", NULL, ARG_FLAG, offsetof(experiment_settings, no_map), 0, 0,
     "leave out the picture of a learnt edge attention"},
    TOOL_JSON_OPTION(experiment_settings),
};

/* One task: trains, reports, draws. */
static bool run_task(const invocation *call, const experiment_task *whole, quartic_device *device,
                     experiment_report *report, json_t *tasks, bool *inout_separated) {
    const experiment_settings *settings = call->settings;
    experiment_task resized;
    const experiment_task *task = &resized;
    contest_graph_sizes train_sizes, test_sizes;
    uint32_t encodings = 0, named = 0;
    if (!experiment_task_resize(whole, settings->nodes, &resized) ||
        !contest_read_graph_sizes(settings->train_sizes, &train_sizes) ||
        !contest_read_graph_sizes(settings->test_sizes, &test_sizes) ||
        (settings->only != NULL && !contest_read_only(settings->only, &named)) ||
        !contest_read_encodings(settings->encodings, &encodings))
        return false; /* run_experiment has looked */
    contest contest = {.command = call->command,
                       .task = task,
                       .device = device,
                       .settings = {.steps = settings->steps,
                                    .baseline_steps = settings->baseline_steps,
                                    .train_sizes = train_sizes,
                                    .test_sizes = test_sizes,
                                    .records = settings->records,
                                    .relational = settings->relational != 0,
                                    .batch = settings->batch,
                                    .seeds = settings->seeds,
                                    .train_graphs = settings->graphs,
                                    .evaluations = settings->evaluations,
                                    .limit = settings->limit,
                                    .quick = settings->quick,
                                    .sizes = settings->quick ? 1 : settings->sizes,
                                    .rates = settings->quick ? 1 : settings->rates,
                                    .width = settings->width,
                                    .depth = settings->depth,
                                    .heads = settings->heads,
                                    .head_width = settings->head_width,
                                    .encodings = encodings | named,
                                    .rate = settings->rate,
                                    .seed = settings->seed,
                                    .only = settings->only,
                                    .silent = settings->json != 0}};
    bool fine = contest_begin(&contest);
    if (fine && !settings->json) {
        printf("%s: %s? the more frequent label has %.1f%% of the training labels, %.1f%% of the test's\n",
               task->name, task->question, 100 * experiment_majority(contest_data_of(&contest, 1)->train),
               100 * experiment_majority(contest_data_of(&contest, 1)->test));
        fflush(stdout);
    }
    fine = fine && contest_run_all(&contest);
    const char *map = NULL;
    if (fine && !settings->no_map) fine = experiment_attention_draw(&contest, settings->out, &map);
    if (fine) fine = experiment_chart_curves(&contest, settings->out);
    if (fine) {
        experiment_report_add(report, &contest, map);
        tool_json_add(tasks, experiment_report_json(&contest));
        if (!settings->json) {
            printf("\n");
            experiment_print_table(stdout, &contest);
            printf("\n");
            experiment_print_verdict(stdout, &contest);
            printf("\n");
        }
        *inout_separated = *inout_separated || contest_separates(&contest);
    }
    contest_end(&contest);
    return fine;
}

static int run_tasks(const invocation *call, quartic_device *device) {
    const experiment_settings *settings = call->settings;
    quartic_device_info info;
    experiment_report report;
    run_lock lock = RUN_LOCK_INIT; /* until the program ends */
    bool fine = true, separated = false;
    if (quartic_device_get_info(device, &info) != QUARTIC_OK) return tool_fail_library(call->command, NULL);
    if (!tool_make_folder(call->command, settings->out) ||
        !run_lock_take(call->command, settings->out, NULL, &lock) ||
        !experiment_report_open(call->command, settings->out, info.name, &report))
        return EXIT_FAILED;
    json_t *tasks = tool_json_list();
    for (uint32_t k = 0; k < call->operand_count && fine; ++k)
        fine = run_task(call, experiment_task_named(call->operands[k]), device, &report, tasks, &separated);
    fine = experiment_report_close(call->command, &report) && fine;
    if (fine && settings->json)
        tool_print_json(tool_json_object("device", tool_json_text(info.name), "folder",
                                         tool_json_text(settings->out), "separated",
                                         tool_json_flag(separated), "tasks", json_incref(tasks), NULL));
    else if (fine)
        printf("%s/results.csv and %s/report.md are written.\n", settings->out, settings->out);
    json_decref(tasks);
    if (!fine) return EXIT_FAILED;
    if (settings->check && !separated)
        return tool_fail(
            call->command, NULL,
            "in no task does an edge form reach 99%% where every quadratic baseline stays at or below "
            "90%%");
    return EXIT_DONE;
}

static int run_experiment(const invocation *call) {
    const experiment_settings *settings = call->settings;
    char names[TOOL_PATH_BYTES];
    experiment_task_list(names, sizeof names);
    for (uint32_t k = 0; k < call->operand_count; ++k)
        if (experiment_task_named(call->operands[k]) == NULL)
            return tool_fail_usage(call->command, "there is no task %s; there are %s", call->operands[k],
                                   names);
    experiment_task resized;
    for (uint32_t k = 0; k < call->operand_count; ++k)
        if (!experiment_task_resize(experiment_task_named(call->operands[k]), settings->nodes, &resized))
            return tool_fail_usage(call->command, "%s has no graphs of %u nodes", call->operands[k],
                                   settings->nodes);
    uint32_t encodings;
    if (!contest_read_encodings(settings->encodings, &encodings))
        return tool_fail_usage(call->command,
                               "--encodings %s: there are ids, rows, walks, laplacian and distances, with "
                               "commas between them",
                               settings->encodings);
    contest_graph_sizes sizes;
    if (!contest_read_graph_sizes(settings->train_sizes, &sizes) ||
        !contest_read_graph_sizes(settings->test_sizes, &sizes))
        return tool_fail_usage(
            call->command, "--train-sizes and --test-sizes are lists of up to %d sizes such as 12,14:4,20",
            CONTEST_MOST_GRAPH_SIZES);
    if (settings->only != NULL && !contest_read_only(settings->only, &encodings))
        return tool_fail_usage(call->command, "there is no contestant %s", settings->only);
    quartic_device *device = tool_open_device(call->command, settings->device);
    if (device == NULL) return EXIT_FAILED;
    const int code = run_tasks(call, device);
    quartic_device_destroy(device);
    return code;
}

const command command_experiment = {
    .name = "experiment",
    .operands = "TASK...",
    .summary = "what edge attention learns and quadratic transformers do not",
    .details =
        "TASK: cycles (does a 3-regular graph contain a triangle), foaf, foaf24, relation (is there an l "
        "with i -> l -> j), compose (is g(f(i)) = j), quotient (relation over classes of l), set (does "
        "the card that completes i and j lie on the table), twins (does an edge that shares no node "
        "carry the same label), analogy (does an edge of the other situation), repeats (does another edge "
        "out of i), match3 (do three numbers "
        "add to 0), siblings (is f(i) = f(j)); and two graphs to be told apart: circulants, "
        "strongly-regular, cfi, designs. Trains a small transformer with each form of edge attention, "
        "and quadratic baselines with more parameters, layers, steps and learning rates, on graphs drawn "
        "from a seed; test graphs are never trained on. Rates are chosen and runs ended early by validation "
        "graphs, "
        "which are neither; the test is looked at once. Each run has graphs and weights of its own.",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .least_operands = 1,
    .most_operands = 16,
    .defaults = &defaults,
    .settings_bytes = sizeof defaults,
    .run = run_experiment,
};
