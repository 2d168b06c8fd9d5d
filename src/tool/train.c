/* train.c: `quartic train DATA`: training on a text or on graphs, with checkpoints, metrics and resumption.
 *
 * A run's folder always holds a whole checkpoint from before the first step on. The checkpoint carries the
 * target number of steps and a mark of the data (in the trainer's position), so that --resume needs nothing
 * but the folder and the data, and goes on bit for bit. Lines of metrics.csv beyond the checkpoint are
 * dropped when resuming: those steps are made again.
 */
#include "tool/files.h"
#include "tool/graphs.h"
#include "tool/models.h"
#include "tool/progress.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "quartic/train.h"

enum { STANDARD_STEPS = 1000, STANDARD_BATCH = 8, STANDARD_LENGTH = 64 };

typedef struct train_settings {
    const char *config, *out, *init, *device;
    uint32_t steps, seconds, save_every, resume, constant_rate, json;
    quartic_trainer_config trainer;
} train_settings;

static const train_settings defaults = {.save_every = 100, .trainer = QUARTIC_TRAINER_CONFIG_INIT};

#define COUNT_OPTION(name, standard, least, most, meaning)                                                   \
    {#name, "N", ARG_UINT32, offsetof(train_settings, trainer.name), least, most, meaning},
#define FLAG_OPTION(name, standard, meaning) /* masks: the data says whether there is padding */
#define REAL_OPTION(name, standard, least, most, meaning)                                                    \
    {#name, "X", ARG_FLOAT, offsetof(train_settings, trainer.name), (double)least, (double)most, meaning},

static const arg_option options[] = {
    {"config", "FILE", ARG_TEXT, offsetof(train_settings, config), 0, 0,
     "the model's configuration, a JSON object; for a text num_tokens is 256 and causal true unless it says "
     "otherwise, for graphs what follows from the data is filled in"},
    {"out", "FOLDER", ARG_TEXT, offsetof(train_settings, out), 0, 0,
     "where checkpoint.safetensors and metrics.csv go; made if missing"},
    {"resume", NULL, ARG_FLAG, offsetof(train_settings, resume), 0, 0,
     "go on from the folder's checkpoint, with its settings unless given anew"},
    {"init", "FILE", ARG_TEXT, offsetof(train_settings, init), 0, 0,
     "start from these weights (safetensors) instead of random ones"},
    TOOL_DEVICE_OPTION(train_settings),
    {"steps", "N", ARG_UINT32, offsetof(train_settings, steps), 1, UINT32_MAX,
     "steps in all, those before --resume included (default 1000)"},
    {"seconds", "N", ARG_UINT32, offsetof(train_settings, seconds), 1, UINT32_MAX,
     "stop and save after that time, as Ctrl-C would"},
    {"save-every", "N", ARG_UINT32, offsetof(train_settings, save_every), 1, UINT32_MAX,
     "steps between checkpoints"},
    TOOL_SEED_OPTION(train_settings, trainer.seed, "of the first weights, the batches and dropout"),
    {"constant-rate", NULL, ARG_FLAG, offsetof(train_settings, constant_rate), 0, 0,
     "keep the learning rate after the warm-up; without it, it falls as a cosine until the last step"},
    TOOL_JSON_OPTION(train_settings),
    QUARTIC_TRAINER_FIELD_LIST(COUNT_OPTION, FLAG_OPTION, REAL_OPTION)};

/* ---- what a run holds -------------------------------------------------------------------------------------
 */

typedef struct run_state {
    const invocation *call;
    train_settings settings;
    char checkpoint[TOOL_PATH_BYTES], metrics_path[TOOL_PATH_BYTES];
    quartic_device *device;
    quartic_model *model;
    quartic_trainer *trainer;
    tool_text text;
    quartic_dataset *graphs; /* NULL: a text */
    FILE *metrics;
    uint64_t target; /* the last step */
} run_state;

static volatile sig_atomic_t stop_asked;

static void ask_to_stop(int number) {
    (void)number;
    stop_asked = 1;
}

/* Ctrl-C (and being told to end) stops after the step under way; a second one ends the program at once. */
static void catch_signals(void) {
    struct sigaction action = {.sa_handler = ask_to_stop};
    sigemptyset(&action.sa_mask);
    action.sa_flags = (int)SA_RESETHAND | SA_RESTART;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    signal(SIGPIPE, SIG_IGN); /* a reader of our lines that leaves must not end the training */
}

/* ---- setting up -------------------------------------------------------------------------------------------
 */

/* Settings of the checkpoint, and over them those of the command line. */
static bool resumed_settings(run_state *run) {
    const invocation *call = run->call;
    if (access(run->checkpoint, F_OK) != 0) {
        tool_fail(call->command, "start the run without --resume.",
                  "there is no checkpoint to resume: %s: %s", run->checkpoint, strerror(errno));
        return false;
    }
    train_settings settings = defaults;
    if (quartic_trainer_config_read(run->checkpoint, &settings.trainer) != QUARTIC_OK)
        return tool_fail_library(call->command, NULL), false;
    const char **operands = tool_alloc((size_t)call->argument_count + 1, sizeof *operands);
    char sentence[ARGS_SENTENCE_BYTES];
    uint32_t count;
    /* Parsed well before, so it parses well again. */
    args_parse(call->command, call->argument_count, call->arguments, &settings, operands, &count, sentence);
    free(operands);
    run->settings = settings;
    return true;
}

/* The folder, and whether it fits --resume. */
static bool prepare_folder(run_state *run) {
    const command *command = run->call->command;
    const char *folder = run->settings.out;
    if (!tool_join(command, folder, TOOL_CHECKPOINT_NAME, run->checkpoint) ||
        !tool_join(command, folder, TOOL_METRICS_NAME, run->metrics_path))
        return false;
    if (run->settings.resume) return resumed_settings(run);
    if (!tool_make_folder(command, folder)) return false;
    if (access(run->checkpoint, F_OK) != 0) return true;
    tool_fail(command, "add --resume to go on with it, or choose another folder.",
              "%s holds a checkpoint already, which a new run would replace", folder);
    return false;
}

static bool make_model(run_state *run) {
    const command *command = run->call->command;
    const train_settings *settings = &run->settings;
    if (settings->resume) {
        if (quartic_model_open(run->device, run->checkpoint, &run->model) == QUARTIC_OK) return true;
        return tool_fail_library(command, NULL), false;
    }
    quartic_model_config config = QUARTIC_MODEL_CONFIG_INIT;
    config.num_tokens = TOOL_BYTE_TOKENS;
    config.causal = 1;
    if (run->graphs != NULL) {
        if (!tool_graphs_config(command, run->graphs, settings->config, &config)) return false;
    } else if (quartic_model_config_read_json_file(&config, settings->config) != QUARTIC_OK) {
        return tool_fail_library(command, "`quartic inspect --keys` lists the keys of a configuration."),
               false;
    }
    if (quartic_model_create(run->device, &config, &run->model) != QUARTIC_OK ||
        quartic_model_initialise(run->model, settings->trainer.seed) != QUARTIC_OK ||
        (settings->init != NULL && quartic_model_load(run->model, settings->init) != QUARTIC_OK))
        return tool_fail_library(command, NULL), false;
    if (run->graphs == NULL && !config.causal)
        tool_warn(command,
                  "the configuration says causal: false, so the model sees the bytes that it is to predict; "
                  "its loss will say little");
    return true;
}

/* Fills in what was not given. A resumed run keeps its target and moves its schedule only with a new one. */
static void settle_steps(run_state *run) {
    train_settings *settings = &run->settings;
    quartic_trainer_config *trainer = &settings->trainer;
    if (trainer->batch == 0) trainer->batch = STANDARD_BATCH;
    uint32_t longest = quartic_model_get_config(run->model)->max_seq_len;
    if (run->graphs != NULL) {
        const quartic_dataset_info *info = quartic_dataset_get_info(run->graphs);
        trainer->masked = info->masked;
        if (trainer->length == 0) trainer->length = info->length;
    }
    if (trainer->length == 0) trainer->length = longest < STANDARD_LENGTH ? longest : STANDARD_LENGTH;
    if (!settings->resume && settings->steps == 0) settings->steps = STANDARD_STEPS;
    if (settings->constant_rate)
        trainer->total_steps = 0;
    else if (settings->steps != 0 && !settings->resume && trainer->total_steps == 0)
        trainer->total_steps = settings->steps;
    else if (settings->steps != 0 && settings->resume && trainer->total_steps != 0)
        trainer->total_steps = settings->steps;
    run->target = settings->steps;
}

/* The text, if it is one: graphs were read before the model was made. */
static bool read_text(run_state *run) {
    const command *command = run->call->command;
    if (run->graphs != NULL) {
        /* A new model was made to fit; one that goes on must fit, too. */
        if (quartic_dataset_check(run->graphs, quartic_model_get_config(run->model)) == QUARTIC_OK)
            return true;
        return tool_fail_library(command, NULL), false;
    }
    uint64_t window = (uint64_t)run->settings.trainer.length + 1;
    return tool_expect_text_model(command, run->model) &&
           tool_read_text(command, run->call->operands[0], quartic_model_get_config(run->model)->num_tokens,
                          window, &run->text);
}

static bool make_trainer(run_state *run) {
    const command *command = run->call->command;
    const char *smaller = "a smaller --batch or --length (with a larger --accumulation) takes less memory.";
    if (!read_text(run)) return false;
    quartic_status status = quartic_trainer_create(run->model, &run->settings.trainer, &run->trainer);
    if (status != QUARTIC_OK)
        return tool_fail_library(command, status == QUARTIC_INVALID_ARGUMENT ? NULL : smaller), false;
    uint32_t mark = run->graphs != NULL ? tool_graphs_mark(run->graphs) : tool_text_mark(&run->text);
    if (run->settings.resume) {
        if (quartic_trainer_load(run->trainer, run->checkpoint) != QUARTIC_OK)
            return tool_fail_library(command, NULL), false;
        uint64_t position = quartic_trainer_get_position(run->trainer);
        if (position >> 32 != mark) {
            tool_fail(command, "to teach a model from other data, start a new run with --init.",
                      "%s is not the data that this run began with", run->call->operands[0]);
            return false;
        }
        if (run->target == 0) run->target = position & UINT32_MAX;
    }
    quartic_trainer_set_position(run->trainer, (uint64_t)mark << 32 | run->target);
    return true;
}

/* ---- metrics.csv ------------------------------------------------------------------------------------------
 */

#define METRICS_HEAD "step,loss,gradient_norm,learning_rate,tokens_per_second\n"

/* Copies the head and the whole lines of steps up to last. */
static void copy_metrics(FILE *from, FILE *to, uint64_t last) {
    char line[512];
    while (fgets(line, sizeof line, from) != NULL) {
        char *end;
        unsigned long long step = strtoull(line, &end, 10);
        if (end != line && *end == ',' && step <= last && strchr(line, '\n') != NULL) fputs(line, to);
    }
}

/* Opens metrics.csv for appending after the given step; through a second file, so that a crash loses none. */
static bool open_metrics(run_state *run, uint64_t done) {
    char aside[TOOL_PATH_BYTES + 8];
    snprintf(aside, sizeof aside, "%s.tmp", run->metrics_path);
    FILE *old = run->settings.resume ? fopen(run->metrics_path, "r") : NULL;
    run->metrics = fopen(aside, "w");
    bool fine = run->metrics != NULL && fputs(METRICS_HEAD, run->metrics) >= 0;
    if (fine && old != NULL) copy_metrics(old, run->metrics, done);
    if (old != NULL) fclose(old);
    fine = fine && fflush(run->metrics) == 0 && rename(aside, run->metrics_path) == 0;
    if (fine) return true;
    tool_fail(run->call->command, NULL, "cannot write %s: %s", run->metrics_path, strerror(errno));
    if (run->metrics != NULL) remove(aside);
    return false;
}

static void add_metrics(run_state *run, const quartic_step_report *report, double tokens_per_second) {
    if (run->metrics == NULL) return;
    if (fprintf(run->metrics, "%llu,%.9g,%.9g,%.9g,%.1f\n", (unsigned long long)report->step,
                (double)report->loss, (double)report->gradient_norm, (double)report->learning_rate,
                tokens_per_second) >= 0 &&
        fflush(run->metrics) == 0)
        return;
    tool_warn(run->call->command, "cannot write %s (%s); training goes on without it", run->metrics_path,
              strerror(errno));
    fclose(run->metrics);
    run->metrics = NULL;
}

/* ---- the loop ---------------------------------------------------------------------------------------------
 */

static void print_start(const run_state *run) {
    if (run->settings.json) return;
    const quartic_trainer_config *trainer = quartic_trainer_get_config(run->trainer);
    quartic_device_info info;
    char parameters[TOOL_NUMBER_BYTES], bytes[TOOL_NUMBER_BYTES];
    quartic_device_get_info(run->device, &info);
    quartic_program_memory memory = {0};
    (void)quartic_trainer_measure(run->model, trainer, &memory);
    printf("%s parameters on %s, %s beside the weights\n",
           tool_count_text((double)quartic_model_parameter_elements(run->model), parameters), info.name,
           tool_bytes_text((double)(memory.workspace_bytes + memory.own_tensor_bytes), bytes));
    char graphs[TOOL_GRAPHS_TEXT];
    if (run->graphs != NULL)
        printf("%s\n", tool_graphs_text(run->graphs, graphs));
    else
        printf("%llu bytes of text, unigram entropy %.3f nats per byte\n",
               (unsigned long long)run->text.count, tool_unigram_entropy(&run->text));
    if (quartic_trainer_get_step(run->trainer) >= run->target) {
        printf("all %llu steps are done already; a larger --steps goes on\n",
               (unsigned long long)run->target);
        return;
    }
    printf("steps %llu to %llu of %u x %u x %u %s\n",
           (unsigned long long)quartic_trainer_get_step(run->trainer) + 1, (unsigned long long)run->target,
           trainer->accumulation, trainer->batch, trainer->length, run->graphs != NULL ? "nodes" : "bytes");
    fflush(stdout);
}

/* Saves; a failure during the run is a warning, since the next save may succeed and the last one stands. */
static bool save(run_state *run, bool last) {
    if (quartic_trainer_save(run->trainer, run->checkpoint) == QUARTIC_OK) return true;
    if (last)
        tool_fail_library(run->call->command, "the checkpoint before it is still there, whole.");
    else
        tool_warn(run->call->command, "%s; training goes on from memory", tool_sentence());
    return false;
}

/* The steps. The exit code; *out_loss is the mean of the last steps' losses. */
static int train_steps(run_state *run, progress *progress) {
    const command *command = run->call->command;
    const quartic_trainer_config *trainer = quartic_trainer_get_config(run->trainer);
    double tokens = (double)trainer->accumulation * trainer->batch * trainer->length;
    int code = EXIT_DONE;
    uint64_t saved = quartic_trainer_get_step(run->trainer), step = saved;
    double start = tool_clock(), begin = start;
    double limit = run->settings.seconds == 0 ? 1e30 : (double)run->settings.seconds;
    while (step < run->target && !stop_asked && begin - start < limit) {
        quartic_step_report report;
        quartic_status status =
            run->graphs != NULL
                ? quartic_trainer_step_dataset(run->trainer, run->graphs, &report)
                : quartic_trainer_step_sampled(run->trainer, run->text.tokens, run->text.count, &report);
        if (status != QUARTIC_OK) {
            progress_clear(progress);
            code = tool_fail_library(command, status == QUARTIC_NON_FINITE
                                                  ? "go on with --resume and a smaller --learning-rate."
                                                  : "go on with --resume once the cause is gone.");
            break;
        }
        step = report.step;
        add_metrics(run, &report, tokens / (tool_clock() - begin));
        progress_step(progress, &report, tool_clock() - begin);
        if (step % run->settings.save_every == 0 && step < run->target && save(run, false)) saved = step;
        begin = tool_clock();
    }
    progress_clear(progress);
    if (saved != step && !save(run, true)) code = EXIT_FAILED;
    return code;
}

static int report_end(const run_state *run, const progress *progress, int code) {
    unsigned long long step = quartic_trainer_get_step(run->trainer);
    const bool graphs = run->graphs != NULL;
    const double entropy = graphs ? 0 : tool_unigram_entropy(&run->text);
    if (run->settings.json) {
        tool_print_json(json_pack(
            "{s:I, s:b, s:o, s:o, s:f, s:s}", "step", (json_int_t)step, "finished", step >= run->target,
            "loss", progress->known > 0 ? json_real(progress_loss(progress)) : json_null(), "unigram_entropy",
            graphs ? json_null() : json_real(entropy), "tokens_per_second", progress_speed(progress),
            "checkpoint", run->checkpoint));
        return code;
    }
    if (progress->known > 0 && graphs)
        printf("loss %.3f nats per target (mean of the last %u steps)\n", progress_loss(progress),
               progress->known);
    else if (progress->known > 0)
        printf("loss %.3f nats per byte (mean of the last %u steps); unigram entropy %.3f\n",
               progress_loss(progress), progress->known, entropy);
    if (code == EXIT_DONE)
        printf("%s step %llu, saved in %s\n", step >= run->target ? "finished at" : "stopped after", step,
               run->checkpoint);
    return code;
}

static int train(run_state *run) {
    uint64_t done = quartic_trainer_get_step(run->trainer);
    catch_signals();
    if (!run->settings.resume && !save(run, true)) return EXIT_FAILED;
    if (!open_metrics(run, done)) return EXIT_FAILED;
    print_start(run);
    const quartic_trainer_config *trainer = quartic_trainer_get_config(run->trainer);
    progress progress;
    progress_begin(&progress, done, run->target,
                   (double)trainer->accumulation * trainer->batch * trainer->length,
                   (double)run->settings.seconds, run->settings.json != 0);
    int code = train_steps(run, &progress);
    return report_end(run, &progress, code);
}

static int run(const invocation *call) {
    const train_settings *settings = call->settings;
    if (settings->out == NULL) return tool_fail_usage(call->command, "--out FOLDER is missing");
    if (settings->config == NULL && !settings->resume)
        return tool_fail_usage(call->command, "--config FILE is missing");
    run_state *run = tool_alloc(1, sizeof *run);
    run->call = call;
    run->settings = *settings;
    int code = EXIT_FAILED;
    const bool graphs = tool_is_graphs(call->operands[0]);
    if (graphs) run->graphs = tool_open_graphs(call->command, call->operands[0]);
    if ((!graphs || run->graphs != NULL) && prepare_folder(run) &&
        (run->device = tool_open_device(call->command, run->settings.device)) != NULL && make_model(run)) {
        settle_steps(run);
        if (make_trainer(run)) code = train(run);
    }
    if (run->metrics != NULL) fclose(run->metrics);
    quartic_trainer_destroy(run->trainer);
    quartic_model_destroy(run->model);
    quartic_device_destroy(run->device);
    quartic_dataset_close(run->graphs);
    tool_free_text(&run->text);
    free(run);
    return code;
}

const command command_train = {
    .name = "train",
    .operands = "DATA",
    .summary = "train a model on a text, byte by byte, or on graphs",
    .details =
        "DATA is a text (any file; the model learns to predict the next byte), or graphs with targets: a "
        "file named *.safetensors, laid out as docs/data.md says. Shows loss (nats per byte or target), "
        "speed "
        "and remaining time; writes FOLDER/checkpoint.safetensors, each time as a whole, and "
        "FOLDER/metrics.csv. Ctrl-C stops after the current step and saves. --resume goes on "
        "bit for bit as if there had been no break. Batches are 8 windows of 64 bytes, or 8 graphs, unless "
        "given.",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .least_operands = 1,
    .most_operands = 1,
    .defaults = &defaults,
    .settings_bytes = sizeof defaults,
    .run = run,
};
