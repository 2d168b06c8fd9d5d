/* experiment_records.c: see experiment_records.h. */
#include "tool/experiment_records.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- settings ---- */

/* A float as the shortest of the numbers that people write for it: 0.003, not 0.003000000026. */
static json_t *record_float(float number) {
    char text[32];
    snprintf(text, sizeof text, "%g", (double)number);
    return tool_json_real(strtod(text, NULL));
}

static json_t *record_sizes(const experiment_task *tasks, uint32_t count) {
    json_t *list = tool_json_list();
    for (uint32_t k = 0; k < count; ++k)
        tool_json_add(list, tool_json_object("nodes", tool_json_count(tasks[k].n), "degree",
                                             tool_json_count(tasks[k].degree), NULL));
    return list;
}

/* A sum over the test graphs, which changes where another graph is drawn, or another label or target masked. */
static uint64_t mark_of_tests(contest *contest, uint32_t seed) {
    const contest_data *data = contest_tests_of(contest, seed);
    uint64_t mark = 0;
    for (uint32_t t = 0; t < contest->test_count; ++t) {
        const experiment_data *test = &data->test[t];
        for (uint32_t graph = 0; graph < test->graphs; ++graph)
            mark = mark * 0x9e3779b97f4a7c15u + test->hashes[graph];
        for (size_t k = 0; k < (size_t)test->graphs * test->targets_per_graph; ++k)
            mark = mark * 0x9e3779b97f4a7c15u + (uint64_t)(test->targets[k] + 1);
    }
    return mark;
}

/* All on which a run's result depends. */
static json_t *record_run(contest *contest, const contestant *who, float rate, uint32_t seed) {
    const contest_settings *settings = &contest->settings;
    char mark[17];
    snprintf(mark, sizeof mark, "%016" PRIx64, mark_of_tests(contest, seed));
    return tool_json_object(
        "task", tool_json_text(contest->task->name), "form", tool_json_text(who->form), "encoding",
        tool_json_text(contest_encoding_name(who->encoding)), "model",
        tool_json_text(who->config.model == QUARTIC_MODEL_RELATIONAL ? "relational" : "quartic"), "depth",
        tool_json_count(who->depth), "width", tool_json_count(who->config.dim), "heads",
        tool_json_count(who->config.heads), "head_width", tool_json_count(who->config.dim_head), "steps",
        tool_json_count(who->steps), "batch", tool_json_count(settings->batch), "graphs",
        tool_json_count(settings->train_graphs), "evaluations", tool_json_count(settings->evaluations),
        "rate", record_float(rate), "seed", tool_json_count(seed), "graphs_seed",
        tool_json_count(settings->seed + seed - 1), "trained_on",
        record_sizes(contest->train_tasks, contest->train_count), "tested_on",
        record_sizes(contest->test_tasks, contest->test_count), "graphs_mark", tool_json_text(mark), NULL);
}

/* ---- reading ---- */

bool experiment_records_open(const command *command, const char *path, experiment_records *out_records) {
    *out_records = (experiment_records){.path = path, .lines = tool_json_list()};
    if (path == NULL) return true;
    FILE *stream = fopen(path, "a+"); /* reads from the start, writes to the end */
    if (stream == NULL) {
        tool_fail(command, NULL, "cannot write %s: %s", path, strerror(errno));
        return false;
    }
    out_records->stream = stream;
    char *line = NULL;
    size_t capacity = 0;
    bool whole = true;
    rewind(stream);
    for (uint64_t number = 1; getline(&line, &capacity, stream) >= 0; ++number) {
        json_t *record = json_loads(line, 0, NULL);
        whole = line[strlen(line) - 1] == '\n';
        if (json_is_object(json_object_get(record, "run")))
            tool_json_add(out_records->lines, record);
        else {
            tool_warn(command, "%s:%" PRIu64 ": no record of a run; it is left out", path, number);
            json_decref(record);
        }
    }
    free(line);
    fseek(stream, 0, SEEK_END); /* between reading and writing */
    if (ferror(stream) || (!whole && (fputc('\n', stream) == EOF || fflush(stream) != 0))) {
        tool_fail(command, NULL, "cannot read and write %s: %s", path, strerror(errno));
        return false;
    }
    return true;
}

