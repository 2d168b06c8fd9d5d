/* bench.c: `quartic bench`: how long a forward pass and a training step take, and where the time goes.
 *
 * Whole passes are timed through the model and the trainer: the shortest of a few runs, after a first run
 * that compiles. The table sums the profile of one compiled graph by op. Its last column is the share of the
 * device's measured peak,
 *     max(operations / rate of multiply-adds in registers,
 *         traffic / rate of the fastest copy) / measured time,
 * where the traffic counts each operand once. Work that an op does twice, or data that it moves twice, lowers
 * its share.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/find.h"
#include "quartic/train.h"
#include "tool/bench.h"

static const bench_settings defaults = {.batch = 1, .repeat = 5, .dim_edges = 32, .most_seconds = 20};
static const arg_option options[] = {
    TOOL_DEVICE_OPTION(bench_settings),
    TOOL_FIXED_OPTION(bench_settings),
    TOOL_CONFIG_OPTION(bench_settings),
    TOOL_PASS_OPTIONS(bench_settings),
    {"repeat", "N", ARG_UINT32, offsetof(bench_settings, repeat), 1, 1000000,
     "timed runs, of which the shortest counts"},
    {"seconds", "S", ARG_UINT32, offsetof(bench_settings, seconds), 0, 1000000,
     "of a model: begin no measurement after that time, and say which were left out (default 0: no limit)"},
    {"form", "NAME", ARG_TEXT, offsetof(bench_settings, form), 0, 0, "of `edges`: this form only"},
    {"least", "N", ARG_UINT32, offsetof(bench_settings, least), 16, 65536,
     "of `edges`, `triangle` and `products`: nodes, or the width of a product, to begin with (default 16, "
     "256 "
     "and 512)"},
    {"longest", "N", ARG_UINT32, offsetof(bench_settings, longest), 16, 65536,
     "of the same: sizes are doubled up to this (default 256, 512 and 2048)"},
    {"dim-edges", "N", ARG_UINT32, offsetof(bench_settings, dim_edges), 1, 65536,
     "of `edges`: width of an edge"},
    {"most-seconds", "S", ARG_FLOAT, offsetof(bench_settings, most_seconds), 0, 1e6,
     "of the same: what would take longer is skipped"},
    TOOL_JSON_OPTION(bench_settings),
};

static double resident_bytes(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return 1024.0 * (double)usage.ru_maxrss;
}

/* ---- the device's peak ---- */

static quartic_status measure_peaks(bench *bench) {
    quartic_status status = bench_measure_flops(bench);
    if (status == QUARTIC_OK) status = bench_measure_copies(bench);
    if (status == QUARTIC_OK) status = bench_measure_product(bench);
    if (status != QUARTIC_OK) return status;
    if (bench->settings->json) {
        tool_json_set(bench->report, "peak_flops_per_second", tool_json_real(bench->peak_flops));
        tool_json_set(bench->report, "peak_bytes_per_second", tool_json_real(bench->peak_bytes));
        tool_json_set(bench->report, "matrix_product_flops_per_second", tool_json_real(bench->product_flops));
    } else {
        printf(
            "peak      %.1f GFLOP/s (multiply-adds), %.1f GB/s (copies); a large matrix product reaches %.1f "
            "GFLOP/s, %.0f%%\n",
            1e-9 * bench->peak_flops, 1e-9 * bench->peak_bytes, 1e-9 * bench->product_flops,
            100 * bench->product_flops / bench->peak_flops);
    }
    return QUARTIC_OK;
}

/* Whether the time for measuring is used up. */
static bool bench_is_late(const bench *bench) {
    return bench->settings->seconds != 0 && quartic_clock() - bench->started > bench->settings->seconds;
}

/* ---- whole passes ---- */

static void report_pass(const bench *bench, const char *name, double seconds,
                        const quartic_program_memory *memory) {
    double resident = resident_bytes(), workspace = (double)memory->workspace_bytes;
    if (bench->settings->json) {
        tool_json_set(bench->report, name,
                      tool_json_object("seconds", tool_json_real(seconds), "workspace_bytes",
                                       tool_json_count(memory->workspace_bytes), "tensor_bytes",
                                       tool_json_count(memory->own_tensor_bytes), "peak_resident_bytes",
                                       tool_json_real(resident), NULL));
        return;
    }
    char first[TOOL_NUMBER_BYTES], second[TOOL_NUMBER_BYTES], third[TOOL_NUMBER_BYTES];
    printf("%-9s %8.2f ms   workspace %s, tensors %s, the process's peak so far %s\n", name, 1e3 * seconds,
           tool_bytes_text(workspace, first), tool_bytes_text((double)memory->own_tensor_bytes, second),
           tool_bytes_text(resident, third));
    fflush(stdout);
}

