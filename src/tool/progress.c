/* progress.c: the progress bar and its plain form. See progress.h. */
#include "tool/progress.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tool/tool.h"

enum { BAR_CELLS = 24, PLAIN_LINES = 20 };
static const double terminal_pause = 0.1, plain_pause = 15.0; /* seconds */

void progress_begin(progress *progress, uint64_t done, uint64_t target, double tokens_per_step, double limit,
                    bool quiet) {
    memset(progress, 0, sizeof *progress);
    progress->first = progress->step = progress->last_line = done;
    progress->target = target;
    progress->tokens_per_step = tokens_per_step;
    progress->limit = limit;
    progress->quiet = quiet;
    progress->terminal = isatty(STDOUT_FILENO) == 1;
    progress->last_shown = quartic_clock();
}

double progress_loss(const progress *progress) {
    double sum = 0, targets = 0;
    for (uint32_t k = 0; k < progress->known; ++k) {
        sum += progress->steps[k].loss * progress->steps[k].targets;
        targets += progress->steps[k].targets;
    }
    return targets > 0 ? sum / targets : (double)NAN;
}

double progress_speed(const progress *progress) {
    double steps = (double)(progress->step - progress->first);
    return progress->seconds > 0 ? steps * progress->tokens_per_step / progress->seconds : 0;
}

static double seconds_left(const progress *progress) {
    double steps = (double)(progress->step - progress->first);
    double left = progress->seconds / steps * (double)(progress->target - progress->step);
    if (progress->limit > 0 && left > progress->limit - progress->seconds)
        left = progress->limit - progress->seconds;
    return left > 0 ? left : 0;
}

static void show_bar(const progress *progress) {
    char speed[TOOL_NUMBER_BYTES], left[TOOL_NUMBER_BYTES], bar[BAR_CELLS + 1];
    size_t full = (size_t)((double)BAR_CELLS * (double)progress->step / (double)progress->target);
    for (size_t cell = 0; cell < BAR_CELLS; ++cell) bar[cell] = cell < full ? '#' : '.';
    bar[BAR_CELLS] = 0;
    printf("\r\033[K[%s] %llu/%llu  loss %.3f  %s tokens/s  %s left", bar, (unsigned long long)progress->step,
           (unsigned long long)progress->target, progress_loss(progress),
           tool_count_text(progress_speed(progress), speed), tool_time_text(seconds_left(progress), left));
}

static void show_line(const progress *progress, const quartic_step_report *report) {
    char speed[TOOL_NUMBER_BYTES], left[TOOL_NUMBER_BYTES];
    printf("step %llu/%llu  loss %.4f  gradient %.3g  rate %.3g  %s tokens/s  %s left\n",
           (unsigned long long)progress->step, (unsigned long long)progress->target, progress_loss(progress),
           (double)report->gradient_norm, (double)report->learning_rate,
           tool_count_text(progress_speed(progress), speed), tool_time_text(seconds_left(progress), left));
}

void progress_step(progress *progress, const quartic_step_report *report, double seconds) {
    progress->step = report->step;
    progress->seconds += seconds;
    const uint64_t at = (report->step - progress->first - 1) % PROGRESS_WINDOW;
    progress->steps[at].loss = (double)report->loss;
    progress->steps[at].targets = (double)report->targets;
    if (progress->known < PROGRESS_WINDOW) ++progress->known;
    if (progress->quiet) return;
    double now = quartic_clock(), pause = progress->terminal ? terminal_pause : plain_pause;
    uint64_t lines_apart = (progress->target - progress->first + PLAIN_LINES - 1) / PLAIN_LINES;
    bool due = now - progress->last_shown >= pause || progress->step == progress->target ||
               (!progress->terminal && progress->step - progress->last_line >= lines_apart);
    if (!due) return;
    if (progress->terminal)
        show_bar(progress);
    else
        show_line(progress, report);
    fflush(stdout);
    progress->last_shown = now;
    progress->last_line = progress->step;
}

void progress_clear(const progress *progress) {
    if (progress->quiet || !progress->terminal) return;
    printf("\r\033[K");
    fflush(stdout);
}