/* What came out, from a record. False if something is missing. */
static bool read_outcome(const json_t *record, const contest *contest, contest_run *run) {
    const json_t *points = json_object_get(record, "points"), *tests = json_object_get(record, "tests");
    const size_t count = json_array_size(points);
    if (count == 0 || json_array_size(tests) != contest->test_count) return false;
    run->points = tool_alloc(count, sizeof *run->points);
    run->point_count = (uint32_t)count;
    for (size_t p = 0; p < count; ++p) {
        const json_t *point = json_array_get(points, p), *loss = json_array_get(point, 2);
        run->points[p] = (contest_point){.step = (uint32_t)json_integer_value(json_array_get(point, 0)),
                                         .accuracy = json_number_value(json_array_get(point, 1)),
                                         .loss = json_is_number(loss) ? json_number_value(loss) : NAN};
    }
    for (uint32_t t = 0; t < contest->test_count; ++t)
        run->test_accuracies[t] = json_number_value(json_object_get(json_array_get(tests, t), "accuracy"));
    run->test_accuracy = run->test_accuracies[0];
    run->seconds = json_number_value(json_object_get(record, "seconds"));
    run->cpu_seconds = json_number_value(json_object_get(record, "cpu_seconds"));
    return true;
}

bool experiment_records_find(const experiment_records *records, contest *contest, const contestant *who,
                             float rate, uint32_t seed, contest_run *out_run) {
    if (records->path == NULL) return false;
    *out_run = (contest_run){.who = who, .rate = rate, .seed = seed, .recorded = true};
    json_t *wanted = record_run(contest, who, rate, seed);
    bool found = false;
    for (size_t k = 0; k < json_array_size(records->lines) && !found; ++k) {
        const json_t *record = json_array_get(records->lines, k);
        found = json_equal(json_object_get(record, "run"), wanted) && read_outcome(record, contest, out_run);
    }
    json_decref(wanted);
    return found;
}

/* ---- writing ---- */

static int order_hashes(const void *a, const void *b) {
    const uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return left < right ? -1 : left > right;
}

/* Graphs that differ in more than order. */
static uint32_t count_classes(const experiment_data *data) {
    uint64_t *hashes = tool_alloc(data->graphs, sizeof *hashes);
    memcpy(hashes, data->hashes, data->graphs * sizeof *hashes);
    qsort(hashes, data->graphs, sizeof *hashes, order_hashes);
    uint32_t classes = data->graphs > 0;
    for (uint32_t k = 1; k < data->graphs; ++k) classes += hashes[k] != hashes[k - 1];
    free(hashes);
    return classes;
}

/* Rounded, so that lines stay short. */
static json_t *record_real(double number, double unit) {
    char text[32];
    if (!isfinite(number)) return tool_json_null();
    snprintf(text, sizeof text, "%.*f", unit < 1e-3 ? 6 : 3, number);
    return tool_json_real(strtod(text, NULL));
}

bool experiment_records_add(experiment_records *records, contest *contest, const contest_run *run) {
    /* What was cut short by a clock would not come out so again. */
    if (records->path == NULL || run->cut_short) return true;
    const contestant *who = run->who;
    const contest_data *data = contest_tests_of(contest, run->seed);
    json_t *points = tool_json_list(), *tests = tool_json_list();
    for (uint32_t p = 0; p < run->point_count; ++p) {
        json_t *point = tool_json_list();
        tool_json_add(point, tool_json_count(run->points[p].step));
        tool_json_add(point, record_real(run->points[p].accuracy, 1e-6));
        tool_json_add(point, record_real(run->points[p].loss, 1e-6));
        tool_json_add(points, point);
    }
    for (uint32_t t = 0; t < contest->test_count; ++t)
        tool_json_add(tests, tool_json_object("graphs", tool_json_count(data->test[t].graphs), "classes",
                                              tool_json_count(count_classes(&data->test[t])), "accuracy",
                                              record_real(run->test_accuracies[t], 1e-6), NULL));
    json_t *record =
        tool_json_object("run", record_run(contest, who, run->rate, run->seed), "quadratic",
                         tool_json_flag(who->baseline), "parameters", tool_json_count(who->parameters),
                         "tests", tests, "seconds", record_real(run->seconds, 1e-3), "cpu_seconds",
                         record_real(run->cpu_seconds, 1e-3), "points", points, NULL);
    char *text = json_dumps(record, JSON_COMPACT | JSON_REAL_PRECISION(9));
    json_decref(record);
    if (text == NULL) {
        tool_fail(contest->command, NULL, "the host has no memory left for a line of %s", records->path);
        return false;
    }
    /* One write, so that two experiments may share a file. */
    const bool fine = fprintf(records->stream, "%s\n", text) > 0 && fflush(records->stream) == 0;
    free(text);
    if (!fine) tool_fail(contest->command, NULL, "cannot write %s: %s", records->path, strerror(errno));
    return fine;
}

void experiment_records_close(experiment_records *records) {
    if (records->stream != NULL) fclose(records->stream);
    json_decref(records->lines);
}
