/* checks.h: how the commands verify and validate print the library's checks: one line each, or JSON, and the
 * totals. */
#ifndef QUARTIC_TOOL_CHECKS_H
#define QUARTIC_TOOL_CHECKS_H

#include "quartic/verify.h"
#include "tool/tool.h"

typedef struct checks_view {
    bool failures_only; /* lines only for what did not pass; JSON always holds every check */
    bool strict;        /* a check that is not supported counts as failed */
    json_t *list;       /* gathers objects instead of printing lines, unless NULL */
} checks_view;

/* A quartic_check_callback; the context is a checks_view. */
void checks_show(void *view, const quartic_check *check);

/* Prints the totals, and as JSON all that was checked, also before an error (status) that ended it. The exit
 * code: failed after an error, if any check failed or none passed. */
int checks_finish(const invocation *call, checks_view *view, const char *device, quartic_status status,
                  const quartic_check_totals *totals);

#endif
