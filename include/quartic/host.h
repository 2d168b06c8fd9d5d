/* host.h: what the library takes from the program that it is part of: where messages go, and memory.
 *
 * Both settings are of the whole process. A program that sets neither gets standard error and the C library's
 * heap.
 */
#ifndef QUARTIC_HOST_H
#define QUARTIC_HOST_H

#include <stddef.h>

#include "quartic/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How much a message matters. An error here is none of a call, which has its status: it is something that was
 * found beside one, such as a misuse of Vulkan that the validation layers saw. */
typedef enum quartic_log_level { QUARTIC_LOG_INFO, QUARTIC_LOG_WARNING, QUARTIC_LOG_ERROR } quartic_log_level;

/* message: one or more lines without a final newline, valid during the call only. Called by the thread whose
 * call of the library has something to say, and by threads of a Vulkan driver; several may call at once. It
 * must not call functions of the library, throw, or jump. */
typedef void (*quartic_log_callback)(void *context, quartic_log_level level, const char *message);

/* Sends messages to callback; NULL: to standard error, each with "quartic: " in front, as at the start. The
 * library says nothing but: what the validation layers report (QUARTIC_VALIDATION=1), and warnings of what
 * works but not as asked for. May be called at any time by any thread; a call that another thread is in may
 * still use the callback before. context may be NULL. */
QUARTIC_API void quartic_log_set(quartic_log_callback callback, void *context);

/* Memory from the program. Both functions may be called by several threads at once, and must not call
 * functions of the library, throw, or jump. */
typedef struct quartic_allocator {
    size_t struct_size;
    /* At least bytes (never 0) at an address that is a multiple of alignment (a power of two of at most 64),
     * or NULL if there is no memory: the call then fails with OUT_OF_MEMORY. The contents may be anything. */
    void *(*allocate)(void *context, size_t bytes, size_t alignment);
    /* memory is never NULL; bytes are those that it was allocated with. */
    void (*release)(void *context, void *memory, size_t bytes);
    void *context; /* given to both; may be NULL */
} quartic_allocator;

#define QUARTIC_ALLOCATOR_INIT                                                                               \
    { sizeof(quartic_allocator), 0, 0, 0 }

/* Takes all memory of the library on the heap from the allocator; NULL: from the C library again. Only while
 * the library holds no memory, before the first object is made or after the last is destroyed, and while no
 * other thread is in a call of the library: what was allocated by one is never released by another. The
 * struct is copied. What the library uses is beyond it: the Vulkan driver and OpenMP
 * have heaps of their own. Errors: INVALID_ARGUMENT (a function is missing; memory is held, with the number
 * of blocks). */
QUARTIC_API quartic_status quartic_allocator_set(const quartic_allocator *allocator);

#ifdef __cplusplus
}
#endif
#endif
