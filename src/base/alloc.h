/* alloc.h: all heap memory of the library comes from here.
 *
 * Behind it is the C library's heap, or the allocator that the program set (quartic_allocator_set). Several
 * threads may allocate at once. Tests set an allocator that fails (tests/failing_alloc.h).
 */
#ifndef QUARTIC_BASE_ALLOC_H
#define QUARTIC_BASE_ALLOC_H

#include <stddef.h>
#include <stdint.h>

/* Returns count * size zeroed bytes aligned to 64, which the caller frees with quartic_free. Returns NULL,
 * with the thread's error message set, if memory runs out or the product overflows. A count of 0 returns a
 * valid pointer to one byte. */
void *quartic_alloc(size_t count, size_t size);

/* Moves an array of old_count elements to one of new_count, frees the old one, and returns the new one; added
 * elements are zero. memory may be NULL if old_count is 0. On failure it returns NULL, with the error message
 * set, and the old array stays valid. */
void *quartic_realloc(void *memory, size_t old_count, size_t new_count, size_t size);

/* Frees what the two functions above returned; NULL is fine. */
void quartic_free(void *memory);

/* The number of blocks that are allocated and not yet freed, over all threads. */
int64_t quartic_alloc_live(void);

#endif
