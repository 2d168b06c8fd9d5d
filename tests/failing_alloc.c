/* failing_alloc.c: see failing_alloc.h. */
#include "failing_alloc.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "quartic/host.h"

static _Atomic int64_t allocations_until_failure; /* 0 = never */

void quartic_alloc_fail_at(uint64_t nth) {
    atomic_store(&allocations_until_failure, (int64_t)nth);
}

static int failing_alloc_fails(void) {
    if (atomic_load(&allocations_until_failure) <= 0) return 0;
    return atomic_fetch_sub(&allocations_until_failure, 1) == 1;
}

static void *failing_alloc_allocate(void *context, size_t bytes, size_t alignment) {
    (void)context;
    return failing_alloc_fails() ? NULL
                                 : aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
}

static void failing_alloc_release(void *context, void *memory, size_t bytes) {
    (void)context;
    (void)bytes;
    free(memory);
}

/* Before main: an allocator is taken only while the library holds no memory. */
__attribute__((constructor)) static void set_allocator(void) {
    const quartic_allocator allocator = {sizeof allocator, failing_alloc_allocate, failing_alloc_release,
                                         NULL};
    if (quartic_allocator_set(&allocator) != QUARTIC_OK) abort();
}
