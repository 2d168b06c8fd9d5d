/* work.h: counts the rounds of loops, so that tests can check that their number does not grow quadratically.
 *
 * Planning, gradients and look-ups by name must take time about proportional to the number of a graph's
 * steps. A test of seconds would depend on the machine; this count, kept for each thread, does not.
 */
#ifndef QUARTIC_BASE_WORK_H
#define QUARTIC_BASE_WORK_H

#include <stdint.h>

/* Adds to the calling thread's count. */
void quartic_work(uint64_t rounds);

/* The calling thread's count since the thread began. */
uint64_t quartic_work_done(void);

#endif
