/* status.c: status names, the thread-local error sentence, and the name of the public function in front of
 * it.
 *
 * The sentence lives in a fixed buffer of each thread: reporting that memory ran out must not need memory.
 */
#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/call.h"

enum { SENTENCE = 1024 };

static _Thread_local char error_sentence[SENTENCE];
static _Thread_local const char *error_function = ""; /* of error_sentence */
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
    return error_sentence;
}

const char *quartic_error_function(void) {
    return error_function;
}

const char *quartic_error_sentence(void) {
    return error_function[0] == 0 ? error_sentence : error_sentence + strlen(error_function) + 2;
}

/* The sentence without the name that it begins with, be it passed on ("name: ..") or its subject ("name
 * needs .."). */
static const char *without_name(const char *sentence, const char *name) {
    const size_t length = strlen(name);
    if (strncmp(sentence, name, length) != 0) return sentence;
    if (strncmp(sentence + length, ": ", 2) == 0) return sentence + length + 2;
    return sentence[length] == ' ' ? sentence + length + 1 : sentence;
}

quartic_status quartic_fail(quartic_status status, const char *format, ...) {
    /* The arguments may be parts of the sentence before. */
    char sentence[SENTENCE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    error_function = called == NULL ? "" : called;
    if (called == NULL)
        memcpy(error_sentence, sentence, sizeof sentence);
    else
        snprintf(error_sentence, sizeof error_sentence, "%s: %.*s", called, SENTENCE - 128,
                 without_name(sentence, called));
    return status;
}

QUARTIC_RAISED quartic_fail_again(quartic_status status, const char *function, const char *sentence) {
    char copy[SENTENCE];
    snprintf(copy, sizeof copy, "%s", sentence);
    memcpy(error_sentence, copy, sizeof copy);
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
