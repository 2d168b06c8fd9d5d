/* experiment_report.h: results.csv with every evaluation of every run, and report.md with the tables. */
#ifndef QUARTIC_TOOL_EXPERIMENT_REPORT_H
#define QUARTIC_TOOL_EXPERIMENT_REPORT_H

#include <stdio.h>

#include "tool/experiment_contest.h"
#include "tool/files.h"

/* A file as it grows in memory: each state of it replaces the one before as a whole. */
typedef struct report_file {
    char path[TOOL_PATH_BYTES];
    FILE *stream; /* into text */
    char *text;
    size_t bytes;
} report_file;

typedef struct experiment_report {
    report_file csv, markdown;
} experiment_report;

/* Creates FOLDER/results.csv and FOLDER/report.md. On failure prints why and returns false. */
bool experiment_report_open(const command *command, const char *folder, const char *device,
                            experiment_report *out_report);
void experiment_report_add(experiment_report *report, contest *contest, const char *map_name);
/* False, with a message, if something was not written. */
bool experiment_report_close(const command *command, experiment_report *report);

/* The table and the verdict of a contest as JSON. */
json_t *experiment_report_json(contest *contest);

/* The table of a contest as Markdown. */
void experiment_print_table(FILE *stream, const contest *contest);
/* One line: the best form against the best baseline. */
void experiment_print_verdict(FILE *stream, const contest *contest);

#endif
