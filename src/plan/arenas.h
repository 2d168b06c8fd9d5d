/* arenas.h: a workspace as one or several allocations. Pure.
 *
 * A device may grant less in one allocation than a workspace takes: 2 or 4 GiB on some. So the offsets of a
 * workspace go through arenas, each of one allocation: arena k has those from k * span on, and what lies in
 * the workspace lies in one arena (place.h). Only the arenas that are used are there, and each only as long as
 * what lies in it.
 */
#ifndef QUARTIC_PLAN_ARENAS_H
#define QUARTIC_PLAN_ARENAS_H

#include "plan/place.h"

typedef struct quartic_arenas {
    uint64_t span; /* offsets of one */
    uint32_t count;
    uint64_t *bytes; /* what each takes, `count` of them; freed by quartic_arenas_destroy */
} quartic_arenas;

/* The span where one allocation may take so many bytes; 0: anything, and there is one arena. Drivers round
 * allocations up, so the span is a multiple of 64 KiB, or of 256 bytes below that. */
uint64_t quartic_arena_span(uint64_t allocation_bytes);

/* Takes count and bytes over from a placer of that span. Errors: OUT_OF_MEMORY. */
quartic_status quartic_arenas_set(quartic_arenas *arenas, const quartic_placer *placer);
void quartic_arenas_destroy(quartic_arenas *arenas);

/* The bytes of all arenas. */
uint64_t quartic_arenas_total(const quartic_arenas *arenas);

/* The arena of an offset in the workspace, and the offset in it. */
static inline uint32_t quartic_arena_of(const quartic_arenas *arenas, uint64_t offset) {
    return (uint32_t)(offset / arenas->span);
}
static inline uint64_t quartic_arena_offset(const quartic_arenas *arenas, uint64_t offset) {
    return offset % arenas->span;
}

#endif
