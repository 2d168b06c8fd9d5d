/* train.c: `quartic train DATA`: training on a text or on graphs, with checkpoints, metrics and resumption.
 *
 * From before the first step on, a run's folder contains a whole checkpoint. The checkpoint contains the
 * target number of steps and a hash of the data (in the trainer's position), so that --resume needs only the
 * folder and the data, and goes on bit for bit. Lines of metrics.csv beyond the checkpoint are dropped when
 * resuming: those steps are made again. The folder is locked as long as the run lasts. A checkpoint is
 * replaced only by weights that are finite and, tried on the next batch, give a finite loss and gradient, so
 * that a run that diverges can go on from before. The file is over 600 lines, since options, checks, loop and
 * report share the state of one run; what a run notes for --resume is in resume.c.
 */
#include "tool/files.h"
#include "tool/graphs.h"
#include "tool/models.h"
#include "tool/progress.h"
#include "tool/resume.h"
#include "tool/run_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "quartic/io.h"
#include "quartic/train.h"

enum { STANDARD_STEPS = 1000, STANDARD_BATCH = 8, STANDARD_LENGTH = 64 };

typedef struct train_settings {
    const char *config, *out, *init, *device;
    uint32_t steps, seconds, save_every, resume, constant_rate, fixed, json;
    float until_loss; /* 0: whatever the loss is */
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
     "go on from the folder's checkpoint, with its settings unless given anew; --config and --init must then "
     "be those that the run began with"},
    {"init", "FILE", ARG_TEXT, offsetof(train_settings, init), 0, 0,
     "start from these weights (safetensors) instead of random ones"},
    TOOL_DEVICE_OPTION(train_settings),
    TOOL_FIXED_OPTION(train_settings),
    {"steps", "N", ARG_UINT32, offsetof(train_settings, steps), 1, UINT32_MAX,
     "steps in all, those before --resume included (default 1000); the cosine of the learning rate ends "
     "there "
     "unless --total-steps says where, and stays there when --resume goes on to a later step"},
    {"seconds", "N", ARG_UINT32, offsetof(train_settings, seconds), 1, UINT32_MAX,
     "stop and save after that time, as Ctrl-C would; --resume does not keep it"},
    {"until-loss", "X", ARG_FLOAT, offsetof(train_settings, until_loss), 0, 1e9,
     "stop and save once the mean loss of the last 20 steps of this run is below X; --resume does not keep "
     "it"},
    {"save-every", "N", ARG_UINT32, offsetof(train_settings, save_every), 1, UINT32_MAX,
     "steps between checkpoints"},
    TOOL_SEED_OPTION(train_settings, trainer.seed, "of the first weights, the batches and dropout"),
    {"constant-rate", NULL, ARG_FLAG, offsetof(train_settings, constant_rate), 0, 0,
     "keep the learning rate after the warm-up; without it, it falls as a cosine until the last step"},
    TOOL_JSON_OPTION(train_settings),
    QUARTIC_TRAINER_FIELD_LIST(COUNT_OPTION, FLAG_OPTION, REAL_OPTION)};

/* ---- what a run holds ---- */

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
    run_lock lock;
    run_note note;               /* of the run as it goes on from here */
    quartic_trainer_config was;  /* a resumed run's settings before */
    quartic_model_config config; /* of a new run on graphs, as --config and the data say */
} run_state;

static volatile sig_atomic_t stop_asked;

static void ask_to_stop(int number) {
    (void)number;
    stop_asked = 1;
}

/* Ctrl-C (and being told to end) stops after the step under way; a second one ends the program at once. What
 * was ignored when the program started (nohup, a shell's background job) stays ignored. */
