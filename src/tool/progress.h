/* progress.h: the progress of a training: one line that changes on a terminal, separate lines elsewhere. */
#ifndef QUARTIC_TOOL_PROGRESS_H
#define QUARTIC_TOOL_PROGRESS_H

#include <stdbool.h>

#include "quartic/train.h"

enum { PROGRESS_WINDOW = 20 };

typedef struct progress {
    uint64_t first, target, step; /* steps done at the start, to be done, done now */
    double tokens_per_step;
    double limit;       /* seconds after which the training ends anyway; 0: none */
    double seconds;     /* of the steps since the start */
    double last_shown;  /* on the clock */
    uint64_t last_line; /* step of the last plain line */
    struct {
        double loss, targets;
    } steps[PROGRESS_WINDOW]; /* the last ones, a ring */
    uint32_t known;           /* how many of them */
    bool quiet, terminal;
} progress;

void progress_begin(progress *progress, uint64_t done, uint64_t target, double tokens_per_step, double limit,
                    bool quiet);
/* Counts a step that took so many seconds, and prints the progress if it is time. */
void progress_step(progress *progress, const quartic_step_report *report, double seconds);
/* Wipes the changing line, so that something else can be printed. */
void progress_clear(const progress *progress);

/* Mean loss of the targets of the last PROGRESS_WINDOW steps, NaN if there were none; tokens per second since
 * the start. */
double progress_loss(const progress *progress);
double progress_speed(const progress *progress);

#endif
