/* status.c: names of statuses, and each thread's error message with the name of the public function in front.
 *
 * The message is kept in a fixed buffer of each thread: reporting that memory ran out must not need memory.
 */
#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/call.h"

enum { MESSAGE_BYTES = 1024 };

static _Thread_local char error_message[MESSAGE_BYTES];
static _Thread_local const char *error_function = ""; /* of error_message */
static _Thread_local const char *called;              /* the public function that the caller is in, or NULL */

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
    return error_message;
}

const char *quartic_error_function(void) {
    return error_function;
}

const char *quartic_error_detail(void) {
    return error_function[0] == 0 ? error_message : error_message + strlen(error_function) + 2;
}

/* The message without the name that it begins with, either as a prefix ("name: ..") or as the subject of the
 * sentence ("name needs .."). */
static const char *without_name(const char *message, const char *name) {
    const size_t length = strlen(name);
    if (strncmp(message, name, length) != 0) return message;
    if (strncmp(message + length, ": ", 2) == 0) return message + length + 2;
    return message[length] == ' ' ? message + length + 1 : message;
}

quartic_status quartic_fail(quartic_status status, const char *format, ...) {
    /* The arguments may point into error_message. */
    char message[MESSAGE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    error_function = called == NULL ? "" : called;
    if (called == NULL)
        memcpy(error_message, message, sizeof message);
    else
        snprintf(error_message, sizeof error_message, "%s: %.*s", called, MESSAGE_BYTES - 128,
                 without_name(message, called));
    return status;
}

QUARTIC_RAISED quartic_fail_again(quartic_status status, const char *function, const char *message) {
    char copy[MESSAGE_BYTES];
    snprintf(copy, sizeof copy, "%s", message);
    memcpy(error_message, copy, sizeof copy);
    error_function = function;
    return status;
}

/* ---- the public function that is running ---- */

const char *quartic_call_enter(const char *function) {
    const char *before = called;
    if (before == NULL) called = function;
    return before;
}

void quartic_call_leave(const char *const *before) {
    called = *before;
}

const char *quartic_call_suspend(void) {
    const char *function = called;
    called = NULL;
    return function;
}

void quartic_call_resume(const char *function) {
    called = function;
}

QUARTIC_RAISED quartic_fail_null(const char *argument) {
    return quartic_fail(QUARTIC_INVALID_ARGUMENT, "%s is NULL, which this function does not take", argument);
}
