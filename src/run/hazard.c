/* hazard.c: barriers from byte ranges. See hazard.h. */
#include "run/hazard.h"

#include "base/alloc.h"
#include "base/work.h"

#include <string.h>

enum { MOST_RANGES = 1024 };

static bool ranges_conflict(const quartic_hazard_range *a, const quartic_hazard_range *b) {
    uint64_t begin = a->begin > b->begin ? a->begin : b->begin, end = a->end < b->end ? a->end : b->end;
    if (a->owner != 0 && a->owner == b->owner) return false;
    return ((a->access | b->access) & QUARTIC_WRITE) != 0 && begin < end;
}

quartic_status quartic_hazards_add(quartic_hazards *hazards, const quartic_hazard_range *ranges,
                                   uint32_t count, bool *out_barrier) {
    /* Looking through ever more ranges would take time with the square of the dispatches; and after so many a
     * barrier costs next to nothing. */
    bool barrier = hazards->count + count > MOST_RANGES;
    for (uint32_t k = 0; k < hazards->count && !barrier; ++k)
        for (uint32_t r = 0; r < count; ++r) barrier |= ranges_conflict(&hazards->ranges[k], &ranges[r]);
    quartic_work((uint64_t)hazards->count * count);
    if (barrier) hazards->count = 0;
    if (hazards->count + count > hazards->capacity) {
        uint32_t capacity = 2 * hazards->capacity + count + 64;
        quartic_hazard_range *grown =
            quartic_realloc(hazards->ranges, hazards->count, capacity, sizeof *hazards->ranges);
        if (grown == NULL) return QUARTIC_OUT_OF_MEMORY;
        hazards->ranges = grown;
        hazards->capacity = capacity;
    }
    memcpy(hazards->ranges + hazards->count, ranges, count * sizeof *ranges);
    hazards->count += count;
    *out_barrier = barrier;
    return QUARTIC_OK;
}

void quartic_hazards_destroy(quartic_hazards *hazards) {
    quartic_free(hazards->ranges);
    *hazards = (quartic_hazards){0};
}
