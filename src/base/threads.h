/* threads.h: runs work that uses OpenMP's threads, whatever state the host process is in.
 *
 * - Where threads cannot be made (ulimit -v, -u), the call returns an error. The OpenMP runtime itself would
 *   end the process.
 * - Threads do not survive fork(), but the runtime does not know that: in the child it would wait for them
 *   for ever. In a child the work therefore runs on a new thread, for which the runtime makes new threads.
 * - All threads compute in the standard floating-point environment (floats.h).
 */
#ifndef QUARTIC_BASE_THREADS_H
#define QUARTIC_BASE_THREADS_H

#include <stdint.h>

#include "base/status.h"

/* Calls work(context), whose parallel regions have at most that many threads, and returns its status. Returns
 * OUT_OF_MEMORY, without having called it, if the threads cannot be made. */
quartic_status quartic_threads_call(uint32_t threads, quartic_status (*work)(void *context), void *context);

/* The number of threads that OpenMP uses by default for a parallel region, at least 1. */
uint32_t quartic_threads_default(void);

/* The number of this process; a child made by fork() has another one. */
int64_t quartic_process(void);

#endif
