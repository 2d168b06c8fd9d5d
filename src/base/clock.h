/* clock.h: seconds of a clock that only runs forward, for measuring durations.
 *
 * Inline for the same reason as find.h: the command `quartic` uses it too.
 */
#ifndef QUARTIC_BASE_CLOCK_H
#define QUARTIC_BASE_CLOCK_H

#include <time.h>

/* Seconds since some moment in the past; only differences mean anything. */
static inline double quartic_clock(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

#endif
