/* experiment_contest.c: the runs of a contest, from records or trained. See experiment_contest.h. */
#include "tool/experiment_contest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tool/experiment_records.h"

/* On the validation graphs. */
static double final_accuracy(const contest_run *run) {
    return run->points[run->point_count - 1].accuracy;
}

/* Rows have as many features as the graph has nodes. */
static bool encodings_fit_sizes(const contest *contest) {
    uint32_t n = contest->widest.n;
    bool one = true;
    for (uint32_t k = 0; k < contest->train_count; ++k) one = one && contest->train_tasks[k].n == n;
    for (uint32_t k = 0; k < contest->test_count; ++k) one = one && contest->test_tasks[k].n == n;
    for (uint32_t k = 0; !one && k < contest->contestant_count; ++k)
        if (contest->contestants[k].encoding == CONTEST_ROWS) {
            tool_fail(contest->command, NULL,
                      "%s: rows are of one number of nodes, and these graphs have several",
                      contest->contestants[k].name);
            return false;
        }
    return true;
}

bool contest_begin(contest *contest) {
    contest->data = tool_alloc(contest->settings.seeds, sizeof *contest->data);
    memset(contest->data, 0, contest->settings.seeds * sizeof *contest->data);
    return contest_set_sizes(contest) && contest_list_contestants(contest) && encodings_fit_sizes(contest);
}

static void print_run(const contest *contest, const contest_run *run, uint32_t done, uint32_t trained,
                      uint32_t all) {
    char left[TOOL_NUMBER_BYTES];
    printf("%s[%u/%u] %-8s %-28s rate %-6g seed %u: %5.1f%% after %u steps, ",
           isatty(STDOUT_FILENO) == 1 ? "\r\033[K" : "", done, all, contest->task->name, run->who->name,
           (double)run->rate, run->seed, 100 * run->test_accuracy, run->points[run->point_count - 1].step);
    if (run->recorded)
        printf("from the records\n");
    else
        printf("%.1f s%s; at most %s left\n", run->seconds, run->cut_short ? " (cut short)" : "",
               tool_time_text(contest->seconds / trained * (all - done), left));
    fflush(stdout);
}

/* Takes the run from the records if it is there, else trains and records it. */
static bool run_once(contest *contest, experiment_records *records, const contestant *who, float rate,
                     uint32_t seed, uint32_t *inout_done, uint32_t *inout_trained, uint32_t all) {
    contest_run *run = &contest->runs[contest->run_count];
    if (!experiment_records_find(records, contest, who, rate, seed, run)) {
        if (!contest->settings.silent && isatty(STDOUT_FILENO) == 1) {
            printf("\r\033[K[%u/%u] %s: %s, rate %g, seed %u ..", *inout_done + 1, all, contest->task->name,
                   who->name, (double)rate, seed);
            fflush(stdout);
        }
        if (!contest_train(contest, who, rate, seed, run, NULL) ||
            !experiment_records_add(records, contest, run)) {
            free(run->points);
            return false;
        }
        contest->seconds += run->seconds;
        ++*inout_trained;
    }
    ++contest->run_count;
    ++*inout_done;
    if (!contest->settings.silent) print_run(contest, run, *inout_done, *inout_trained, all);
    return true;
}

/* All runs of one contestant: of its rates with the first seed, then of the best of them. */
static bool run_contestant(contest *contest, experiment_records *records, const contestant *who,
                           uint32_t *inout_done, uint32_t *inout_trained, uint32_t all) {
    contest_run *best = NULL;
    for (uint32_t r = 0; r < who->rate_count; ++r) {
        contest_run *run = &contest->runs[contest->run_count];
        if (!run_once(contest, records, who, who->rates[r], 1, inout_done, inout_trained, all)) return false;
        if (best == NULL || final_accuracy(run) > final_accuracy(best)) best = run;
    }
    best->chosen = true;
    for (uint32_t seed = 2; seed <= contest->settings.seeds; ++seed) {
        contest_run *run = &contest->runs[contest->run_count];
        if (!run_once(contest, records, who, best->rate, seed, inout_done, inout_trained, all)) return false;
        run->chosen = true;
    }
    return true;
}

bool contest_run_all(contest *contest) {
    uint32_t all = 0, done = 0, trained = 0;
    for (uint32_t k = 0; k < contest->contestant_count; ++k)
        all += contest->contestants[k].rate_count + contest->settings.seeds - 1;
    contest->runs = tool_alloc(all, sizeof *contest->runs);
    experiment_records records;
    bool fine = experiment_records_open(contest->command, contest->settings.records, &records);
    for (uint32_t k = 0; fine && k < contest->contestant_count; ++k)
        fine = run_contestant(contest, &records, &contest->contestants[k], &done, &trained, all);
    experiment_records_close(&records);
    return fine;
}

void contest_end(contest *contest) {
    for (uint32_t k = 0; k < contest->run_count; ++k) free(contest->runs[k].points);
    free(contest->runs);
    contest_free_data(contest);
}
