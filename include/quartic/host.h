/* host.h: what the program provides: where messages go, and memory. All of it is stable.
 *
 * Both settings hold for the whole process. By default messages go to standard error and memory comes from
 * the C library's heap.
 */
#ifndef QUARTIC_HOST_H
#define QUARTIC_HOST_H

#include <stddef.h>

#include "quartic/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How much a message matters. QUARTIC_LOG_ERROR is not the error of a call, which its status tells, but
 * something found during one, such as a misuse of Vulkan that the validation layers report. */
typedef enum quartic_log_level { QUARTIC_LOG_INFO, QUARTIC_LOG_WARNING, QUARTIC_LOG_ERROR } quartic_log_level;

/* Receives a message: one or more lines without a final newline, valid during the call only. It is called by
 * the thread that is in a call of the library, and by threads of a Vulkan driver, possibly several at once.
 * It must not call functions of the library, throw, or jump. */
typedef void (*quartic_log_callback)(void *context, quartic_log_level level, const char *message);

/* Sends messages to callback, or, if it is NULL, to standard error with "quartic: " in front, which is the
 * default. There are two kinds of messages: what the validation layers report (QUARTIC_VALIDATION=1), and
 * warnings of what works, but not as it was asked for. context may be NULL; it and the callback must stay
 * valid until another is set. Any thread may call this at any time; calls of the library by other threads may
 * use the former callback until they return. Cannot fail. */
QUARTIC_API void quartic_log_set(quartic_log_callback callback, void *context);

/* The program's allocator. Several threads may call both functions at once. They must not call functions of
 * the library, throw, or jump. */
typedef struct quartic_allocator {
    size_t struct_size;
    /* Returns memory of at least `bytes` (never 0) at a multiple of alignment (a power of two of at most 64),
     * with any contents; or NULL, with which the call of the library fails with OUT_OF_MEMORY. */
    void *(*allocate)(void *context, size_t bytes, size_t alignment);
    /* Frees memory, never NULL, that was allocated with the same number of bytes. */
    void (*release)(void *context, void *memory, size_t bytes);
    void *context; /* passed to both functions; may be NULL */
} quartic_allocator;

#define QUARTIC_ALLOCATOR_INIT                                                                               \
    { sizeof(quartic_allocator), 0, 0, 0 }

/* Takes all heap memory of the library from the allocator, or, if it is NULL, from the C library. Allowed
 * only while the library holds no memory (before the first object is made or after the last is destroyed) and
 * no other thread is in a call of the library. The struct is copied. The Vulkan driver and OpenMP have heaps
 * of their own. Errors: INVALID_ARGUMENT (a function is missing; memory is held, with the number of
 * blocks). */
QUARTIC_API quartic_status quartic_allocator_set(const quartic_allocator *allocator);

#ifdef __cplusplus
}
#endif
#endif
