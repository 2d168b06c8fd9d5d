/* status.h (internal): raising errors.
 *
 * quartic_fail sets the thread's error message and returns the status, so a check is one line:
 *
 *     if (n == 0) return quartic_fail(QUARTIC_INVALID_ARGUMENT, "n is 0; give at least one token");
 *
 * It puts the name of the public function that was called in front of the message (call.h).
 */
#ifndef QUARTIC_BASE_STATUS_H
#define QUARTIC_BASE_STATUS_H

#include "quartic/status.h"

/* The return type of functions that raise an error. The test slow.statuses finds calls whose quartic_status
 * is ignored. A function that returns NULL may raise an error and ignore the status, so there it is an
 * int. */
#if defined(QUARTIC_CHECK_STATUSES)
#define QUARTIC_RAISED int
#else
#define QUARTIC_RAISED quartic_status
#endif

/* Sets the thread's error message and returns the status. Arguments may point into the message before. */
QUARTIC_RAISED quartic_fail(quartic_status status, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The thread's error message without the function's name in front, to be quoted in another message. Valid
 * until the thread's next error. */
const char *quartic_error_detail(void);

/* Raises an error that was kept: function (static, "" for none) and message as quartic_error_function and
 * quartic_error_message returned them. */
QUARTIC_RAISED quartic_fail_again(quartic_status status, const char *function, const char *message);

/* Returns from the calling function when an expression yields anything but QUARTIC_OK. */
#define QUARTIC_TRY(expression)                                                                              \
    do {                                                                                                     \
        quartic_status try_status_ = (expression);                                                           \
        if (try_status_ != QUARTIC_OK) return try_status_;                                                   \
    } while (0)

#endif
