/* experiment_scores.c: what the runs of a contest amount to. See experiment_contest.h. */
#include <math.h>

#include "tool/experiment_contest.h"

static const double solved = 0.99, unsolved = 0.90;

/* Student's t for 95%, both sides, by degrees of freedom from 1 on; beyond them the last but for rounding. */
static const double student[] = {12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
                                 2.201,  2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086,
                                 2.080,  2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042};

/* squares: sum of the runs' squared accuracies. */
static void set_interval(contest_score *score, double squares) {
    enum { KNOWN = sizeof student / sizeof student[0] };
    score->low = 0;
    score->high = 1;
    if (score->runs < 2) return;
    const uint32_t freedom = score->runs - 1;
    const double variance = fmax(0, squares - score->runs * score->mean * score->mean) / freedom;
    const double reach = student[(freedom < KNOWN ? freedom : KNOWN) - 1] * sqrt(variance / score->runs);
    score->low = fmax(0, score->mean - reach);
    score->high = fmin(1, score->mean + reach);
}

contest_score contest_score_of(const contest *contest, const contestant *who) {
    contest_score score = {.least = 1};
    bool all_solved = true;
    double squares = 0;
    for (uint32_t k = 0; k < contest->run_count; ++k) {
        const contest_run *run = &contest->runs[k];
        if (run->who != who || !run->chosen) continue;
        const double accuracy = run->test_accuracy;
        ++score.runs;
        score.mean += accuracy;
        squares += accuracy * accuracy;
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
    set_interval(&score, squares);
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
