/* experiment_contest.c: the contestants and their training. See experiment_contest.h. */
#include "tool/experiment_contest.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tool/experiment_batch.h"
#include "tool/models.h"

enum {
    WIDTH = 16, /* of the forms' nodes and edges */
    DEPTH = 2,  /* of the forms */
    HEADS = 4,
    DIM_HEAD = 8,
    MOST_WIDTH = 512,
    WIDTH_STEP = 4,
    BASELINE_STEPS = 4, /* times the forms' */
    TEST_STREAM = 0x7fffffff,
    CLASSES = 2
};
static const float rate_factors[CONTEST_MOST_RATES] = {1, 1.0f / 3, 3}; /* the forms get the first */
static const double finished = 0.9995;

/* ---- the contestants ---- */

const char *contest_form(uint32_t index) {
    const char *name;
    for (uint32_t form = 0; (name = tool_edge_form_name(form)) != NULL; ++form) {
        if (form == QUARTIC_EDGE_ATTENTION_NONE || form == QUARTIC_EDGE_ATTENTION_DEFAULT) continue;
        if (index-- == 0) return name;
    }
    return NULL;
}

enum { STATIC, NONE, RELATIONAL, ABLATED, KINDS };
static const char *const kinds[KINDS] = {"static", "none", "relational", "ablated"};

const char *contest_baseline(uint32_t index) {
    return index < KINDS ? kinds[index] : NULL;
}

static const char *const encoding_names[CONTEST_ENCODINGS] = {"",      "ids",       "rows",
                                                              "walks", "laplacian", "distances"};

const char *contest_encoding_name(contest_encoding encoding) {
    return encoding_names[encoding];
}

bool contest_read_encodings(const char *text, uint32_t *out_bits) {
    *out_bits = 0;
    while (*text != 0) {
        const size_t bytes = strcspn(text, ",");
        uint32_t found = CONTEST_ENCODINGS;
        for (uint32_t k = CONTEST_IDENTIFIERS; k < CONTEST_ENCODINGS; ++k)
            if (strlen(encoding_names[k]) == bytes && strncmp(encoding_names[k], text, bytes) == 0) found = k;
        if (found == CONTEST_ENCODINGS) return false;
        *out_bits |= 1u << found;
        text += bytes;
        if (*text == ',' && *++text == 0) return false;
    }
    return true;
}

bool contest_config(const contest *contest, const char *form, contest_encoding encoding, uint32_t width,
                    uint32_t depth, quartic_model_config *out_config) {
    const command *command = contest->command;
    const experiment_task *task = contest->task;
    const bool ablated = strcmp(form, kinds[ABLATED]) == 0,
               fixed = ablated || strcmp(form, kinds[STATIC]) == 0;
    const bool baseline = fixed || strcmp(form, kinds[NONE]) == 0;
    /* In the quartic model equal nodes send equal values and stay equal, whatever their edges: where the
     * nodes are read out, the forms are layers of the relational model, whose values hold edges. */
    const bool relational =
        strcmp(form, kinds[RELATIONAL]) == 0 || (task->readout != QUARTIC_READOUT_EDGE && !baseline);
    quartic_model_config config = QUARTIC_MODEL_CONFIG_INIT;
    config.model = relational ? QUARTIC_MODEL_RELATIONAL : QUARTIC_MODEL_QUARTIC;
    config.num_edge_types = ablated ? 0 : task->edge_types;
    contest_batch_configure(task, encoding, &config);
    config.dim = config.dim_edges = width;
    config.depth = depth;
    config.heads = config.linear_heads = config.edge_heads =
        contest->settings.heads > 0 ? contest->settings.heads : HEADS;
    config.dim_head = config.linear_dim_head = config.edge_dim_head =
        width >= WIDTH / DIM_HEAD ? width * DIM_HEAD / WIDTH : 1;
    config.ff_mult = 2;
    config.max_seq_len = task->n;
    config.num_residual_streams = 1;
    config.positions = 0;
    config.readout = task->readout;
    config.num_classes = CLASSES;
    config.static_edges = fixed;
    char text[128];
    snprintf(text, sizeof text, "{\"edge_attention\": \"%s\"}",
             strcmp(form, kinds[RELATIONAL]) == 0 || fixed ? "none" : form);
    if (quartic_model_config_read_json(&config, text) != QUARTIC_OK)
        return tool_fail_library(command, NULL), false;
    *out_config = config;
    return true;
}

