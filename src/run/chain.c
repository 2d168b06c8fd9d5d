/* chain.c: longest chains over byte ranges. See chain.h.
 *
 * All ends of ranges cut the addresses into pieces that every range takes whole. Each piece remembers the
 * longest chain that ends with a write of it, and the longest that ends with a read since.
 */
#include "run/chain.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/work.h"

typedef struct chain_piece {
    uint32_t written, read; /* dispatches of the longest chain that ends there */
} chain_piece;

static int chain_by_address(const void *a, const void *b) {
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* The index of an address that is there. */
static uint32_t chain_find(const uint64_t *cuts, uint32_t count, uint64_t address) {
    uint32_t low = 0, high = count;
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        if (cuts[middle] < address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The chain that ends with this dispatch; what it touches takes note of it. */
static uint32_t chain_extend(const uint64_t *cuts, uint32_t cut_count, chain_piece *pieces,
                             const quartic_run_vulkan_touched *touched) {
    uint32_t longest = 0;
    for (int note = 0; note < 2; ++note)
        for (uint32_t r = 0; r < touched->count; ++r) {
            const quartic_hazard_range *range = &touched->ranges[r];
            if (range->begin >= range->end) continue;
            const uint32_t first = chain_find(cuts, cut_count, range->begin);
            const uint32_t last = chain_find(cuts, cut_count, range->end);
            const bool writes = (range->access & QUARTIC_WRITE) != 0;
            quartic_work(last - first);
            for (uint32_t p = first; p < last; ++p) {
                chain_piece *piece = &pieces[p];
                if (!note) {
                    if (piece->written > longest) longest = piece->written;
                    if (writes && piece->read > longest) longest = piece->read;
                } else if (writes) {
                    piece->written = longest + 1;
                } else if (piece->read < longest + 1) {
                    piece->read = longest + 1;
                }
            }
        }
    return longest + 1;
}

quartic_status quartic_chain_longest(const quartic_run_vulkan_touched *touched, uint32_t count,
                                     uint32_t *out_longest) {
    uint32_t ends = 0, cut_count = 0;
    *out_longest = 0;
    for (uint32_t k = 0; k < count; ++k) ends += 2 * touched[k].count;
    uint64_t *cuts = quartic_alloc((size_t)ends + 1, sizeof *cuts);
    chain_piece *pieces = quartic_alloc((size_t)ends + 1, sizeof *pieces);
    quartic_status status = cuts == NULL || pieces == NULL ? QUARTIC_OUT_OF_MEMORY : QUARTIC_OK;
    if (status == QUARTIC_OK) {
        for (uint32_t k = 0; k < count; ++k)
            for (uint32_t r = 0; r < touched[k].count; ++r) {
                cuts[cut_count++] = touched[k].ranges[r].begin;
                cuts[cut_count++] = touched[k].ranges[r].end;
            }
        qsort(cuts, cut_count, sizeof *cuts, chain_by_address);
        uint32_t kept = 0;
        for (uint32_t c = 0; c < cut_count; ++c)
            if (kept == 0 || cuts[kept - 1] != cuts[c]) cuts[kept++] = cuts[c];
        for (uint32_t k = 0; k < count; ++k) {
            const uint32_t chain = chain_extend(cuts, kept, pieces, &touched[k]);
            if (chain > *out_longest) *out_longest = chain;
        }
    }
    quartic_free(cuts);
    quartic_free(pieces);
    return status;
}
