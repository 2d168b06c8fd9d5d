/* status.h (internal): the way to raise an error.
 *
 * quartic_fail formats the thread's error sentence and returns the status, so a check is one line:
 *     if (n == 0) return quartic_fail(QUARTIC_INVALID_ARGUMENT, "n is 0; give at least one token");
 * The name of the public function that was called comes in front by itself (see call.h).
 */
#ifndef QUARTIC_BASE_STATUS_H
#define QUARTIC_BASE_STATUS_H

#include "quartic/status.h"

/* For slow.statuses, which finds statuses that are dropped: raising an error where there is none to return,
 * such as in a function that returns NULL, drops none. */
#if defined(QUARTIC_CHECK_STATUSES)
#define QUARTIC_RAISED int
#else
#define QUARTIC_RAISED quartic_status
#endif

QUARTIC_RAISED quartic_fail(quartic_status status, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The thread's error sentence without the function's name in front: to be part of another sentence. */
const char *quartic_error_sentence(void);

/* Raises an error that was kept: function (static; "" for none) and sentence as quartic_error_function and
 * quartic_error_message gave them. */
QUARTIC_RAISED quartic_fail_again(quartic_status status, const char *function, const char *sentence);

/* Returns from the calling function when an expression yields anything but QUARTIC_OK. */
#define QUARTIC_TRY(expression)                                                                              \
    do {                                                                                                     \
        quartic_status try_status_ = (expression);                                                           \
        if (try_status_ != QUARTIC_OK) return try_status_;                                                   \
    } while (0)

#endif