static quartic_status time_forward(bench *bench) {
    const uint64_t rows = quartic_model_logit_rows(bench->model, bench->batch, bench->length);
    float *logits =
        tool_alloc(rows * quartic_model_get_config(bench->model)->num_classes, sizeof *logits); // (rows, V)
    quartic_program_memory memory = {0};
    quartic_status status =
        quartic_model_measure(bench->model, bench->batch, bench->length, bench->masked, 0, &memory);
    double least = 1e30;
    for (uint32_t run = 0; run <= bench->settings->repeat && status == QUARTIC_OK; ++run) {
        if (run > 1 && bench_is_late(bench)) break;
        double begin = quartic_clock();
        status = quartic_model_forward_batch(bench->model, &bench->inputs->in, logits);
        double seconds = quartic_clock() - begin;
        if (run > 0 && seconds < least) least = seconds;
    }
    free(logits);
    bench->forward_seconds = least;
    if (status == QUARTIC_OK) report_pass(bench, "forward", least, &memory);
    return status;
}

static quartic_status time_training(bench *bench) {
    quartic_trainer_config config = QUARTIC_TRAINER_CONFIG_INIT;
    config.batch = bench->batch;
    config.length = bench->length;
    config.masked = bench->masked;
    quartic_trainer *trainer = NULL;
    quartic_program_memory memory = {0};
    quartic_status status = quartic_trainer_measure(bench->model, &config, &memory);
    if (status == QUARTIC_OK) status = quartic_trainer_create(bench->model, &config, &trainer);
    quartic_step_report report;
    double least = 1e30;
    for (uint32_t run = 0; run <= bench->settings->repeat && status == QUARTIC_OK; ++run) {
        if (run > 1 && bench_is_late(bench)) break;
        double begin = quartic_clock();
        status = quartic_trainer_step_batch(trainer, &bench->inputs->in, &report);
        double seconds = quartic_clock() - begin;
        if (run > 0 && seconds < least) least = seconds;
    }
    quartic_trainer_destroy(trainer);
    bench->training_seconds = least;
    if (status == QUARTIC_OK) report_pass(bench, "training", least, &memory);
    return status;
}

/* ---- the table ---- */

/* Sums over the steps of one op. */
typedef struct op_row {
    const char *name;
    uint32_t steps;
    double seconds, flops, bytes;
    double estimated; /* seconds by the device's limits; 0: there is no estimate */
} op_row;

static int slowest_first(const void *a, const void *b) {
    double left = ((const op_row *)a)->seconds, right = ((const op_row *)b)->seconds;
    return left > right ? -1 : left < right;
}

/* Adds the program's steps up by op, each with its least time over the runs. */
static quartic_status profile_ops(bench *bench, quartic_program *program, op_row *rows, uint32_t *out_count) {
    uint32_t steps = quartic_program_step_count(program);
    double *least = tool_alloc(steps, sizeof *least);
    quartic_status status = bench_least_seconds(bench, program, least);
    quartic_step_info info;
    *out_count = 0;
    for (uint32_t step = 0; step < steps && status == QUARTIC_OK; ++step) {
        status = quartic_program_step(program, step, &info);
        const size_t row = quartic_find_name(rows, sizeof rows[0], *out_count, info.op);
        if (row == *out_count) rows[(*out_count)++] = (op_row){.name = info.op};
        ++rows[row].steps;
        rows[row].seconds += least[step];
        rows[row].flops += info.flops;
        rows[row].bytes += info.bytes;
    }
    free(least);
    qsort(rows, *out_count, sizeof rows[0], slowest_first);
    return status;
}

/* The least time at the device's peak over the time taken. */
static double peak_share(const bench *bench, const op_row *row) {
    double by_flops = row->flops / bench->peak_flops, by_bytes = row->bytes / bench->peak_bytes;
    return row->seconds > 0 ? (by_flops > by_bytes ? by_flops : by_bytes) / row->seconds : 0;
}

