/* experiment_sizes.c: the sizes of graphs that a contest trains and tests on, and the graphs of its runs. See
 * experiment_contest.h.
 */
#include <stdlib.h>
#include <string.h>

#include "tool/experiment_contest.h"

/* A number that ends at one of the ends. False if there is none or if it is too large. */
static bool read_size_number(const char **inout_text, const char *ends, uint32_t *out_number) {
    char *end;
    const char *text = *inout_text;
    if (*text < '0' || *text > '9') return false;
    const unsigned long number = strtoul(text, &end, 10);
    if (number == 0 || number > EXPERIMENT_MOST_NODES || (*end != 0 && strchr(ends, *end) == NULL))
        return false;
    *out_number = (uint32_t)number;
    *inout_text = end;
    return true;
}

bool contest_read_graph_sizes(const char *text, contest_graph_sizes *out_sizes) {
    *out_sizes = (contest_graph_sizes){0};
    while (*text != 0) {
        if (out_sizes->count == CONTEST_MOST_GRAPH_SIZES) return false;
        contest_graph_size *size = &out_sizes->of[out_sizes->count++];
        if (!read_size_number(&text, ",:", &size->nodes)) return false;
        if (*text == ':' && (++text, !read_size_number(&text, ",", &size->degree))) return false;
        if (*text == ',' && *++text == 0) return false;
    }
    return true;
}

/* Fills tasks; without sizes, one of the task's own. */
static bool set_tasks(const contest *contest, const contest_graph_sizes *sizes,
                      experiment_task out_tasks[CONTEST_MOST_GRAPH_SIZES], uint32_t *out_count) {
    *out_count = sizes->count > 0 ? sizes->count : 1;
    out_tasks[0] = *contest->task;
    for (uint32_t k = 0; k < sizes->count; ++k) {
        const contest_graph_size size = sizes->of[k];
        if (!experiment_task_resize(contest->task, size.nodes, &out_tasks[k]) ||
            !experiment_task_set_degree(&out_tasks[k], size.degree)) {
            if (size.degree > 0)
                tool_fail(contest->command, NULL, "%s has no graphs of %u nodes and degree %u",
                          contest->task->name, size.nodes, size.degree);
            else
                tool_fail(contest->command, NULL, "%s has no graphs of %u nodes", contest->task->name,
                          size.nodes);
            return false;
        }
    }
    return true;
}

static void widen(experiment_task *task, const experiment_task *other) {
    if (other->n > task->n) task->n = other->n;
    if (other->edge_types > task->edge_types) task->edge_types = other->edge_types;
}

bool contest_set_sizes(contest *contest) {
    const contest_settings *settings = &contest->settings;
    if (!set_tasks(contest, &settings->train_sizes, contest->train_tasks, &contest->train_count))
        return false;
    if (settings->test_sizes.count > 0) {
        if (!set_tasks(contest, &settings->test_sizes, contest->test_tasks, &contest->test_count))
            return false;
    } else {
        memcpy(contest->test_tasks, contest->train_tasks, sizeof contest->test_tasks);
        contest->test_count = contest->train_count;
    }
    contest->widest = contest->train_tasks[0];
    for (uint32_t k = 0; k < contest->train_count; ++k) widen(&contest->widest, &contest->train_tasks[k]);
    for (uint32_t k = 0; k < contest->test_count; ++k) widen(&contest->widest, &contest->test_tasks[k]);
    return true;
}

/* Whole batches, of as many graphs as the task asks for. */
static uint32_t tested_graphs(const contest *contest) {
    const uint32_t batch = contest->settings.batch;
    return contest->task->test_graphs / batch * batch;
}

static uint64_t data_seed(const contest *contest, uint32_t seed) {
    return contest->settings.seed + seed - 1;
}

const contest_data *contest_tests_of(contest *contest, uint32_t seed) {
    contest_data *data = &contest->data[seed - 1];
    for (uint32_t k = 0; k < contest->test_count; ++k)
        if (data->test[k].graphs == 0)
            experiment_data_draw(&contest->test_tasks[k], data_seed(contest, seed), EXPERIMENT_TEST,
                                 tested_graphs(contest), &data->test[k]);
    return data;
}

const contest_data *contest_data_of(contest *contest, uint32_t seed) {
    contest_data *data = &contest->data[seed - 1];
    const uint64_t from = data_seed(contest, seed);
    contest_tests_of(contest, seed);
    for (uint32_t k = 0; k < contest->train_count; ++k) {
        if (data->train[k].graphs > 0) continue;
        experiment_data_draw(&contest->train_tasks[k], from, EXPERIMENT_TRAIN, contest->settings.train_graphs,
                             &data->train[k]);
        experiment_data_draw(&contest->train_tasks[k], from, EXPERIMENT_VALIDATION, tested_graphs(contest),
                             &data->validation[k]);
    }
    return data;
}

void contest_free_data(contest *contest) {
    for (uint32_t seed = 0; contest->data != NULL && seed < contest->settings.seeds; ++seed)
        for (uint32_t k = 0; k < CONTEST_MOST_GRAPH_SIZES; ++k) {
            experiment_data_free(&contest->data[seed].train[k]);
            experiment_data_free(&contest->data[seed].validation[k]);
            experiment_data_free(&contest->data[seed].test[k]);
        }
    free(contest->data);
    contest->data = NULL;
}
