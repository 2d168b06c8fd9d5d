/* experiment_contest.h: who learns the tasks of `quartic experiment`, and how their learning is recorded.
 *
 * The forms: a small QuarticTransformer with one form of edge attention each (where the nodes are read out: a
 * RelationalTransformer). The quadratic baselines: the same transformer whose edges are a bias that no layer
 * changes ("static"), whose edges take up the attention's maps and pass through a feedforward but never see
 * other edges ("none"), the RelationalTransformer ("relational"), and one that is not given the edges at all
 * ("ablated"). Baselines get as many parameters as the largest form, or four times as many,
 * deeper stacks, four times the steps and the best of three learning rates. With identifiers each node has a
 * random number beside its token, anew in every batch, which is how nodes can be distinguished although their
 * order has no meaning.
 */
#ifndef QUARTIC_TOOL_EXPERIMENT_CONTEST_H
#define QUARTIC_TOOL_EXPERIMENT_CONTEST_H

#include "quartic/data.h"
#include "tool/experiment_tasks.h"

enum { CONTEST_NAME_BYTES = 64, CONTEST_MOST = 64, CONTEST_MOST_RATES = 3, CONTEST_MOST_SIZES = 3 };

typedef struct contestant {
    char name[CONTEST_NAME_BYTES];
    const char *form; /* of edge attention; "static", "none", "relational" or "ablated" for baselines */
    bool baseline;    /* quadratic */
    bool identifiers; /* nodes have random numbers */
    uint32_t depth,
        size; /* layers; parameters in multiples of the largest form's, 0: as small as the forms */
    uint32_t steps;
    float rates[CONTEST_MOST_RATES];
    uint32_t rate_count;
    quartic_model_config config;
    uint64_t parameters;
} contestant;

/* One evaluation on the test graphs. */
typedef struct contest_point {
    uint32_t step;
    double loss;     /* of the training steps since the last point, on average */
    double accuracy; /* on the test */
} contest_point;

/* One training run. */
typedef struct contest_run {
    const contestant *who;
    float rate;
    uint32_t seed;
    contest_point *points;
    uint32_t point_count;
    double seconds;
    bool cut_short; /* by the limit of time */
    bool chosen;    /* at the contestant's best rate: counts in the table */
} contest_run;

typedef struct contest_settings {
    uint32_t steps, batch, seeds, train_graphs, evaluations;
    float rate;            /* of the forms */
    double limit;          /* seconds of a run, 0: none */
    bool quick;            /* forms without identifiers only, no ablated baseline */
    uint32_t sizes, rates; /* of each baseline, 1 to CONTEST_MOST_SIZES and CONTEST_MOST_RATES */
    uint64_t seed;
    const char *only; /* the contestant of this form alone; NULL: all */
    bool silent;      /* no lines while it runs */
} contest_settings;

typedef struct contest {
    const command *command;
    const experiment_task *task;
    contest_settings settings;
    quartic_device *device;
    experiment_data train, test;
    contestant contestants[CONTEST_MOST];
    uint32_t contestant_count;
    contest_run *runs;
    uint32_t run_count;
    double seconds;
} contest;

/* The k-th form of edge attention, in the order of the library's list without "none"; NULL past the last. */
const char *contest_form(uint32_t index);
/* The k-th kind of quadratic baseline, NULL past the last. */
const char *contest_baseline(uint32_t index);

/* A model's configuration for a task. width: of nodes and edges. */
bool contest_config(const command *command, const experiment_task *task, const char *form, bool identifiers,
                    uint32_t width, uint32_t depth, quartic_model_config *out_config);

/* Fills a batch from the graphs of these numbers; tokens (count, n), edge_types (count, i, j) and targets are
 * the batch's own memory. Identifiers are drawn from (seed, stream). */
typedef struct contest_batch {
    int32_t *tokens, *edge_types, *targets;
    quartic_model_batch in;
} contest_batch;
void contest_batch_create(const experiment_data *data, uint32_t count, contest_batch *out_batch);
void contest_batch_fill(const experiment_data *data, const contestant *who, const uint32_t *graphs,
                        uint64_t seed, uint32_t stream, contest_batch *batch);
void contest_batch_free(contest_batch *batch);

/* Draws the data and lists the contestants. On failure prints why and returns false. */
bool contest_begin(contest *contest);
/* Trains them all, with a line for each run. */
bool contest_run_all(contest *contest);
void contest_end(contest *contest);

/* Trains one model; *out_model (may be NULL) gets it, else it is destroyed. */
bool contest_train(contest *contest, const contestant *who, float rate, uint32_t seed, contest_run *out_run,
                   quartic_model **out_model);

/* Mean, least and greatest final accuracy of a contestant's chosen runs. */
typedef struct contest_score {
    double mean, least, most, seconds;
    uint32_t runs, solved_step; /* the step of the last seed to reach 99%, 0: some never do */
    float rate;
    bool cut_short;
} contest_score;
contest_score contest_score_of(const contest *contest, const contestant *who);

/* The best form and the best baseline by mean accuracy; NULL if there is none. */
const contestant *contest_best(const contest *contest, bool baseline);
/* Whether the best form reaches 99% and no baseline more than 90%. */
bool contest_separates(const contest *contest);

#endif
