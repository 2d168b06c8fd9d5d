/* call.h: the first lines of every public function: QUARTIC_CALL(), then QUARTIC_NEED for its pointers.
 *
 * QUARTIC_CALL() does two things until the function returns, by whichever return:
 * - It names the function in error messages (quartic_fail). Public functions call one another; the name is
 *   that of the thread's outermost one, which the caller knows.
 * - It sets the standard floating-point environment (floats.h).
 */
#ifndef QUARTIC_BASE_CALL_H
#define QUARTIC_BASE_CALL_H

#include <stddef.h>

#include "base/floats.h"
#include "base/status.h"

/* Makes function the thread's current call unless there is one. Returns what was current before, for
 * leave. */
const char *quartic_call_enter(const char *function);
void quartic_call_leave(const char *const *before);

#define QUARTIC_CALL()                                                                                       \
    const char *const quartic_call_before __attribute__((cleanup(quartic_call_leave), unused)) =             \
        quartic_call_enter(__func__);                                                                        \
    QUARTIC_STANDARD_FLOATS

/* Around a callback of the program: a public function that it calls counts as an outermost one. suspend
 * returns the current name, which resume takes. */
const char *quartic_call_suspend(void);
void quartic_call_resume(const char *function);

/* Fails with INVALID_ARGUMENT; the message says that the argument is NULL. */
QUARTIC_RAISED quartic_fail_null(const char *argument);

/* Return from the public function, with an error, if a pointer that it needs is NULL. QUARTIC_NEED returns
 * the status, QUARTIC_NEED_OR the given result; a void function writes QUARTIC_NEED_OR(argument, ). */
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
