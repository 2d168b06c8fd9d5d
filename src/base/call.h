/* call.h: what every public function does first: it says its name, then looks at its arguments.
 *
 * QUARTIC_CALL() stands at the head of each. Public functions call one another; the outermost of a thread is
 * the one that the caller knows, and quartic_fail puts its name in front of the sentence. The name is taken
 * back when the function returns, whichever way it does. The function computes in the standard floating-point
 * environment (floats.h).
 */
#ifndef QUARTIC_BASE_CALL_H
#define QUARTIC_BASE_CALL_H

#include <stddef.h>

#include "base/floats.h"
#include "base/status.h"

/* Makes function the thread's call unless there is one; returns what was there, for leave. */
const char *quartic_call_enter(const char *function);
void quartic_call_leave(const char *const *before);

#define QUARTIC_CALL()                                                                                       \
    const char *const quartic_call_before __attribute__((cleanup(quartic_call_leave), unused)) =             \
        quartic_call_enter(__func__);                                                                        \
    QUARTIC_STANDARD_FLOATS

/* Around a callback of the caller's: what it calls and what fails there is its own, not the library's. */
const char *quartic_call_suspend(void);
void quartic_call_resume(const char *function);

/* INVALID_ARGUMENT, saying that an argument is NULL. */
QUARTIC_RAISED quartic_fail_null(const char *argument);

/* Returns from the public function if an argument that it needs is NULL; the second form returns a result
 * that is no status (or none: QUARTIC_NEED_OR(argument, )). */
#define QUARTIC_NEED(argument)                                                                               \
    do {                                                                                                     \
        if ((argument) == NULL) return quartic_fail_null(#argument);                                         \
    } while (0)
#define QUARTIC_NEED_OR(argument, result)                                                                    \
    do {                                                                                                     \
        if ((argument) == NULL) {                                                                            \
            quartic_fail_null(#argument);                                                                    \
            return result;                                                                                   \
        }                                                                                                    \
    } while (0)

#endif
