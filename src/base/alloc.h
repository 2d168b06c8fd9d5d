/* alloc.h: the only door to the heap, or to the program's allocator (quartic_allocator_set).
 *
 * All memory is zeroed. The counter is atomic, so threads may allocate at once. Tests make allocations fail
 * through an allocator of theirs (tests/failing_alloc.h).
 */
#ifndef QUARTIC_BASE_ALLOC_H
#define QUARTIC_BASE_ALLOC_H

#include <stddef.h>
#include <stdint.h>

/* count * size zeroed bytes aligned to 64, or NULL with the thread's error sentence set. A count of 0 yields
 * a valid pointer of size 1. Overflow of the product is a failure. */
void *quartic_alloc(size_t count, size_t size);

/* Grows an array to new_count elements, zeroing the added ones; on failure returns NULL and the old array
 * stays valid. */
void *quartic_realloc(void *memory, size_t old_count, size_t new_count, size_t size);

void quartic_free(void *memory);

/* Blocks allocated and not yet freed, over all threads. */
int64_t quartic_alloc_live(void);

#endif