static bool count_parameters(const contest *contest, const quartic_model_config *config,
                             uint64_t *out_count) {
    quartic_model *model = NULL;
    if (quartic_model_create(contest->device, config, &model) != QUARTIC_OK)
        return tool_fail_library(contest->command, NULL), false;
    *out_count = quartic_model_parameter_elements(model);
    quartic_model_destroy(model);
    return true;
}

static contestant *add_contestant(contest *contest, const char *form, bool baseline,
                                  contest_encoding encoding, uint32_t depth, uint32_t size) {
    if (contest->contestant_count == CONTEST_MOST) return NULL;
    contestant *who = &contest->contestants[contest->contestant_count];
    *who = (contestant){.form = form,
                        .baseline = baseline,
                        .encoding = encoding,
                        .depth = depth,
                        .size = size,
                        .steps = contest->settings.steps * (baseline ? BASELINE_STEPS : 1),
                        .rate_count = baseline ? contest->settings.rates : 1};
    for (uint32_t k = 0; k < CONTEST_MOST_RATES; ++k)
        who->rates[k] = contest->settings.rate * rate_factors[k];
    const char *plus = encoding == CONTEST_PLAIN ? "" : " + ", *told = encoding_names[encoding];
    if (contest->settings.width > 0)
        snprintf(who->name, sizeof who->name, "%s%s%s, %u layers, width %u", form, plus, told, depth,
                 contest->settings.width);
    else if (size == 0)
        snprintf(who->name, sizeof who->name, "%s%s%s", form, plus, told);
    else
        snprintf(who->name, sizeof who->name, "%s%s%s, %u layers, %ux", form, plus, told, depth, size);
    return who;
}

/* The contestant joins with the width of the settings or, if that is 0, with the narrowest width that has at
 * least that many parameters. */
static bool set_contestant_width(contest *contest, contestant *who, uint64_t least) {
    if (who == NULL) return true;
    const uint32_t given = contest->settings.width;
    for (uint32_t width = given > 0 ? given : WIDTH; width <= MOST_WIDTH; width += WIDTH_STEP) {
        if (!contest_config(contest, who->form, who->encoding, width, who->depth, &who->config) ||
            !count_parameters(contest, &who->config, &who->parameters))
            return false;
        if (given > 0 || who->parameters >= least) break;
    }
    /* The sizes of all forms count, also if only one contestant is wanted. */
    if (contest->settings.only == NULL || strcmp(contest->settings.only, who->form) == 0)
        ++contest->contestant_count;
    return true;
}

static bool list_contestants(contest *contest) {
    const bool given =
        contest->task->edge_types > 0; /* else tokens tell the nodes apart, and no edge is hidden */
    const contest_settings *settings = &contest->settings;
    const uint32_t depth = settings->depth > 0 ? settings->depth : DEPTH;
    uint64_t largest = 0;
    const char *form;
    for (uint32_t ids = 0; ids <= (given && !settings->quick); ++ids)
        for (uint32_t k = 0; (form = contest_form(k)) != NULL; ++k) {
            contestant *who =
                add_contestant(contest, form, false, ids ? CONTEST_IDENTIFIERS : CONTEST_PLAIN, depth, 0);
            if (!set_contestant_width(contest, who, 0)) return false;
            if (who != NULL && who->parameters > largest) largest = who->parameters;
        }
    const struct { uint32_t depth, size; } sizes[CONTEST_MOST_SIZES] = {{depth, 1}, {4, 4}, {6, 1}};
    const uint32_t encodings = 1u << CONTEST_PLAIN | (given ? settings->encodings : 0);
    for (uint32_t kind = 0; kind < KINDS; ++kind)
        for (uint32_t encoding = CONTEST_PLAIN; encoding < CONTEST_ENCODINGS; ++encoding)
            for (uint32_t k = 0; k < settings->sizes; ++k) {
                if (!(encodings >> encoding & 1)) continue;
                /* Without edges there is nothing to learn, at any size; without identifiers there is
                 * proof. */
                if (kind == ABLATED && (!given || settings->quick || k != 0)) continue;
                if (kind == ABLATED && encoding > CONTEST_IDENTIFIERS) continue; /* they hold the edges */
                if (given && encoding == CONTEST_PLAIN && k != 0) continue;
                if (!set_contestant_width(contest,
                                          add_contestant(contest, kinds[kind], true,
                                                         (contest_encoding)encoding, sizes[k].depth,
                                                         sizes[k].size),
                                          largest * sizes[k].size))
                    return false;
            }
    return true;
}

