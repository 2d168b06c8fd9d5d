/* chain.c: heaviest chains over byte ranges. See chain.h.
 *
 * All ends of ranges cut the addresses into pieces that every range takes whole. Each piece remembers the
 * heaviest chain that ends with a write of it, and the heaviest that ends with a read.
 */
#include "run/chain.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/work.h"

typedef struct chain_piece {
    double written, read;
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

typedef struct chain_finder {
    uint64_t *cuts; /* ascending */
    uint32_t cut_count;
    chain_piece *pieces; /* from each cut to the next */
} chain_finder;

/* The heaviest chain that the dispatch has to wait for; or, with note, what it touches takes note of the chain
 * that it ends. */
static double chain_walk(chain_finder *finder, const quartic_run_vulkan_touched *touched, bool note,
                         double chain) {
    for (uint32_t r = 0; r < touched->count; ++r) {
        const quartic_hazard_range *range = &touched->ranges[r];
        if (range->begin >= range->end) continue;
        const uint32_t first = chain_find(finder->cuts, finder->cut_count, range->begin);
        const uint32_t last = chain_find(finder->cuts, finder->cut_count, range->end);
        const bool writes = (range->access & QUARTIC_WRITE) != 0;
        quartic_work(last - first);
        for (uint32_t p = first; p < last; ++p) {
            chain_piece *piece = &finder->pieces[p];
            if (!note) {
                if (piece->written > chain) chain = piece->written;
                if (writes && piece->read > chain) chain = piece->read;
            } else if (writes) {
                if (piece->written < chain) piece->written = chain;
            } else if (piece->read < chain) {
                piece->read = chain;
            }
        }
    }
    return chain;
}

/* Dispatches in a row whose ranges have one owner do not wait for each other. */
static uint32_t chain_group(const quartic_run_vulkan_touched *touched, uint32_t count) {
    uint32_t members = 1;
    const uint32_t owner = touched[0].count == 0 ? 0 : touched[0].ranges[0].owner;
    while (owner != 0 && members < count && touched[members].count > 0 &&
           touched[members].ranges[0].owner == owner)
        ++members;
    return members;
}

static void chain_cut(chain_finder *finder, const quartic_run_vulkan_touched *touched, uint32_t count) {
    uint32_t all = 0;
    for (uint32_t k = 0; k < count; ++k)
        for (uint32_t r = 0; r < touched[k].count; ++r) {
            finder->cuts[all++] = touched[k].ranges[r].begin;
            finder->cuts[all++] = touched[k].ranges[r].end;
        }
    qsort(finder->cuts, all, sizeof *finder->cuts, chain_by_address);
    for (uint32_t c = 0; c < all; ++c)
        if (finder->cut_count == 0 || finder->cuts[finder->cut_count - 1] != finder->cuts[c])
            finder->cuts[finder->cut_count++] = finder->cuts[c];
}

quartic_status quartic_chain_longest(const quartic_run_vulkan_touched *touched, const double *weights,
                                     uint32_t count, double *out_longest) {
    uint32_t ends = 0;
    *out_longest = 0;
    for (uint32_t k = 0; k < count; ++k) ends += 2 * touched[k].count;
    chain_finder finder = {.cuts = quartic_alloc((size_t)ends + 1, sizeof *finder.cuts),
                           .pieces = quartic_alloc((size_t)ends + 1, sizeof *finder.pieces)};
    double *chains = quartic_alloc(count, sizeof *chains);
    quartic_status status = QUARTIC_OUT_OF_MEMORY;
    if (finder.cuts != NULL && finder.pieces != NULL && chains != NULL) {
        status = QUARTIC_OK;
        chain_cut(&finder, touched, count);
        for (uint32_t k = 0, members; k < count; k += members) {
            members = chain_group(touched + k, count - k);
            for (uint32_t m = k; m < k + members; ++m)
                chains[m] = chain_walk(&finder, &touched[m], false, 0) + (weights == NULL ? 1.0 : weights[m]);
            for (uint32_t m = k; m < k + members; ++m) {
                chain_walk(&finder, &touched[m], true, chains[m]);
                if (chains[m] > *out_longest) *out_longest = chains[m];
            }
        }
    }
    quartic_free(finder.cuts);
    quartic_free(finder.pieces);
    quartic_free(chains);
    return status;
}
