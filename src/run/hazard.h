/* hazard.h: where barriers belong in a list of dispatches. Pure.
 *
 * A tracker remembers the byte ranges that were read and written since the last barrier. A dispatch needs a
 * barrier before it if it reads what was written since then, or writes what was read or written. A barrier is
 * between all compute and all compute, so it empties the tracker. One is also set after some thousand ranges,
 * to keep the search short.
 *
 * One dispatch may read and write the same range; the shader must order those accesses itself. Addresses are
 * absolute, so aliases of any kind are seen. Ranges of one owner do not conflict: an op can say that its
 * dispatches touch no byte that another of them writes.
 */
#ifndef QUARTIC_RUN_HAZARD_H
#define QUARTIC_RUN_HAZARD_H

#include "ops/dispatch.h"

#include <stdbool.h>

typedef struct quartic_hazards {
    quartic_hazard_range *ranges;
    uint32_t count, capacity;
} quartic_hazards;

/* Whether the next dispatch, which touches these ranges, needs a barrier before it; then takes note of them.
 * A zeroed tracker is empty. Errors: OUT_OF_MEMORY. */
quartic_status quartic_hazards_add(quartic_hazards *hazards, const quartic_hazard_range *ranges,
                                   uint32_t count, bool *out_barrier);
void quartic_hazards_destroy(quartic_hazards *hazards);

#endif
