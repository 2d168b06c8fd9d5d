/* threads.h: calling what runs on OpenMP's threads, in any state of the host process.
 *
 * - Threads that cannot be made (ulimit -v, -u) are an error here; the OpenMP runtime would end the process.
 * - Threads do not survive fork(), but the runtime does not know: in a child it would wait for them for ever.
 *   There the work is done on a thread of its own, which gets new ones.
 * - All of them compute in the standard floating-point environment (floats.h).
 */
#ifndef QUARTIC_BASE_THREADS_H
#define QUARTIC_BASE_THREADS_H

#include <stdint.h>

#include "base/status.h"

/* work(context), whose parallel regions have at most that many threads. The status is the work's, or
 * OUT_OF_MEMORY where the threads cannot be made; then nothing was done. */
quartic_status quartic_threads_call(uint32_t threads, quartic_status (*work)(void *context), void *context);

/* The number of threads of a parallel region unless told otherwise. */
uint32_t quartic_threads_default(void);

/* A number that differs between a process and those that are made from it by fork(). */
int64_t quartic_process(void);

#endif