/* ---- training ---- */

static bool evaluate_contestant(const contest *contest, const experiment_data *test, quartic_model *model,
                                contest_batch *batch, double *out_accuracy) {
    const uint32_t count = batch->in.batch;
    const uint64_t rows = quartic_model_logit_rows(model, count, test->n);
    float *logits = tool_alloc(rows * CLASSES, sizeof *logits); // (rows, 2)
    uint32_t *graphs = tool_alloc(count, sizeof *graphs);
    uint64_t right = 0, all = 0;
    bool fine = true;
    for (uint32_t first = 0; fine && first + count <= test->graphs; first += count) {
        for (uint32_t b = 0; b < count; ++b) graphs[b] = first + b;
        contest_batch_fill(test, graphs, contest->settings.seed + first, TEST_STREAM, batch);
        fine = quartic_model_forward_batch(model, &batch->in, logits) == QUARTIC_OK;
        for (uint64_t row = 0; fine && row < rows; ++row) {
            if (batch->targets[row] < 0) continue;
            ++all;
            right += (logits[2 * row + 1] > logits[2 * row]) == (batch->targets[row] == 1);
        }
    }
    *out_accuracy = all == 0 ? 0 : (double)right / (double)all;
    free(logits);
    free(graphs);
    return fine;
}

/* Steps and evaluations; false after an error of the library. */
static bool train_contestant(contest *contest, const contestant *who, quartic_model *model,
                             quartic_trainer *trainer, contest_run *run) {
    const contest_settings *settings = &contest->settings;
    const uint32_t every = (who->steps + settings->evaluations - 1) / settings->evaluations;
    const contest_data *data = contest_data_of(contest, run->seed);
    const double begin = quartic_clock();
    uint32_t *graphs = tool_alloc(settings->batch, sizeof *graphs), known = 0;
    contest_batch batch;
    contest_batch_create(contest->task, who, settings->batch, &batch);
    run->points = tool_alloc(who->steps / every + 3, sizeof *run->points);
    double losses = 0;
    bool fine = evaluate_contestant(contest, &data->validation, model, &batch, &run->points[0].accuracy),
         done = false;
    run->points[0].loss = NAN;
    run->point_count = 1;
    for (uint32_t step = 1; fine && !done && step <= who->steps; ++step) {
        quartic_step_report report;
        for (uint32_t b = 0; b < settings->batch; ++b)
            graphs[b] = quartic_dataset_shuffled(data->train.graphs, run->seed,
                                                 (uint64_t)(step - 1) * settings->batch + b);
        contest_batch_fill(&data->train, graphs, settings->seed + run->seed, step, &batch);
        fine = quartic_trainer_step_batch(trainer, &batch.in, &report) == QUARTIC_OK;
        if (!fine) break;
        losses += (double)report.loss;
        ++known;
        run->seconds = quartic_clock() - begin;
        run->cut_short = settings->limit > 0 && run->seconds > settings->limit;
        if (step % every != 0 && step != who->steps && !run->cut_short) continue;
        contest_point *point = &run->points[run->point_count++];
        *point = (contest_point){.step = step, .loss = losses / known};
        losses = known = 0;
        fine = evaluate_contestant(contest, &data->validation, model, &batch, &point->accuracy);
        /* Nothing is left to learn after two such evaluations. */
        done = run->cut_short || (point->accuracy >= finished && point[-1].accuracy >= finished);
    }
    run->cut_short = run->cut_short && run->points[run->point_count - 1].step < who->steps;
    run->seconds = quartic_clock() - begin;
    fine = fine && evaluate_contestant(contest, &data->test, model, &batch, &run->test_accuracy);
    contest_batch_free(&batch);
    free(graphs);
    return fine;
}

bool contest_train(contest *contest, const contestant *who, float rate, uint32_t seed, contest_run *out_run,
                   quartic_model **out_model) {
    *out_run = (contest_run){.who = who, .rate = rate, .seed = seed};
    quartic_trainer_config config = QUARTIC_TRAINER_CONFIG_INIT;
    config.batch = contest->settings.batch;
    config.length = contest->task->n;
    config.learning_rate = rate;
    config.final_learning_rate = rate / 10;
    config.warmup_steps = who->steps / 20;
    config.total_steps = who->steps;
    config.seed = seed;
    quartic_model *model = NULL;
    quartic_trainer *trainer = NULL;
    const bool fine = quartic_model_create(contest->device, &who->config, &model) == QUARTIC_OK &&
                      quartic_model_initialise(model, seed) == QUARTIC_OK &&
                      quartic_trainer_create(model, &config, &trainer) == QUARTIC_OK &&
                      train_contestant(contest, who, model, trainer, out_run);
    if (!fine) tool_fail_library(contest->command, NULL);
    quartic_trainer_destroy(trainer);
    if (out_model != NULL && fine)
        *out_model = model;
    else
        quartic_model_destroy(model);
    return fine;
}