/* Puts estimates beside what was measured. */
static quartic_status estimate_rows_of(const bench *bench, bool with_gradients, op_row *rows,
                                       uint32_t count) {
    enum { MOST_OPS = 128 };
    bench_estimate *ops = tool_alloc(MOST_OPS, sizeof *ops);
    uint32_t ops_count;
    const quartic_status status = bench_estimate_ops(bench, with_gradients, ops, MOST_OPS, &ops_count);
    for (uint32_t row = 0; row < count && status == QUARTIC_OK; ++row)
        for (uint32_t k = 0; k < ops_count; ++k)
            if (strcmp(rows[row].name, ops[k].op) == 0) rows[row].estimated = ops[k].seconds;
    free(ops);
    return status;
}

static void show_rows(const bench *bench, const char *name, const op_row *rows, uint32_t count) {
    op_row total = {.name = "all"};
    json_t *list = tool_json_list();
    for (uint32_t row = 0; row < count; ++row) {
        total.steps += rows[row].steps;
        total.seconds += rows[row].seconds;
        total.flops += rows[row].flops;
        total.bytes += rows[row].bytes;
        total.estimated += rows[row].estimated;
    }
    if (!bench->settings->json)
        printf("\n%-24s %6s %10s %6s %10s %10s %8s%s\n", name, "steps", "ms", "time", "MFLOP", "MB",
               "of peak", total.estimated > 0 ? "  estimate ms" : "");
    for (uint32_t row = 0; row <= count; ++row) {
        const op_row *one = row < count ? &rows[row] : &total;
        if (bench->settings->json)
            tool_json_add(list,
                          tool_json_object(
                              "op", tool_json_text(one->name), "steps", tool_json_count(one->steps),
                              "seconds", tool_json_real(one->seconds), "flops", tool_json_real(one->flops),
                              "bytes", tool_json_real(one->bytes), "share_of_peak",
                              tool_json_real(peak_share(bench, one)), "estimated_seconds",
                              one->estimated > 0 ? tool_json_real(one->estimated) : tool_json_null(), NULL));
        else
            printf("%-24s %6u %10.3f %5.1f%% %10.1f %10.1f %7.1f%%", one->name, one->steps,
                   1e3 * one->seconds, total.seconds > 0 ? 100 * one->seconds / total.seconds : 0,
                   1e-6 * one->flops, 1e-6 * one->bytes, 100 * peak_share(bench, one));
        if (!bench->settings->json && one->estimated > 0) printf(" %12.3f", 1e3 * one->estimated);
        if (!bench->settings->json) printf("\n");
    }
    if (bench->settings->json)
        tool_json_set(bench->report, name, list);
    else
        json_decref(list);
}

/* A whole pass in units of the time that its matrix products take. */
static void show_share_of_products(const bench *bench, bool with_gradients, const op_row *rows,
                                   uint32_t count) {
    const double pass_seconds = with_gradients ? bench->training_seconds : bench->forward_seconds;
    for (uint32_t row = 0; row < count; ++row) {
        if (strcmp(rows[row].name, "matmul") != 0 || rows[row].seconds <= 0) continue;
        const double times = pass_seconds / rows[row].seconds;
        if (bench->settings->json) {
            char key[64];
            snprintf(key, sizeof key, "%s_over_products", with_gradients ? "training" : "forward");
            tool_json_set(bench->report, key, tool_json_real(times));
        } else {
            printf("matrix products alone: %.2f ms; the whole %s takes %.2f times that\n",
                   1e3 * rows[row].seconds, with_gradients ? "training step" : "forward pass", times);
        }
    }
}

/* The host's time for handing the recorded work to the driver. */
static void show_replay(const bench *bench, const char *name, const quartic_program *program) {
    quartic_replay_info info = quartic_program_replay_info(program);
    if (info.dispatches == 0) return;
    double per_thousand = 1e3 * info.host_seconds / info.dispatches;
    if (bench->settings->json) {
        char key[64];
        snprintf(key, sizeof key, "%s_replay", name);
        tool_json_set(bench->report, key,
                      tool_json_object("dispatches", tool_json_count(info.dispatches), "submits",
                                       tool_json_count(info.submits), "host_seconds",
                                       tool_json_real(info.host_seconds), NULL));
        return;
    }
    printf("replay: %u dispatches in %u submits, %.1f us of host time, %.1f us per 1000 dispatches\n",
           info.dispatches, info.submits, 1e6 * info.host_seconds, 1e6 * per_thousand);
}

