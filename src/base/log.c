/* log.c: sends messages to the program's callback, else to standard error. See log.h and quartic/host.h. */
#include "base/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>

/* Guards callback and context, which belong together. */
static pthread_mutex_t setting = PTHREAD_MUTEX_INITIALIZER;
static quartic_log_callback log_callback;
static void *log_context;

void quartic_log_set(quartic_log_callback callback, void *context) {
    pthread_mutex_lock(&setting);
    log_callback = callback;
    log_context = context;
    pthread_mutex_unlock(&setting);
}

void quartic_tell(quartic_log_level level, const char *format, ...) {
    char message[4096];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    pthread_mutex_lock(&setting);
    const quartic_log_callback callback = log_callback;
    void *const context = log_context;
    pthread_mutex_unlock(&setting);
    if (callback != NULL)
        callback(context, level, message);
    else
        fprintf(stderr, "quartic: %s\n", message);
}
