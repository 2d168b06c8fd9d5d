/* run_lock.h: keeps a second run out of a folder. The lock is on the folder itself, so no lock file can stay
 * behind. */
#ifndef QUARTIC_TOOL_RUN_LOCK_H
#define QUARTIC_TOOL_RUN_LOCK_H

#include <stdbool.h>

#include "tool/tool.h"

/* The lock is held until it is released or the process ends, however it ends. */
typedef struct run_lock {
    int descriptor; /* of the folder; -1: not held */
} run_lock;

#define RUN_LOCK_INIT                                                                                        \
    { -1 }

/* Locks a folder that exists. False, with a message, if another run holds it. Where folders cannot be locked
 * (some network file systems, or a folder that may not be read), warns and returns true without a lock. */
bool run_lock_take(const command *command, const char *folder, run_lock *lock);
void run_lock_release(run_lock *lock);

#endif
