/* harness.h: how checks run graphs and report what they found.
 *
 * A graph runs once on a device. Its workspace and its outputs start as poison, so that a kernel that reads
 * what no kernel wrote spoils its result. Memory that no kernel may write is compared bit by bit afterwards:
 * inputs, a border behind every tensor, and the bytes of the workspace that the plan has not assigned.
 */
#ifndef QUARTIC_VERIFY_HARNESS_H
#define QUARTIC_VERIFY_HARNESS_H

#include "base/options.h"
#include "base/status.h"
#include "quartic/program.h"
#include "quartic/verify.h"
#include "verify/compare.h"

enum { QUARTIC_HARNESS_NAME = 32, QUARTIC_HARNESS_TEXT = 1024 };

/* What to read after the run: an output or state of 4-byte elements. */
typedef struct quartic_fetch {
    const char *name;
    void *numbers;
    uint64_t count;
} quartic_fetch;

/* Writes the feeds, runs once, reads the fetches. States that are fetched must be fed. Errors: those of the
 * program; INTERNAL with a message if memory was written that must not be. */
quartic_status quartic_harness_run(quartic_device *device, const quartic_graph *graph,
                                   const quartic_feed *feeds, uint32_t feed_count,
                                   const quartic_fetch *fetches, uint32_t fetch_count);

extern const quartic_options_type quartic_validate_config_type;

/* Counts the results of checks and hands them to the caller's function. */
typedef struct quartic_reporter {
    quartic_check_callback callback;
    void *context;
    quartic_check_totals totals;
} quartic_reporter;

/* Counts a check and calls the callback, if there is one. */
void quartic_report(quartic_reporter *reporter, const quartic_check *check);

#endif
