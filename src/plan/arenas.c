/* arenas.c: a workspace as one or several allocations. See arenas.h. */
#include "plan/arenas.h"

#include "base/alloc.h"

enum { COARSE = 1 << 16 };

uint64_t quartic_arena_span(uint64_t allocation_bytes) {
    if (allocation_bytes == 0 || allocation_bytes >= QUARTIC_PLACE_ONE_ARENA) return QUARTIC_PLACE_ONE_ARENA;
    const uint64_t unit = allocation_bytes >= COARSE ? COARSE : QUARTIC_PLACE_ALIGNMENT;
    return allocation_bytes < unit ? unit : allocation_bytes / unit * unit;
}

quartic_status quartic_arenas_set(quartic_arenas *arenas, const quartic_placer *placer) {
    const uint32_t count = quartic_placer_arenas(placer);
    uint64_t *bytes = quartic_alloc(count, sizeof *bytes);
    if (bytes == NULL) return QUARTIC_OUT_OF_MEMORY;
    for (uint32_t k = 0; k < count; ++k) bytes[k] = quartic_placer_bytes(placer, k);
    quartic_free(arenas->bytes);
    arenas->bytes = bytes;
    arenas->count = count;
    return QUARTIC_OK;
}

void quartic_arenas_destroy(quartic_arenas *arenas) {
    quartic_free(arenas->bytes);
    *arenas = (quartic_arenas){0};
}

uint64_t quartic_arenas_total(const quartic_arenas *arenas) {
    uint64_t bytes = 0;
    for (uint32_t k = 0; k < arenas->count; ++k) bytes += arenas->bytes[k];
    return bytes;
}
