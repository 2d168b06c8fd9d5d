/* experiment_train.c: one run of a contest: its training, its evaluations, its test. See experiment_contest.h. */
#include <math.h>
#include <stdlib.h>
#include <time.h>

#include "tool/experiment_batch.h"
#include "tool/experiment_contest.h"

enum { CLASSES = 2, TEST_STREAM = 0x7fffffff };
static const double finished = 0.9995;

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

/* The mean over the training sizes. */
static bool validate_contestant(const contest *contest, const contest_data *data, quartic_model *model,
                                contest_batch *batch, double *out_accuracy) {
    double sum = 0;
    for (uint32_t k = 0; k < contest->train_count; ++k) {
        double accuracy;
        if (!evaluate_contestant(contest, &data->validation[k], model, batch, &accuracy)) return false;
        sum += accuracy;
    }
    *out_accuracy = sum / contest->train_count;
    return true;
}

static bool test_contestant(const contest *contest, const contest_data *data, quartic_model *model,
                            contest_batch *batch, contest_run *run) {
    for (uint32_t k = 0; k < contest->test_count; ++k)
        if (!evaluate_contestant(contest, &data->test[k], model, batch, &run->test_accuracies[k]))
            return false;
    run->test_accuracy = run->test_accuracies[0];
    return true;
}

/* What batches of several sizes are padded to, 0 for one size. */
static uint32_t padded_length(const contest *contest) {
    uint32_t most = 0;
    for (uint32_t k = 0; k < contest->train_count; ++k)
        if (contest->train_tasks[k].n > most) most = contest->train_tasks[k].n;
    return contest->train_count > 1 ? most : 0;
}

/* Steps and evaluations; false after an error of the library. */
static bool train_contestant(contest *contest, const contestant *who, quartic_model *model,
                             quartic_trainer *trainer, contest_run *run) {
    const contest_settings *settings = &contest->settings;
    const uint32_t every = (who->steps + settings->evaluations - 1) / settings->evaluations,
                   sizes = contest->train_count;
    const contest_data *data = contest_data_of(contest, run->seed);
    const double begin = quartic_clock();
    const clock_t cpu_begin = clock();
    uint32_t *graphs = tool_alloc(settings->batch, sizeof *graphs), known = 0;
    contest_batch batch, tested;
    contest_batch_create(&contest->widest, who, settings->batch, padded_length(contest), &batch);
    contest_batch_create(&contest->widest, who, settings->batch, 0, &tested);
    run->points = tool_alloc(who->steps / every + 3, sizeof *run->points);
    double losses = 0;
    bool fine = validate_contestant(contest, data, model, &tested, &run->points[0].accuracy), done = false;
    run->points[0].loss = NAN;
    run->point_count = 1;
    for (uint32_t step = 1; fine && !done && step <= who->steps; ++step) {
        quartic_step_report report;
        const experiment_data *train = &data->train[(step - 1) % sizes];
        for (uint32_t b = 0; b < settings->batch; ++b)
            graphs[b] = quartic_dataset_shuffled(train->graphs, run->seed,
                                                 (uint64_t)((step - 1) / sizes) * settings->batch + b);
        contest_batch_fill(train, graphs, settings->seed + run->seed, step, &batch);
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
        fine = validate_contestant(contest, data, model, &tested, &point->accuracy);
        /* Nothing is left to learn after two such evaluations. */
        done = run->cut_short || (point->accuracy >= finished && point[-1].accuracy >= finished);
    }
    run->cut_short = run->cut_short && run->points[run->point_count - 1].step < who->steps;
    run->seconds = quartic_clock() - begin;
    run->cpu_seconds = (double)(clock() - cpu_begin) / CLOCKS_PER_SEC;
    fine = fine && test_contestant(contest, data, model, &tested, run);
    contest_batch_free(&batch);
    contest_batch_free(&tested);
    free(graphs);
    return fine;
}

bool contest_train(contest *contest, const contestant *who, float rate, uint32_t seed, contest_run *out_run,
                   quartic_model **out_model) {
    *out_run = (contest_run){.who = who, .rate = rate, .seed = seed};
    quartic_trainer_config config = QUARTIC_TRAINER_CONFIG_INIT;
    config.batch = contest->settings.batch;
    config.masked = contest->train_count > 1;
    config.length = config.masked ? padded_length(contest) : contest->train_tasks[0].n;
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
