/* experiment_contest.c: the contestants and their training. See experiment_contest.h. */
#include "tool/experiment_contest.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
static const double solved = 0.99, unsolved = 0.90, finished = 0.9995;

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

bool contest_config(const command *command, const experiment_task *task, const char *form, bool identifiers,
                    uint32_t width, uint32_t depth, quartic_model_config *out_config) {
    const bool ablated = strcmp(form, kinds[ABLATED]) == 0,
               fixed = ablated || strcmp(form, kinds[STATIC]) == 0;
    const bool baseline = fixed || strcmp(form, kinds[NONE]) == 0;
    /* In the quartic model equal nodes send equal values and stay equal, whatever their edges: where the
     * nodes are read out, the forms are layers of the relational model, whose values hold edges. */
    const bool relational =
        strcmp(form, kinds[RELATIONAL]) == 0 || (task->readout != QUARTIC_READOUT_EDGE && !baseline);
    quartic_model_config config = QUARTIC_MODEL_CONFIG_INIT;
    config.model = relational ? QUARTIC_MODEL_RELATIONAL : QUARTIC_MODEL_QUARTIC;
    config.num_tokens = identifiers ? task->n * task->tokens : task->tokens;
    config.num_edge_types = ablated ? 0 : task->edge_types;
    config.dim = config.dim_edges = width;
    config.depth = depth;
    config.heads = config.linear_heads = config.edge_heads = HEADS;
    config.dim_head = config.linear_dim_head = config.edge_dim_head = width * DIM_HEAD / WIDTH;
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

static contestant *add_contestant(contest *contest, const char *form, bool baseline, bool identifiers,
                                  uint32_t depth, uint32_t size) {
    if (contest->contestant_count == CONTEST_MOST) return NULL;
    contestant *who = &contest->contestants[contest->contestant_count];
    *who = (contestant){.form = form,
                        .baseline = baseline,
                        .identifiers = identifiers,
                        .depth = depth,
                        .size = size,
                        .steps = contest->settings.steps * (baseline ? BASELINE_STEPS : 1),
                        .rate_count = baseline ? contest->settings.rates : 1};
    for (uint32_t k = 0; k < CONTEST_MOST_RATES; ++k)
        who->rates[k] = contest->settings.rate * rate_factors[k];
    if (size == 0)
        snprintf(who->name, sizeof who->name, "%s%s", form, identifiers ? " + ids" : "");
    else
        snprintf(who->name, sizeof who->name, "%s%s, %u layers, %ux", form, identifiers ? " + ids" : "",
                 depth, size);
    return who;
}

/* The contestant joins with the narrowest width that has at least that many parameters. */
static bool set_contestant_width(contest *contest, contestant *who, uint64_t least) {
    if (who == NULL) return true;
    for (uint32_t width = WIDTH; width <= MOST_WIDTH; width += WIDTH_STEP) {
        if (!contest_config(contest->command, contest->task, who->form, who->identifiers, width, who->depth,
                            &who->config) ||
            !count_parameters(contest, &who->config, &who->parameters))
            return false;
        if (who->parameters >= least) break;
    }
    /* The sizes of all forms count, also if only one contestant is wanted. */
    if (contest->settings.only == NULL || strcmp(contest->settings.only, who->form) == 0)
        ++contest->contestant_count;
    return true;
}

static bool list_contestants(contest *contest) {
    const bool given =
        contest->task->edge_types > 0; /* else cards tell the nodes apart, and no edge is hidden */
    const contest_settings *settings = &contest->settings;
    uint64_t largest = 0;
    const char *form;
    for (uint32_t ids = 0; ids <= (given && !settings->quick); ++ids)
        for (uint32_t k = 0; (form = contest_form(k)) != NULL; ++k) {
            contestant *who = add_contestant(contest, form, false, ids, DEPTH, 0);
            if (!set_contestant_width(contest, who, 0)) return false;
            if (who != NULL && who->parameters > largest) largest = who->parameters;
        }
    static const struct { uint32_t depth, size; } sizes[CONTEST_MOST_SIZES] = {{2, 1}, {4, 4}, {6, 1}};
    for (uint32_t kind = 0; kind < KINDS; ++kind)
        for (uint32_t ids = 0; ids <= given; ++ids)
            for (uint32_t k = 0; k < settings->sizes; ++k) {
                /* Without edges there is nothing to learn, at any size; without identifiers there is
                 * proof. */
                if (kind == ABLATED && (!given || settings->quick || k != 0)) continue;
                if (given && !ids && k != 0) continue;
                if (!set_contestant_width(
                        contest,
                        add_contestant(contest, kinds[kind], true, ids, sizes[k].depth, sizes[k].size),
                        largest * sizes[k].size))
                    return false;
            }
    return true;
}

/* ---- batches ---- */

void contest_batch_create(const experiment_data *data, uint32_t count, contest_batch *out_batch) {
    const size_t n = data->n;
    *out_batch =
        (contest_batch){.tokens = tool_alloc(count * n, sizeof(int32_t)),
                        .edge_types = tool_alloc(count * n * n, sizeof(int32_t)),
                        .targets = tool_alloc((size_t)count * data->targets_per_graph, sizeof(int32_t)),
                        .in = QUARTIC_MODEL_BATCH_INIT};
    out_batch->in.batch = count;
    out_batch->in.length = data->n;
    out_batch->in.tokens = out_batch->tokens;
    out_batch->in.targets = out_batch->targets;
}

void contest_batch_fill(const experiment_data *data, const contestant *who, const uint32_t *graphs,
                        uint64_t seed, uint32_t stream, contest_batch *batch) {
    const size_t n = data->n, targets = data->targets_per_graph;
    experiment_source source = {.seed = seed, .stream = stream};
    for (size_t b = 0; b < batch->in.batch; ++b) {
        const size_t from = graphs[b];
        uint32_t order[EXPERIMENT_MOST_NODES] = {0};
        if (who->identifiers) experiment_permutation(&source, data->n, order);
        const int32_t numbers = who->identifiers ? (int32_t)n : 1; /* of each token */
        for (size_t i = 0; i < n; ++i)
            batch->tokens[b * n + i] = data->tokens[from * n + i] * numbers + (int32_t)order[i];
        if (data->edge_types != NULL)
            memcpy(batch->edge_types + b * n * n, data->edge_types + from * n * n, n * n * sizeof(int32_t));
        memcpy(batch->targets + b * targets, data->targets + from * targets, targets * sizeof(int32_t));
    }
    batch->in.edge_types = who->config.num_edge_types > 0 ? batch->edge_types : NULL;
}

void contest_batch_free(contest_batch *batch) {
    free(batch->tokens);
    free(batch->edge_types);
    free(batch->targets);
    *batch = (contest_batch){0};
}

/* ---- training ---- */

static bool evaluate_contestant(const contest *contest, const contestant *who, quartic_model *model,
                                contest_batch *batch, double *out_accuracy) {
    const experiment_data *test = &contest->test;
    const uint32_t count = batch->in.batch;
    const uint64_t rows = quartic_model_logit_rows(model, count, test->n);
    float *logits = tool_alloc(rows * CLASSES, sizeof *logits); // (rows, 2)
    uint32_t *graphs = tool_alloc(count, sizeof *graphs);
    uint64_t right = 0, all = 0;
    bool fine = true;
    for (uint32_t first = 0; fine && first + count <= test->graphs; first += count) {
        for (uint32_t b = 0; b < count; ++b) graphs[b] = first + b;
        contest_batch_fill(test, who, graphs, contest->settings.seed + first, TEST_STREAM, batch);
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
    const double begin = quartic_clock();
    uint32_t *graphs = tool_alloc(settings->batch, sizeof *graphs), known = 0;
    contest_batch batch;
    contest_batch_create(&contest->train, settings->batch, &batch);
    run->points = tool_alloc(who->steps / every + 3, sizeof *run->points);
    double losses = 0;
    bool fine = evaluate_contestant(contest, who, model, &batch, &run->points[0].accuracy), done = false;
    run->points[0].loss = NAN;
    run->point_count = 1;
    for (uint32_t step = 1; fine && !done && step <= who->steps; ++step) {
        quartic_step_report report;
        for (uint32_t b = 0; b < settings->batch; ++b)
            graphs[b] = quartic_dataset_shuffled(contest->train.graphs, run->seed,
                                                 (uint64_t)(step - 1) * settings->batch + b);
        contest_batch_fill(&contest->train, who, graphs, settings->seed + run->seed, step, &batch);
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
        fine = evaluate_contestant(contest, who, model, &batch, &point->accuracy);
        /* Nothing is left to learn after two such evaluations. */
        done = run->cut_short || (point->accuracy >= finished && point[-1].accuracy >= finished);
    }
    run->cut_short = run->cut_short && run->points[run->point_count - 1].step < who->steps;
    run->seconds = quartic_clock() - begin;
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

static double final_accuracy(const contest_run *run) {
    return run->points[run->point_count - 1].accuracy;
}

/* ---- the contest ---- */

bool contest_begin(contest *contest) {
    const contest_settings *settings = &contest->settings;
    experiment_data_draw(contest->task, settings->seed, EXPERIMENT_TRAIN, settings->train_graphs,
                         &contest->train);
    experiment_data_draw(contest->task, settings->seed, EXPERIMENT_TEST,
                         contest->task->test_graphs / settings->batch * settings->batch, &contest->test);
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
           100 * final_accuracy(run), run->points[run->point_count - 1].step, run->seconds,
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
    experiment_data_free(&contest->train);
    experiment_data_free(&contest->test);
}

/* ---- scores ---- */

contest_score contest_score_of(const contest *contest, const contestant *who) {
    contest_score score = {.least = 1};
    bool all_solved = true;
    for (uint32_t k = 0; k < contest->run_count; ++k) {
        const contest_run *run = &contest->runs[k];
        if (run->who != who || !run->chosen) continue;
        const double accuracy = final_accuracy(run);
        ++score.runs;
        score.mean += accuracy;
        score.least = fmin(score.least, accuracy);
        score.most = fmax(score.most, accuracy);
        score.seconds += run->seconds;
        score.rate = run->rate;
        score.cut_short = score.cut_short || run->cut_short;
        uint32_t p = 0;
        while (p < run->point_count && run->points[p].accuracy < solved) ++p;
        if (p == run->point_count)
            all_solved = false;
        else if (run->points[p].step > score.solved_step)
            score.solved_step = run->points[p].step;
    }
    if (score.runs > 0) score.mean /= score.runs;
    if (!all_solved) score.solved_step = 0;
    return score;
}

const contestant *contest_best(const contest *contest, bool baseline) {
    const contestant *best = NULL;
    double most = -1;
    for (uint32_t k = 0; k < contest->contestant_count; ++k) {
        const contestant *who = &contest->contestants[k];
        const contest_score score = contest_score_of(contest, who);
        if (who->baseline != baseline || score.runs == 0 || score.mean <= most) continue;
        best = who;
        most = score.mean;
    }
    return best;
}

bool contest_separates(const contest *contest) {
    const contestant *form = contest_best(contest, false), *baseline = contest_best(contest, true);
    return form != NULL && baseline != NULL && contest_score_of(contest, form).mean >= solved &&
           contest_score_of(contest, baseline).mean <= unsolved;
}
