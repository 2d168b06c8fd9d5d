/* alloc.c: zeroed, 64-byte aligned, counted allocations, from the C library or from the program's allocator.
 * See alloc.h and quartic/host.h.
 *
 *   block:  ALIGNMENT bytes that begin with the size of the whole block | the caller's bytes | padding
 *
 * The size is there because the program's allocator is told it when the block is released.
 */
#include "base/alloc.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/call.h"
#include "base/options.h"
#include "quartic/host.h"

enum { ALIGNMENT = 64 };

static void *standard_allocate(void *context, size_t bytes, size_t alignment) {
    (void)context;
    return aligned_alloc(alignment, bytes); /* bytes are a multiple of alignment */
}

static void standard_release(void *context, void *memory, size_t bytes) {
    (void)context;
    (void)bytes;
    free(memory);
}

static const quartic_allocator standard = {sizeof standard, standard_allocate, standard_release, NULL};
static quartic_allocator allocator = {sizeof standard, standard_allocate, standard_release, NULL};

static _Atomic int64_t live_blocks;

int64_t quartic_alloc_live(void) {
    return atomic_load(&live_blocks);
}

quartic_status quartic_allocator_set(const quartic_allocator *given) {
    static const quartic_allocator none = QUARTIC_ALLOCATOR_INIT;
    static const quartic_options_type type = {"quartic_allocator", "QUARTIC_ALLOCATOR_INIT", sizeof none, 0,
                                              &none};
    QUARTIC_CALL();
    quartic_allocator chosen = standard;
    if (given != NULL) QUARTIC_TRY(quartic_options_read(&type, given, &chosen));
    if (chosen.allocate == NULL || chosen.release == NULL)
        return quartic_fail(QUARTIC_INVALID_ARGUMENT,
                            "allocator->%s is NULL; an allocator has both functions",
                            chosen.allocate == NULL ? "allocate" : "release");
    const int64_t live = quartic_alloc_live();
    if (live != 0)
        return quartic_fail(
            QUARTIC_INVALID_ARGUMENT,
            "the library holds %lld blocks of memory from the allocator before; set an allocator "
            "before the first object is made, or destroy all objects first",
            (long long)live);
    allocator = chosen;
    return QUARTIC_OK;
}

void *quartic_alloc(size_t count, size_t size) {
    if (size != 0 && count > (SIZE_MAX - 2 * ALIGNMENT) / size) {
        quartic_fail(QUARTIC_OUT_OF_MEMORY, "an allocation of %zu elements of %zu bytes overflows", count,
                     size);
        return NULL;
    }
    const size_t bytes = count * size;
    size_t whole = ALIGNMENT + (bytes == 0 ? 1 : bytes) + ALIGNMENT - 1;
    whole -= whole % ALIGNMENT;
    char *block = allocator.allocate(allocator.context, whole, ALIGNMENT);
    if (block == NULL) {
        quartic_fail(QUARTIC_OUT_OF_MEMORY, "the host has no memory left for an allocation of %zu bytes",
                     bytes);
        return NULL;
    }
    memset(block, 0, whole);
    memcpy(block, &whole, sizeof whole);
    atomic_fetch_add(&live_blocks, 1);
    return block + ALIGNMENT;
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
    char *block = (char *)memory - ALIGNMENT;
    size_t whole;
    memcpy(&whole, block, sizeof whole);
    allocator.release(allocator.context, block, whole);
    atomic_fetch_sub(&live_blocks, 1);
}
