/* run_lock.h: keeps a second run out of a folder. The lock is on the folder itself, so no lock file can stay
 * behind. */
#ifndef QUARTIC_TOOL_RUN_LOCK_H
#define QUARTIC_TOOL_RUN_LOCK_H

#include <stdbool.h>

#include "tool/tool.h"

/* The lock is held until it is released or the process ends, however it ends. */
typedef struct run_lock {
    int descriptor; /* of the folder; -1: not held */
    int of_file;    /* of the folder that the run's file is in, if a link leads there; -1: none */
} run_lock;

#define RUN_LOCK_INIT                                                                                        \
    { -1, -1 }

/* Locks a folder that exists and, if the file of that path is a link into another folder, that one too: two
 * folders may lead to one file. False, with a message, if another run holds one of them. Where folders cannot be
 * locked (some network file systems, or a folder that may not be read), warns and returns true without a lock.
 * file may be NULL. */
bool run_lock_take(const command *command, const char *folder, const char *file, run_lock *lock);
void run_lock_release(run_lock *lock);

#endif