static void catch_signals(void) {
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action = {.sa_handler = ask_to_stop}, before;
    sigemptyset(&action.sa_mask);
    action.sa_flags = (int)SA_RESETHAND | SA_RESTART;
    for (size_t k = 0; k < sizeof numbers / sizeof numbers[0]; ++k)
        if (sigaction(numbers[k], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
            sigaction(numbers[k], &action, NULL);
    signal(SIGPIPE, SIG_IGN); /* a reader of our lines that leaves must not end the training */
}

/* ---- setting up ---- */

/* Settings of the checkpoint, and over them those of the command line. */
static bool resumed_settings(run_state *run) {
    const invocation *call = run->call;
    if (access(run->checkpoint, F_OK) != 0) {
        tool_fail(call->command, "start the run without --resume.",
                  "there is no checkpoint to resume: %s: %s", run->checkpoint, strerror(errno));
        return false;
    }
    train_settings settings = defaults;
    if (!resume_read(call->command, run->checkpoint, &run->was, &run->note)) return false;
    settings.trainer = run->was;
    settings.device = run->note.device;
    if (run->note.save_every != 0) settings.save_every = run->note.save_every;
    const char **operands = tool_alloc((size_t)call->argument_count + 1, sizeof *operands);
    char message[ARGS_MESSAGE_BYTES];
    uint32_t count;
    /* Parsed well before, so it parses well again. */
    args_parse(call->command, call->argument_count, call->arguments, &settings, operands, &count, message);
    free(operands);
    run->settings = settings;
    if (settings.device != NULL && run->note.device != NULL && strcmp(settings.device, run->note.device) != 0)
        tool_note(call->command,
                  "the device is \"%s\"; it was \"%s\", whose numbers may differ within rounding",
                  settings.device, run->note.device);
    if (run->note.save_every != 0 && settings.save_every != run->note.save_every)
        tool_note(call->command, "a checkpoint is saved every %u steps; it was every %u", settings.save_every,
                  run->note.save_every);
    return true;
}

/* Whether an option of whole numbers stands on the command line: what it sets does not depend on the
 * default. */
static bool is_given(const invocation *call, size_t offset) {
    uint32_t got[2];
    for (uint32_t k = 0; k < 2; ++k) {
        train_settings settings = defaults;
        const char **operands = tool_alloc((size_t)call->argument_count + 1, sizeof *operands);
        char message[ARGS_MESSAGE_BYTES];
        uint32_t count;
        memcpy((char *)&settings + offset, &k, sizeof k);
        args_parse(call->command, call->argument_count, call->arguments, &settings, operands, &count,
                   message);
        free(operands);
        memcpy(&got[k], (const char *)&settings + offset, sizeof got[k]);
    }
    return got[0] == got[1];
}

/* The folder, and whether it fits --resume. */
static bool prepare_folder(run_state *run) {
    const command *command = run->call->command;
    const char *folder = run->settings.out;
    if (!tool_join(command, folder, TOOL_CHECKPOINT_NAME, run->checkpoint) ||
        !tool_join(command, folder, TOOL_METRICS_NAME, run->metrics_path))
        return false;
    struct stat facts;
    if (run->settings.resume) /* without a folder there is no checkpoint, and that is the thing to say */
        return (stat(folder, &facts) != 0 || run_lock_take(command, folder, run->checkpoint, &run->lock)) &&
               resumed_settings(run);
    if (!tool_make_folder(command, folder) || !run_lock_take(command, folder, run->checkpoint, &run->lock))
        return false;
    if (access(run->checkpoint, F_OK) != 0) return true;
    tool_fail(command, "add --resume to go on with it, or choose another folder.",
              "%s holds a checkpoint already, which a new run would replace", folder);
    return false;
}

/* The configuration that --config means for this data. */
static bool read_run_config(const run_state *run, quartic_model_config *out_config) {
    const command *command = run->call->command;
    const char *path = run->settings.config;
    *out_config = (quartic_model_config)QUARTIC_MODEL_CONFIG_INIT;
    if (run->graphs != NULL) return tool_graphs_config(command, run->graphs, path, out_config);
    out_config->num_tokens = TOOL_BYTE_TOKENS;
    out_config->causal = 1;
    if (quartic_model_config_read_json_file(out_config, path) == QUARTIC_OK) return true;
    return tool_fail_library(command, "`quartic inspect --keys` lists the keys of a configuration."), false;
}

/* The model of the checkpoint, which must be that of --config and have begun with --init, if they are
 * given. */
static bool open_model(run_state *run) {
    const command *command = run->call->command;
    const train_settings *settings = &run->settings;
    quartic_model_config config;
    if (quartic_model_open(run->device, run->checkpoint, &run->model) != QUARTIC_OK)
        return tool_fail_library(command, NULL), false;
    if (settings->config != NULL) {
        if (!read_run_config(run, &config)) return false;
        if (quartic_model_config_compare(&config, settings->config, quartic_model_get_config(run->model),
                                         "the run's model") != QUARTIC_OK)
            return tool_fail_library(command,
                                     "leave out --config to go on, or start a new run in another folder."),
                   false;
    }
    return settings->init == NULL || resume_compare_weights(command, run->model, &run->note, settings->init);
}

static bool make_run_model(run_state *run) {
    const command *command = run->call->command;
    const train_settings *settings = &run->settings;
    if (settings->resume) return open_model(run);
    quartic_model_config config = run->config; /* read already: a pipe gives its text only once */
    if (run->graphs == NULL && !read_run_config(run, &config)) return false;
    if (quartic_model_create(run->device, &config, &run->model) != QUARTIC_OK ||
        quartic_model_initialise(run->model, settings->trainer.seed) != QUARTIC_OK ||
        (settings->init != NULL && quartic_model_load(run->model, settings->init) != QUARTIC_OK))
        return tool_fail_library(command, NULL), false;
    if (settings->init != NULL) tool_tell_prefix(command, run->model, settings->init);
    if (!resume_hash_weights(command, run->model, &run->note)) return false;
    if (run->graphs == NULL && !config.causal)
        tool_warn(command,
                  "the configuration says causal: false, so the model sees the bytes that it is to predict; "
                  "its loss will say little");
    return true;
}

/* Fills in what was not given. A resumed run keeps its target and its schedule. */
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
    else if (!settings->resume && !is_given(run->call, offsetof(train_settings, trainer.total_steps)))
        trainer->total_steps = settings->steps;
    run->target = settings->steps;
}

/* The text, if it is one: graphs were read before the model was made. */
static bool read_run_data(run_state *run) {
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
    if (!read_run_data(run)) return false;
    quartic_status status = quartic_trainer_create(run->model, &run->settings.trainer, &run->trainer);
    if (status != QUARTIC_OK)
        return tool_fail_library(command, status == QUARTIC_INVALID_ARGUMENT ? NULL : smaller), false;
    uint32_t hash = 0;
    if (run->graphs == NULL)
        hash = tool_text_hash(&run->text);
    else if (tool_graphs_hash(run->graphs, &hash) != QUARTIC_OK)
        return tool_fail_library(command, NULL), false;
    if (run->settings.resume) {
        if (quartic_trainer_load(run->trainer, run->checkpoint) != QUARTIC_OK)
            return tool_fail_library(command,
                                     "leave that option out to go on, or start a new run with --init."),
                   false;
        uint64_t position = quartic_trainer_get_position(run->trainer);
        if (position >> 32 != hash) {
            tool_fail(command, "to teach a model from other data, start a new run with --init.",
                      "%s is not the data that this run began with", run->call->operands[0]);
            return false;
        }
        if (run->target == 0) run->target = position & UINT32_MAX;
        resume_tell(command, &run->was, &run->settings.trainer, quartic_trainer_get_step(run->trainer));
        resume_tell_tuning(command, &run->note, quartic_model_device(run->model),
                           quartic_trainer_get_step(run->trainer));
    }
    quartic_trainer_set_position(run->trainer, (uint64_t)hash << 32 | run->target);
    resume_settle(&run->note, &run->settings.device, run->settings.save_every);
    return true;
}

/* Steps beyond the schedule's end keep its last rate, which may be 0. */
static void tell_schedule(const run_state *run) {
    const quartic_trainer_config *trainer = &run->settings.trainer;
    const uint64_t done = quartic_trainer_get_step(run->trainer);
    if (trainer->total_steps == 0 || run->target <= trainer->total_steps || run->target <= done) return;
    tool_warn(run->call->command,
              "the schedule ends at step %u, so steps %llu to %llu have the learning rate %g; --total-steps "
              "moves its end",
              trainer->total_steps,
              (unsigned long long)(done > trainer->total_steps ? done : trainer->total_steps) + 1,
              (unsigned long long)run->target, (double)trainer->final_learning_rate);
}

/* ---- metrics.csv ---- */

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

/* Opens a pipe or device as metrics.csv and writes its start. It is opened once: a reader would take the end of a
 * first opening for the end of all. Without a reader a pipe is refused, since opening it would wait for one. */
static bool open_metrics_stream(run_state *run, const char *text, size_t bytes) {
    const int descriptor = open(run->metrics_path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    const int flags = descriptor < 0 ? -1 : fcntl(descriptor, F_GETFL);
    if (flags >= 0 && fcntl(descriptor, F_SETFL, flags & ~O_NONBLOCK) == 0)
        run->metrics = fdopen(descriptor, "a");
    if (run->metrics != NULL && fwrite(text, 1, bytes, run->metrics) == bytes && fflush(run->metrics) == 0)
        return true;
    const int reason = errno;
    if (run->metrics == NULL && descriptor >= 0) close(descriptor);
    return tool_fail(run->call->command, NULL, "cannot write %s: %s%s", run->metrics_path,
                     run->metrics != NULL ? "writing failed: " : "",
                     reason == ENXIO ? "it is a pipe that nobody reads; start its reader first"
                                     : strerror(reason)),
           false;
}

/* Opens metrics.csv for appending after the given step. Its start is written as a whole, so that a crash
 * loses none. */
static bool open_metrics(run_state *run, uint64_t done) {
    struct stat facts = {0};
    char *text = NULL;
    size_t bytes = 0;
    const bool exists = stat(run->metrics_path, &facts) == 0;
    const bool there = run->settings.resume && exists && S_ISREG(facts.st_mode);
    FILE *old = there ? fopen(run->metrics_path, "r") : NULL, *start = open_memstream(&text, &bytes);
    bool fine = start != NULL && (!there || old != NULL) && fputs(METRICS_HEAD, start) >= 0;
    if (fine && old != NULL) {
        copy_metrics(old, start, done);
        fine = !ferror(old);
    }
    const int reason = errno;
    if (old != NULL) fclose(old);
    if (start != NULL) fine = fclose(start) == 0 && fine;
    if (!fine) {
        tool_fail(run->call->command, NULL, "cannot read or write %s: %s", run->metrics_path,
                  strerror(reason));
    } else if (exists && (S_ISFIFO(facts.st_mode) || S_ISCHR(facts.st_mode))) {
        fine = open_metrics_stream(run, text, bytes);
    } else if (quartic_file_save(run->metrics_path, text, bytes) != QUARTIC_OK) {
        fine = false;
        tool_fail_library(run->call->command, NULL);
    } else if ((run->metrics = fopen(run->metrics_path, "a")) == NULL) {
        fine = false;
        tool_fail(run->call->command, NULL, "cannot write %s: %s", run->metrics_path, strerror(errno));
    }
    free(text);
    return fine;
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

/* ---- the loop ---- */

static quartic_status print_start(const run_state *run) {
    if (run->settings.json) return QUARTIC_OK;
    const quartic_trainer_config *trainer = quartic_trainer_get_config(run->trainer);
    quartic_device_info info;
    char parameters[TOOL_NUMBER_BYTES], bytes[TOOL_NUMBER_BYTES];
    quartic_program_memory memory;
    quartic_status status = quartic_device_get_info(run->device, &info);
    if (status == QUARTIC_OK) status = quartic_trainer_measure(run->model, trainer, &memory);
    if (status != QUARTIC_OK) return status;
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
        return QUARTIC_OK;
    }
    printf("steps %llu to %llu of %u x %u x %u %s\n",
           (unsigned long long)quartic_trainer_get_step(run->trainer) + 1, (unsigned long long)run->target,
           trainer->accumulation, trainer->batch, trainer->length, run->graphs != NULL ? "nodes" : "bytes");
    fflush(stdout);
    return QUARTIC_OK;
}

static quartic_status make_step(run_state *run, quartic_step_report *out_report) {
    return run->graphs != NULL
               ? quartic_trainer_step_dataset(run->trainer, run->graphs, out_report)
               : quartic_trainer_step_sampled(run->trainer, run->text.tokens, run->text.count, out_report);
}

/* A checkpoint is good if the step after it is possible. No step may be in flight, or its report would be lost. */
static quartic_status save_if_good(run_state *run) {
    quartic_step_report report;
    quartic_trainer_set_trial(run->trainer, 1);
    quartic_status status = make_step(run, &report);
    quartic_trainer_set_trial(run->trainer, 0);
    if (status == QUARTIC_OK) status = resume_write(run->trainer, &run->note);
    return status == QUARTIC_OK ? quartic_trainer_save(run->trainer, run->checkpoint) : status;
}

/* Prints why a step or save failed, and from where the run can go on. saved: the step of the checkpoint. */
static int fail_run(const run_state *run, quartic_status status, bool any_saved, uint64_t saved) {
    char hint[256];
    if (!any_saved)
        snprintf(hint, sizeof hint, "nothing was saved; %s.",
                 status == QUARTIC_DEVICE_LOST ? "start again once the cause is gone"
                                               : "look at the data, the configuration and --init");
    else if (status == QUARTIC_NON_FINITE)
        snprintf(hint, sizeof hint,
                 "the checkpoint of step %llu is kept; go on from it with --resume and a smaller "
                 "--learning-rate.",
                 (unsigned long long)saved);
    else
        snprintf(hint, sizeof hint,
                 "the checkpoint of step %llu is whole; go on from it with --resume once the cause is gone.",
                 (unsigned long long)saved);
    return tool_fail_library(run->call->command, hint);
}

/* Saves. A failure to write during the run is a warning, since the next save may succeed and the last one
 * stands; out of a run that has diverged or has lost its device nothing is saved. False: not saved, and
 * *inout_code says whether the run must end. */
static bool save_checkpoint(run_state *run, bool last, bool any_saved, uint64_t saved, int *inout_code) {
    struct stat before, after;
    const bool there = stat(run->checkpoint, &before) == 0;
    const quartic_status status = save_if_good(run);
    if (status == QUARTIC_OK) return true;
    const bool kept = there && stat(run->checkpoint, &after) == 0 && before.st_dev == after.st_dev &&
                      before.st_ino == after.st_ino;
    if (status == QUARTIC_NON_FINITE || status == QUARTIC_DEVICE_LOST)
        *inout_code = fail_run(run, status, any_saved, saved);
    else if (last)
        *inout_code = tool_fail_library(run->call->command,
                                        kept ? "the checkpoint before it is still there, whole." : NULL);
    else
        tool_warn(run->call->command, "%s; training goes on from memory", tool_library_message());
    return false;
}

/* Whether the loss is as low as was asked for. */
static bool reached_loss(const run_state *run, const progress *progress) {
    return run->settings.until_loss > 0 && progress->known == PROGRESS_WINDOW &&
           progress_loss(progress) < (double)run->settings.until_loss;
}

/* The loop over the steps. The device works on one step while the host submits the next, so a step's loss may be
 * known one step later. */
typedef struct train_loop {
    run_state *run;
    progress *progress;
    double tokens;     /* of a step */
    double begin;      /* when the last report came */
    uint64_t reported; /* the last step whose report was noted */
    uint64_t saved;    /* that of the checkpoint */
    bool unsound;      /* what is in memory is no better than the last checkpoint, or cannot be read */
    int code;          /* the exit code */
} train_loop;

/* Notes the report that came last, if it is new. */
static void note_report(train_loop *loop) {
    const quartic_step_report report = quartic_trainer_get_report(loop->run->trainer);
    if (report.step <= loop->reported) return;
    const double now = quartic_clock();
    loop->reported = report.step;
    add_metrics(loop->run, &report, loop->tokens / (now - loop->begin));
    progress_step(loop->progress, &report, now - loop->begin);
    loop->begin = now;
}

/* Notes what a step, or waiting for the last one, came to. False: the loop must end, as is printed once. */
static bool note_steps(train_loop *loop, quartic_status status) {
    if (status == QUARTIC_OK) {
        note_report(loop);
        return true;
    }
    if (loop->code != EXIT_DONE) return false;
    progress_clear(loop->progress);
    loop->code = fail_run(loop->run, status, true, loop->saved);
    loop->unsound = status == QUARTIC_NON_FINITE || status == QUARTIC_DEVICE_LOST;
    return false;
}

/* Waits for the step in flight and saves, unless the checkpoint is of this step already. */
static void save_steps(train_loop *loop, bool last) {
    if (!note_steps(loop, quartic_trainer_wait(loop->run->trainer, NULL))) return;
    const uint64_t step = quartic_trainer_get_step(loop->run->trainer);
    if (last) progress_clear(loop->progress);
    if (loop->saved != step && save_checkpoint(loop->run, last, true, loop->saved, &loop->code))
        loop->saved = step;
    if (!last) loop->unsound = loop->code != EXIT_DONE;
    loop->begin = quartic_clock();
}

/* The steps. Returns the exit code. */
static int train_steps(run_state *run, progress *progress) {
    const quartic_trainer_config *trainer = quartic_trainer_get_config(run->trainer);
    const uint64_t done = quartic_trainer_get_step(run->trainer);
    const double start = quartic_clock();
    train_loop loop = {.run = run,
                       .progress = progress,
                       .tokens = (double)trainer->accumulation * trainer->batch * trainer->length,
                       .begin = start,
                       .reported = done,
                       .saved = done,
                       .code = EXIT_DONE};
    const double limit = run->settings.seconds == 0 ? 1e30 : (double)run->settings.seconds;
    uint64_t step = done;
    bool going = true;
    while (going && step < run->target && !stop_asked && loop.begin - start < limit &&
           !reached_loss(run, progress)) {
        quartic_step_report report; /* only --until-loss must know a loss before the next step */
        going = note_steps(&loop, make_step(run, run->settings.until_loss > 0 ? &report : NULL));
        step = quartic_trainer_get_step(run->trainer);
        if (going && step % run->settings.save_every == 0 && step < run->target) {
            save_steps(&loop, false);
            going = !loop.unsound;
        }
    }
    progress_clear(progress);
    /* What a diverged run has in memory is no better than its last checkpoint. */
    if (!loop.unsound) save_steps(&loop, true);
    return loop.code;
}

static int report_end(const run_state *run, const progress *progress, int code) {
    unsigned long long step = quartic_trainer_get_step(run->trainer);
    const bool graphs = run->graphs != NULL;
    const double entropy = graphs ? 0 : tool_unigram_entropy(&run->text);
    if (run->settings.json) {
        tool_print_json(tool_json_object(
            "step", tool_json_count(step), "finished", tool_json_flag(step >= run->target), "reached_loss",
            run->settings.until_loss > 0 ? tool_json_flag(reached_loss(run, progress)) : tool_json_null(),
            "loss", tool_json_real(progress_loss(progress)), "unigram_entropy",
            tool_json_real(graphs ? (double)NAN : entropy), "tokens_per_second",
            tool_json_real(progress_speed(progress)), "checkpoint", tool_json_text(run->checkpoint), NULL));
        return code;
    }
    const bool known = !isnan(progress_loss(progress));
    if (known && graphs)
        printf("loss %.3f nats per target (mean of the last %u steps)\n", progress_loss(progress),
               progress->known);
    else if (known)
        printf("loss %.3f nats per byte (mean of the last %u steps); unigram entropy %.3f\n",
               progress_loss(progress), progress->known, entropy);
    if (run->settings.until_loss > 0)
        printf("the loss is %s %g\n", reached_loss(run, progress) ? "below" : "not yet below",
               (double)run->settings.until_loss);
    if (code == EXIT_DONE)
        printf("%s step %llu, saved in %s\n", step >= run->target ? "finished at" : "stopped after", step,
               run->checkpoint);
    return code;
}

/* Whether a resumed run can save what it is going to do; a new one saves before its first step. */
static bool can_save(const run_state *run, uint64_t done) {
    if (!run->settings.resume || done >= run->target || access(run->checkpoint, W_OK) == 0) return true;
    tool_fail(run->call->command, "make it writable, or go on with a copy of the folder.",
              "%s could not be replaced by what this run does: %s", run->checkpoint, strerror(errno));
    return false;
}

static int train_run(run_state *run) {
    uint64_t done = quartic_trainer_get_step(run->trainer);
    catch_signals();
    int code = EXIT_DONE;
    if (!run->settings.resume && !save_checkpoint(run, true, false, 0, &code)) return code;
    if (!can_save(run, done) || !open_metrics(run, done)) return EXIT_FAILED;
    tell_schedule(run);
    if (print_start(run) != QUARTIC_OK)
        return tool_fail_library(run->call->command, "go on with --resume once the cause is gone.");
    const quartic_trainer_config *trainer = quartic_trainer_get_config(run->trainer);
    progress progress;
    progress_begin(&progress, done, run->target,
                   (double)trainer->accumulation * trainer->batch * trainer->length,
                   (double)run->settings.seconds, run->settings.json != 0);
    code = train_steps(run, &progress);
    return report_end(run, &progress, code);
}

static int run_train(const invocation *call) {
    const train_settings *settings = call->settings;
    if (settings->out == NULL) return tool_fail_usage(call->command, "--out FOLDER is missing");
    if (settings->config == NULL && !settings->resume)
        return tool_fail_usage(call->command, "--config FILE is missing");
    if (settings->constant_rate && (is_given(call, offsetof(train_settings, trainer.total_steps)) ||
                                    is_given(call, offsetof(train_settings, trainer.final_learning_rate))))
        return tool_fail_usage(call->command,
                               "--constant-rate contradicts --total-steps and --final-learning-rate, which "
                               "say where and at which rate the cosine ends");
    run_state *run = tool_alloc(1, sizeof *run);
    run->call = call;
    run->lock = (run_lock)RUN_LOCK_INIT;
    run->settings = *settings;
    int code = EXIT_FAILED;
    const bool graphs = tool_is_graphs(call->operands[0]);
    if (graphs) run->graphs = tool_open_graphs(call->command, call->operands[0]);
    /* Before the folder is touched. */
    const bool fits = !graphs || (run->graphs != NULL &&
                                  tool_graphs_fit(call->command, run->graphs, settings->trainer.length) &&
                                  (settings->resume || tool_graphs_config(call->command, run->graphs,
                                                                          settings->config, &run->config)));
    if (fits && prepare_folder(run) &&
        (run->device = tool_open_fixed_device(call->command, run->settings.device, run->settings.fixed)) !=
            NULL &&
        make_run_model(run)) {
        settle_steps(run);
        if (make_trainer(run)) code = train_run(run);
    }
    if (run->metrics != NULL) fclose(run->metrics);
    quartic_trainer_destroy(run->trainer);
    quartic_model_destroy(run->model);
    quartic_device_destroy(run->device);
    quartic_dataset_close(run->graphs);
    tool_free_text(&run->text);
    resume_forget(&run->note);
    run_lock_release(&run->lock);
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
        "FOLDER/metrics.csv. "
        "Ctrl-C stops after the current step and saves. --resume goes on bit for bit as if there had been no "
        "break, and keeps every setting that is not given anew; the folder is locked as long as a run lasts. "
        "A "
        "checkpoint is replaced only by numbers from which a step is possible. Batches are 8 windows of 64 "
        "bytes, "
        "or 8 graphs, unless given.",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .least_operands = 1,
    .most_operands = 1,
    .defaults = &defaults,
    .settings_bytes = sizeof defaults,
    .run = run_train,
};