/* On the validation graphs. */
static double final_accuracy(const contest_run *run) {
    return run->points[run->point_count - 1].accuracy;
}

/* ---- the contest ---- */

const contest_data *contest_data_of(contest *contest, uint32_t seed) {
    const contest_settings *settings = &contest->settings;
    contest_data *data = &contest->data[seed - 1];
    const uint64_t from = settings->seed + seed - 1;
    const uint32_t tested = contest->task->test_graphs / settings->batch * settings->batch;
    if (data->train.graphs > 0) return data;
    experiment_data_draw(contest->task, from, EXPERIMENT_TRAIN, settings->train_graphs, &data->train);
    experiment_data_draw(contest->task, from, EXPERIMENT_VALIDATION, tested, &data->validation);
    experiment_data_draw(contest->task, from, EXPERIMENT_TEST, tested, &data->test);
    return data;
}

bool contest_begin(contest *contest) {
    contest->data = tool_alloc(contest->settings.seeds, sizeof *contest->data);
    memset(contest->data, 0, contest->settings.seeds * sizeof *contest->data);
    return list_contestants(contest);
}

static bool run_once(contest *contest, const contestant *who, float rate, uint32_t seed, uint32_t *inout_done,
                     uint32_t all) {
    const bool terminal = !contest->settings.silent && isatty(STDOUT_FILENO) == 1;
    if (terminal) {
        printf("\r\033[K[%u/%u] %s: %s, rate %g, seed %u ..", *inout_done + 1, all, contest->task->name,
               who->name, (double)rate, seed);
        fflush(stdout);
    }
    contest_run *run = &contest->runs[contest->run_count];
    if (!contest_train(contest, who, rate, seed, run, NULL)) {
        free(run->points);
        return false;
    }
    ++contest->run_count;
    ++*inout_done;
    contest->seconds += run->seconds;
    if (contest->settings.silent) return true;
    char left[TOOL_NUMBER_BYTES];
    printf("%s[%u/%u] %-8s %-28s rate %-6g seed %u: %5.1f%% after %u steps, %.1f s%s; at most %s left\n",
           terminal ? "\r\033[K" : "", *inout_done, all, contest->task->name, who->name, (double)rate, seed,
           100 * run->test_accuracy, run->points[run->point_count - 1].step, run->seconds,
           run->cut_short ? " (cut short)" : "",
           tool_time_text(contest->seconds / *inout_done * (all - *inout_done), left));
    fflush(stdout);
    return true;
}

bool contest_run_all(contest *contest) {
    uint32_t all = 0, done = 0;
    for (uint32_t k = 0; k < contest->contestant_count; ++k)
        all += contest->contestants[k].rate_count + contest->settings.seeds - 1;
    contest->runs = tool_alloc(all, sizeof *contest->runs);
    for (uint32_t k = 0; k < contest->contestant_count; ++k) {
        const contestant *who = &contest->contestants[k];
        contest_run *best = NULL;
        for (uint32_t r = 0; r < who->rate_count; ++r) {
            contest_run *run = &contest->runs[contest->run_count];
            if (!run_once(contest, who, who->rates[r], 1, &done, all)) return false;
            if (best == NULL || final_accuracy(run) > final_accuracy(best)) best = run;
        }
        best->chosen = true;
        for (uint32_t seed = 2; seed <= contest->settings.seeds; ++seed) {
            contest_run *run = &contest->runs[contest->run_count];
            if (!run_once(contest, who, best->rate, seed, &done, all)) return false;
            run->chosen = true;
        }
    }
    return true;
}

void contest_end(contest *contest) {
    for (uint32_t k = 0; k < contest->run_count; ++k) free(contest->runs[k].points);
    free(contest->runs);
    for (uint32_t k = 0; contest->data != NULL && k < contest->settings.seeds; ++k) {
        experiment_data_free(&contest->data[k].train);
        experiment_data_free(&contest->data[k].validation);
        experiment_data_free(&contest->data[k].test);
    }
    free(contest->data);
}
