/* report.h: what the files of `quartic report` share.
 *
 * A report is one JSON object, which report.c makes of the files that scripts/gpu_report.sh left:
 *
 *   format, state, complete      1; how the run ended; whether every part was run and none failed
 *   facts                        date, version, commit, .. as texts
 *   groups                       list of {group, planned, done, failed, missing}
 *   missing                      list of "group item: status", all that was planned and did not end well
 *   measurements                 list of {what, n, pass, variant, seconds}; variant "quartic" is this library
 *   parts                        list of {group, item, command, status, exit_code, seconds, result, messages}
 *
 * The other files draw and write what is in it.
 */
#ifndef QUARTIC_TOOL_REPORT_H
#define QUARTIC_TOOL_REPORT_H

#include <stdio.h>

#include "tool/tool.h"

/* The text of a member, "" if it is missing or no text; the object keeps it. */
const char *report_text_of(const json_t *object, const char *key);
/* The number of a member, whole or not; NAN if it is missing or no number. */
double report_number_of(const json_t *object, const char *key);

/* The whole report as Markdown. */
void report_write_markdown(FILE *stream, const json_t *report);
/* A plot of all times as SVG: models and kernels over n, this library's and the others'. */
void report_write_plot(FILE *stream, const json_t *report);

#endif