static quartic_status show_profile(bench *bench, const char *name, bool with_gradients) {
    quartic_program *program = NULL;
    quartic_status status = tool_compile(bench->model, bench->batch, bench->length, bench->masked,
                                         with_gradients, true, &program);
    if (status != QUARTIC_OK) return status;
    op_row *rows = tool_alloc(quartic_program_step_count(program), sizeof *rows);
    uint32_t count;
    status = profile_ops(bench, program, rows, &count);
    if (status == QUARTIC_OK) status = estimate_rows_of(bench, with_gradients, rows, count);
    if (status == QUARTIC_OK) show_rows(bench, name, rows, count);
    if (status == QUARTIC_OK) show_share_of_products(bench, with_gradients, rows, count);
    if (status == QUARTIC_OK) show_replay(bench, name, program);
    free(rows);
    quartic_program_destroy(program);
    return status;
}

/* ---- the command ---- */

static quartic_status show_forward_profile(bench *bench) {
    return show_profile(bench, "forward_ops", false);
}
static quartic_status show_gradient_profile(bench *bench) {
    return show_profile(bench, "gradient_ops", true);
}

/* All measurements in turn; those that come too late are named. */
static quartic_status run_all(bench *bench) {
    static const struct {
        const char *name;
        bool of_training;
        quartic_status (*run)(struct bench *bench);
    } stages[] = {{"forward", false, time_forward},
                  {"training", true, time_training},
                  {"peaks", false, measure_peaks},
                  {"forward_ops", false, show_forward_profile},
                  {"gradient_ops", true, show_gradient_profile}};
    json_t *left_out = tool_json_list();
    quartic_status status = QUARTIC_OK;
    for (size_t k = 0; k < sizeof stages / sizeof stages[0] && status == QUARTIC_OK; ++k) {
        if (stages[k].of_training && bench->settings->forward_only) continue;
        if (bench_is_late(bench)) {
            tool_json_add(left_out, tool_json_text(stages[k].name));
            if (!bench->settings->json) printf("%s: left out, --seconds is over\n", stages[k].name);
        } else {
            status = stages[k].run(bench);
        }
    }
    tool_json_set(bench->report, "left_out", left_out);
    return status;
}

static quartic_status report_start(const bench *bench) {
    quartic_device_info info;
    const quartic_status status = quartic_device_get_info(bench->device, &info);
    if (status != QUARTIC_OK) return status;
    const bench_settings *settings = bench->settings;
    double parameters = (double)quartic_model_parameter_elements(bench->model);
    tool_json_set(bench->report, "device", tool_json_text(info.name));
    tool_json_set(bench->report, "batch", tool_json_count(bench->batch));
    tool_json_set(bench->report, "length", tool_json_count(bench->length));
    tool_json_set(bench->report, "parameters",
                  tool_json_count(quartic_model_parameter_elements(bench->model)));
    char count[TOOL_NUMBER_BYTES];
    if (!settings->json)
        printf("%s parameters, batch %u, length %u%s, on %s; least of %u runs\n",
               tool_count_text(parameters, count), bench->batch, bench->length,
               bench->masked ? ", masked" : "", info.name, settings->repeat);
    return QUARTIC_OK;
}

/* What is timed without a model: `quartic bench edges` and the like. */
typedef struct bench_part {
    const char *name;
    uint32_t longest; /* the standard of --longest */
    quartic_status (*run)(bench *bench);
} bench_part;
static const bench_part bench_parts[] = {
    {"edges", 256, bench_edges}, {"triangle", 512, bench_triangle}, {"products", 2048, bench_products}};

/* Whether a form of edge attention has that name. */
static bool bench_form_exists(const char *name) {
    const char *form;
    for (uint32_t k = QUARTIC_EDGE_ATTENTION_AXIAL; (form = tool_edge_form_name(k)) != NULL; ++k)
        if (k < QUARTIC_EDGE_ATTENTION_NONE && strcmp(form, name) == 0) return true;
    return false;
}

