/* status.c: status names and the thread-local error sentence.
 *
 * The sentence lives in a fixed buffer of each thread: reporting that memory ran out must not need memory.
 */
#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>

static _Thread_local char error_sentence[1024];

const char *quartic_status_name(quartic_status status) {
    static const char *const names[] = {
#define STATUS_NAME(name, meaning) "QUARTIC_" #name,
        QUARTIC_STATUS_LIST(STATUS_NAME)
#undef STATUS_NAME
    };
    unsigned index = (unsigned)status;
    return index < sizeof names / sizeof names[0] ? names[index] : "unknown status";
}

const char *quartic_error_message(void) {
    return error_sentence;
}

quartic_status quartic_fail(quartic_status status, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error_sentence, sizeof error_sentence, format, arguments);
    va_end(arguments);
    return status;
}
