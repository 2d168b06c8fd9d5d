/* work.h: counts the rounds of loops that must not grow with the square of a graph.
 *
 * Planning, gradients and look-ups by name are to take time about proportional to the number of steps. A test
 * that measured seconds would depend on the machine; this counter, of the calling thread, does not.
 */
#ifndef QUARTIC_BASE_WORK_H
#define QUARTIC_BASE_WORK_H

#include <stdint.h>

void quartic_work(uint64_t rounds);

/* Rounds of the thread since it began. */
uint64_t quartic_work_done(void);

#endif
