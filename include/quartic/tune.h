/* tune.h: GPU plans by measurement instead of by estimate. All of it is unstable; quartic.h says what that means.
 *
 * For each op of a graph for which plans have a choice (tiles, parts of a divided sum, rows of a thread, the form of
 * Taylor attention and its states, the size of subgroups) quartic_tune times the candidates on the device, checks
 * that their results are those of the plan's own choice within the op's bound, and keeps the quickest. The
 * winners stand in a file beside the pipeline cache (quartic/vulkan.h), for this device, driver and build of the
 * library, and every Vulkan device that is opened takes them from there.
 *
 * Another choice may add in another order, so numbers of runs with and without, or with different winners, differ within
 * rounding. Where that must not be, quartic_device_ignore_tuning leaves all of it out; checkpoints record the hash of
 * the choices that they were made with (metadata "tuning").
 */
#ifndef QUARTIC_TUNE_H
#define QUARTIC_TUNE_H

#include "quartic/device.h"
#include "quartic/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One problem that was tuned. Texts are valid during the callback only. */
typedef struct quartic_tuned {
    const char *op, *label; /* label: the scope of the first node that has the problem */
    uint32_t candidates,
        refused;        /* all, the plan's own included; those that failed, or whose results differ */
    uint32_t chosen;    /* index of the winner; 0: the plan's own */
    const char *choice; /* in words */
    double own_seconds, seconds; /* of the plan's own choice, of the winner */
} quartic_tuned;

typedef void (*quartic_tune_callback)(void *context, const quartic_tuned *tuned);

typedef struct quartic_tune_config {
    size_t struct_size;
    uint32_t repeat;                /* timed runs of a candidate, of which the shortest counts */
    float seconds;                  /* begin no problem after that time; 0: no limit */
    uint32_t again;                 /* 1: also problems whose choice is known already */
    quartic_tune_callback callback; /* NULL: none */
    void *context;
} quartic_tune_config;

#define QUARTIC_TUNE_CONFIG_INIT                                                                             \
    { sizeof(quartic_tune_config), 5, 0.0f, 0, 0, 0 }

typedef struct quartic_tune_totals {
    uint32_t problems, tuned, improved; /* with a choice; timed now; where another than the plan's own won */
    double own_seconds, seconds;        /* of all that were timed now: before, after */
} quartic_tune_totals;

/* Tunes all distinct problems of a graph on a Vulkan device and writes the file after each. config and out_totals may
 * be NULL. Errors: UNSUPPORTED (no Vulkan device), the graph's own first error, IO (the file; the choices are
 * in use by this device all the same), OUT_OF_MEMORY, OUT_OF_DEVICE_MEMORY, DEVICE_LOST. Submits. */
QUARTIC_API quartic_status quartic_tune(quartic_device *device, const quartic_graph *graph,
                                        const quartic_tune_config *config, quartic_tune_totals *out_totals);

/* The hash of the choices that programs of this device are made with; 0 if there are none, as on CPU devices, and for
 * NULL, with an error message. */
QUARTIC_API uint64_t quartic_device_tuning_hash(const quartic_device *device);

/* Leaves all measured choices out from here on, for programs of this device that are made later. The file stays. */
QUARTIC_API quartic_status quartic_device_ignore_tuning(quartic_device *device);

#ifdef __cplusplus
}
#endif
#endif
