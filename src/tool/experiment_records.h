/* experiment_records.h: runs of `quartic experiment` that are kept in a file, so that an interrupted experiment goes
 * on, and tables can be made again without training.
 *
 * The file is JSON Lines: an object for each run, added when the run ends. Its member "run" holds all settings on
 * which the result depends, and a mark of the test graphs, so that a record of other settings or of graphs that
 * are drawn otherwise now is not taken for the run. The other members are what came out. Lines that
 * are no record, such as one that was cut off, are left out with a warning.
 */
#ifndef QUARTIC_TOOL_EXPERIMENT_RECORDS_H
#define QUARTIC_TOOL_EXPERIMENT_RECORDS_H

#include "tool/experiment_contest.h"

typedef struct experiment_records {
    const char *path; /* NULL: nothing is kept */
    FILE *stream;     /* to add to */
    json_t *lines;    /* what was in the file */
} experiment_records;

/* path: NULL for none. On failure prints why and returns false; experiment_records_close is due in any case. */
bool experiment_records_open(const command *command, const char *path, experiment_records *out_records);
/* *out_run gets the run of these settings, with points of its own. False if there is none. */
bool experiment_records_find(const experiment_records *records, contest *contest, const contestant *who,
                             float rate, uint32_t seed, contest_run *out_run);
/* Adds a run. On failure prints why and returns false. */
bool experiment_records_add(experiment_records *records, contest *contest, const contest_run *run);
void experiment_records_close(experiment_records *records);

#endif
