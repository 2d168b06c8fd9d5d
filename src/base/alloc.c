/* alloc.c: zeroed, 64-byte aligned, counted allocations with an injectable failure. See alloc.h. */
#include "base/alloc.h"
#include "base/status.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { ALIGNMENT = 64 };

static _Atomic int64_t live_blocks;
static _Atomic int64_t allocations_until_failure; /* 0 = never */

void quartic_alloc_fail_at(uint64_t nth) {
    atomic_store(&allocations_until_failure, (int64_t)nth);
}

int64_t quartic_alloc_live(void) {
    return atomic_load(&live_blocks);
}

static int injected_failure(void) {
    if (atomic_load(&allocations_until_failure) <= 0) return 0;
    return atomic_fetch_sub(&allocations_until_failure, 1) == 1;
}

void *quartic_alloc(size_t count, size_t size) {
    if (size != 0 && count > (SIZE_MAX - ALIGNMENT) / size) {
        quartic_fail(QUARTIC_OUT_OF_MEMORY, "an allocation of %zu elements of %zu bytes overflows", count,
                     size);
        return NULL;
    }
    size_t bytes = count * size;
    size_t rounded = (bytes == 0 ? 1 : bytes) + ALIGNMENT - 1;
    rounded -= rounded % ALIGNMENT;
    void *memory = injected_failure() ? NULL : aligned_alloc(ALIGNMENT, rounded);
    if (memory == NULL) {
        quartic_fail(QUARTIC_OUT_OF_MEMORY, "the host has no memory left for an allocation of %zu bytes",
                     bytes);
        return NULL;
    }
    memset(memory, 0, rounded);
    atomic_fetch_add(&live_blocks, 1);
    return memory;
}

void *quartic_realloc(void *memory, size_t old_count, size_t new_count, size_t size) {
    void *grown = quartic_alloc(new_count, size);
    if (grown == NULL) return NULL;
    if (memory != NULL) {
        memcpy(grown, memory, (old_count < new_count ? old_count : new_count) * size);
        quartic_free(memory);
    }
    return grown;
}

void quartic_free(void *memory) {
    if (memory == NULL) return;
    free(memory);
    atomic_fetch_sub(&live_blocks, 1);
}
