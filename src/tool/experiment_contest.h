/* experiment_contest.h: who learns the tasks of `quartic experiment`, and how their learning is recorded.
 *
 * The forms: a small QuarticTransformer with one form of edge attention each (where the nodes are read out: a
 * RelationalTransformer). The quadratic baselines: the same transformer whose edges are a bias that no layer
 * changes ("static"), whose edges take up the attention's maps and pass through a feedforward but never see
 * other edges ("none"), the RelationalTransformer ("relational"), and one that is not given the edges at all
 * ("ablated"). Baselines get as many parameters as the largest form, or four times as many,
 * deeper stacks, four times the steps and the best of three learning rates. With identifiers each node has a
 * random number beside its token, anew in every batch, which is how nodes can be distinguished although their
 * order has no meaning. Baselines may also be given the encodings of encodings.h.
 *
 * Each run has graphs of its own, drawn from the seed and the run's number: to train on, to choose rates and
 * to end a run by (validation), and a test that is looked at once, after the run.
 */
#ifndef QUARTIC_TOOL_EXPERIMENT_CONTEST_H
#define QUARTIC_TOOL_EXPERIMENT_CONTEST_H

#include "quartic/data.h"
#include "tool/experiment_tasks.h"

enum {
    CONTEST_NAME_BYTES = 64,
    CONTEST_MOST = 64,
    CONTEST_MOST_RATES = 3,
    CONTEST_MOST_SIZES = 3,       /* of a baseline's model */
    CONTEST_MOST_GRAPH_SIZES = 12 /* to train on, and to test on */
};

/* What a contestant is told beside the edges. */
typedef enum contest_encoding {
    CONTEST_PLAIN,
    CONTEST_IDENTIFIERS, /* nodes have random numbers */
    CONTEST_ROWS,        /* these three: as in encodings.h, with features in the place of tokens */
    CONTEST_WALKS,
    CONTEST_LAPLACIAN, /* each eigenvector's sign is drawn anew in every batch */
    CONTEST_DISTANCES, /* in the edge types */
    CONTEST_ENCODINGS
} contest_encoding;
/* Its name, such as "rows"; "" for plain. */
const char *contest_encoding_name(contest_encoding encoding);
/* Reads a list such as "ids,rows" as bits 1 << encoding. False if there is an unknown name. */
bool contest_read_encodings(const char *text, uint32_t *out_bits);

/* Sizes of graphs that a task has beside its own. 0: as the task says. */
typedef struct contest_graph_size {
    uint32_t nodes, degree;
} contest_graph_size;
typedef struct contest_graph_sizes {
    uint32_t count;
    contest_graph_size of[CONTEST_MOST_GRAPH_SIZES];
} contest_graph_sizes;
/* Reads a list such as "12,14:4,20", of nodes and, after a colon, degrees. False if it is none. */
bool contest_read_graph_sizes(const char *text, contest_graph_sizes *out_sizes);
/* Whether `only` names the contestant: a list such as "triangle+plain,none+rows,static", where a name without an
 * encoding stands for all encodings. NULL names all. */
bool contest_is_named(const char *only, const char *form, contest_encoding encoding);
/* False if `only` has a part that names no contestant; else the encodings that its parts name, as bits. */
bool contest_read_only(const char *only, uint32_t *out_encodings);

typedef struct contestant {
    char name[CONTEST_NAME_BYTES];
    const char *form; /* of edge attention; "static", "none", "relational" or "ablated" for baselines */
    bool baseline;    /* quadratic */
    contest_encoding encoding;
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
    double accuracy; /* on the validation graphs */
} contest_point;

/* One training run. */
typedef struct contest_run {
    const contestant *who;
    float rate;
    uint32_t seed;                                    /* 1 and up: of weights, order and graphs */
    double test_accuracy;                             /* of the first size of the tests */
    double test_accuracies[CONTEST_MOST_GRAPH_SIZES]; /* of each size */
    contest_point *points;
    uint32_t point_count;
    double seconds, cpu_seconds; /* of the clock, and of this process on all cores */
    bool cut_short;              /* by the limit of time */
    bool recorded;               /* from an earlier process, not run again */
    bool chosen;                 /* at the contestant's best rate: counts in the table */
} contest_run;

typedef struct contest_settings {
    uint32_t steps, batch, seeds, train_graphs, evaluations;
    uint32_t baseline_steps; /* 0: four times the forms' */
    /* Batches take the training sizes in turn, padded to the largest. None: the task's own; none to test on:
     * those to train on. */
    contest_graph_sizes train_sizes, test_sizes;
    float rate;            /* of the forms */
    double limit;          /* seconds of a run, 0: none */
    bool quick;            /* forms without identifiers only, no ablated baseline */
    uint32_t sizes, rates; /* of each baseline, 1 to CONTEST_MOST_SIZES and CONTEST_MOST_RATES */
    uint32_t width;        /* of all contestants; 0: the forms' own, and baselines by their parameters */
    uint32_t depth;        /* of the forms, and of baselines of the first size; 0: 2 */
    uint32_t heads;        /* 0: 4 */
    uint32_t head_width;   /* of each of them; 0: half the width */
    uint32_t encodings;    /* that baselines get, as bits; the plain ones always take part */
    uint64_t seed;
    bool relational;     /* the forms are layers of the RelationalTransformer also where pairs are read out */
    const char *only;    /* see contest_is_named; NULL: all */
    const char *records; /* a file of runs, see experiment_records.h; NULL: none is kept */
    bool silent;         /* no lines while it runs */
} contest_settings;

/* The graphs of one run, by sizes. */
typedef struct contest_data {
    experiment_data train[CONTEST_MOST_GRAPH_SIZES], validation[CONTEST_MOST_GRAPH_SIZES],
        test[CONTEST_MOST_GRAPH_SIZES];
} contest_data;

typedef struct contest {
    const command *command;
    const experiment_task *task;
    contest_settings settings;
    quartic_device *device;
    experiment_task train_tasks[CONTEST_MOST_GRAPH_SIZES], test_tasks[CONTEST_MOST_GRAPH_SIZES];
    uint32_t train_count, test_count;
    experiment_task widest; /* with the most nodes and edge types of these: what a model must hold */
    contest_data *data;     /* (settings.seeds), drawn when a run asks for them */
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
bool contest_config(const contest *contest, const char *form, contest_encoding encoding, uint32_t width,
                    uint32_t depth, quartic_model_config *out_config);
/* Fills contestants, by settings.only and the others. On failure prints why and returns false. */
bool contest_list_contestants(contest *contest);
/* The graphs of the runs with that seed, 1 to settings.seeds; they belong to the contest. */
const contest_data *contest_data_of(contest *contest, uint32_t seed);
/* Only their tests; training and validation may not be drawn yet. */
const contest_data *contest_tests_of(contest *contest, uint32_t seed);
/* Sets train_tasks, test_tasks and widest. False, with a message, if the task has no graphs of a size. */
bool contest_set_sizes(contest *contest);
void contest_free_data(contest *contest);

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
    double mean, least, most, seconds; /* of the test */
    double low,
        high; /* 95% interval of the mean: Student's t over runs, within 0 and 1; all of it for one run */
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