/* The part that an operand names, NULL if it is a model. */
static const bench_part *find_bench_part(const invocation *call) {
    for (size_t k = 0; call->operand_count > 0 && k < sizeof bench_parts / sizeof bench_parts[0]; ++k)
        if (strcmp(call->operands[0], bench_parts[k].name) == 0) return &bench_parts[k];
    return NULL;
}

static int run_bench_part(bench *bench, const bench_part *part) {
    bench_settings settings = *bench->settings;
    if (settings.longest == 0)
        settings.longest = settings.least > part->longest ? settings.least : part->longest;
    bench->settings = &settings;
    bench->report = tool_json_object(NULL, NULL);
    quartic_device_info info;
    quartic_status status = quartic_device_get_info(bench->device, &info);
    if (status == QUARTIC_OK) tool_json_set(bench->report, "device", tool_json_text(info.name));
    if (status == QUARTIC_OK) status = part->run(bench);
    const int code = status == QUARTIC_OK
                         ? EXIT_DONE
                         : tool_fail_library(bench->call->command, "a smaller --longest takes less.");
    if (code == EXIT_DONE && bench->settings->json) tool_print_json(json_incref(bench->report));
    json_decref(bench->report);
    quartic_device_destroy(bench->device);
    return code;
}

static int run_bench(const invocation *call) {
    bench bench = {.call = call, .settings = call->settings, .started = quartic_clock()};
    const bench_part *part = find_bench_part(call);
    if (bench.settings->config != NULL &&
        (call->operand_count == 0 || tool_is_config(call->operands[0]) || part != NULL))
        return tool_fail_usage(call->command,
                               "--config goes with a file of weights; a configuration alone is "
                               "timed by `quartic bench FILE.json`");
    if (bench.settings->form != NULL && !bench_form_exists(bench.settings->form))
        return tool_fail_usage(call->command, "--form: there is no form of edge attention \"%s\"",
                               bench.settings->form);
    bench.device = tool_open_fixed_device(call->command, bench.settings->device, bench.settings->fixed);
    if (bench.device != NULL && part != NULL) return run_bench_part(&bench, part);
    bench.model =
        bench.device == NULL ? NULL : tool_operand_model(call, bench.device, bench.settings->config);
    int code = EXIT_FAILED;
    if (bench.model != NULL) {
        tool_run_shape shape =
            tool_run_shape_of(bench.model, call->operand_count > 0 ? call->operands[0] : NULL);
        bench.batch = bench.settings->batch;
        bench.length = tool_pass_length(bench.model, &shape, bench.settings->length);
        bench.masked = shape.masked;
        bench.inputs = bench_inputs_create(bench.model, bench.batch, bench.length, bench.masked);
        bench.report = tool_json_object(NULL, NULL);
        code = report_start(&bench) == QUARTIC_OK && run_all(&bench) == QUARTIC_OK
                   ? EXIT_DONE
                   : tool_fail_library(call->command, "a smaller --batch or --length takes less.");
        if (code == EXIT_DONE && bench.settings->json) tool_print_json(json_incref(bench.report));
        json_decref(bench.report);
        bench_inputs_destroy(bench.inputs);
    }
    quartic_model_destroy(bench.model);
    quartic_device_destroy(bench.device);
    return code;
}

const command command_bench = {
    .name = "bench",
    .operands = "[MODEL | edges | triangle | products]",
    .summary = "time a model and its ops, the forms of edge attention, or single kernels",
    .details =
        "MODEL is a JSON configuration, a run's folder, a checkpoint or a model file; without it, a model of "
        "vocabulary 256, dim 512, depth 2 and dim_edges 32. Models of graphs get made-up graphs. \"of peak\" "
        "is the time that an op would take at the rate of multiply-adds in registers and of the fastest copy "
        "on "
        "this device, divided by the time that it took.\n"
        "`quartic bench edges` times every form of edge attention by itself, forward and backward, over the "
        "number of nodes, with the share of a large matrix product's rate that it reaches.\n"
        "`quartic bench triangle` times triangle attention (4 heads of 32) and triangle multiplication (128 "
        "channels), `quartic bench products` matrix products.",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .least_operands = 0,
    .most_operands = 1,
    .defaults = &defaults,
    .settings_bytes = sizeof defaults,
    .run = run_bench,
};
