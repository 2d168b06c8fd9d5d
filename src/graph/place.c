/* place.c: first fit over a tree of steps. See place.h.
 *
 * Node 1 stands for all steps, node k for the two halves 2k and 2k + 1. A life is cut into the few nodes that
 * make it up. `through` of a node: what blocks take that live through all of its steps and were cut there;
 * `anywhere`: what blocks take in any of its steps. A block overlaps what `through` says of every node above
 * and at its own nodes, and what `anywhere` says of its own nodes.
 */
#include "graph/place.h"

#include <stdbool.h>
#include <string.h>

#include "base/alloc.h"
#include "base/work.h"

/* Bytes [begin, end), aligned. */
typedef struct range {
    uint64_t begin, end;
} range;

/* Ascending, apart from each other. */
typedef struct range_list {
    range *items;
    uint32_t count, capacity;
} range_list;

enum { MOST_LISTS = 4 * 32 }; /* of a life's nodes and those above them: at most four a level */

struct quartic_placer {
    uint32_t leaves; /* a power of 2 */
    range_list *through, *anywhere;
    uint64_t bytes;
    const range_list *lists[MOST_LISTS]; /* those of the block at hand, and the place reached in each */
    uint32_t at[MOST_LISTS], list_count;
};

quartic_status quartic_placer_create(uint32_t steps, quartic_placer **out_placer) {
    *out_placer = NULL;
    quartic_placer *placer = quartic_alloc(1, sizeof *placer);
    if (placer == NULL) return QUARTIC_OUT_OF_MEMORY;
    placer->leaves = 1;
    while (placer->leaves < steps) placer->leaves *= 2;
    placer->through = quartic_alloc((size_t)placer->leaves * 2, sizeof *placer->through);
    placer->anywhere = quartic_alloc((size_t)placer->leaves * 2, sizeof *placer->anywhere);
    if (placer->through == NULL || placer->anywhere == NULL) {
        quartic_placer_destroy(placer);
        return QUARTIC_OUT_OF_MEMORY;
    }
    *out_placer = placer;
    return QUARTIC_OK;
}

void quartic_placer_destroy(quartic_placer *placer) {
    if (placer == NULL) return;
    for (size_t k = 0; placer->through != NULL && placer->anywhere != NULL && k < 2 * (size_t)placer->leaves;
         ++k) {
        quartic_free(placer->through[k].items);
        quartic_free(placer->anywhere[k].items);
    }
    quartic_free(placer->through);
    quartic_free(placer->anywhere);
    quartic_free(placer);
}

uint64_t quartic_placer_bytes(const quartic_placer *placer) {
    return placer->bytes;
}

/* The first range that ends beyond `offset`. */
static uint32_t first_beyond(const range_list *list, uint64_t offset) {
    uint32_t low = 0, high = list->count;
    quartic_work(1);
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (list->items[middle].end <= offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Adds a range, joining it with those that it touches. */
static quartic_status add_range(range_list *list, range added) {
    uint32_t first = added.begin == 0 ? 0 : first_beyond(list, added.begin - 1), last = first;
    for (; last < list->count && list->items[last].begin <= added.end; ++last) {
        if (list->items[last].begin < added.begin) added.begin = list->items[last].begin;
        if (list->items[last].end > added.end) added.end = list->items[last].end;
    }
    quartic_work(list->count - first + 1); /* what is moved, too */
    if (first == last) {
        if (list->count == list->capacity) {
            uint32_t capacity = list->capacity == 0 ? 4 : 2 * list->capacity;
            range *grown = quartic_realloc(list->items, list->capacity, capacity, sizeof *grown);
            if (grown == NULL) return QUARTIC_OUT_OF_MEMORY;
            list->items = grown;
            list->capacity = capacity;
        }
        memmove(list->items + first + 1, list->items + first, (list->count - first) * sizeof added);
        ++list->count;
    } else {
        memmove(list->items + first + 1, list->items + last, (list->count - last) * sizeof added);
        list->count -= last - first - 1;
    }
    list->items[first] = added;
    return QUARTIC_OK;
}

/* Walks the nodes of a life, those above included, of which `node` stands for `steps` steps from `begin` on.
 * With taken NULL it collects their lists, else it adds the range that the block has taken. */
static quartic_status walk(quartic_placer *placer, const quartic_block *block, uint32_t node, uint32_t begin,
                           uint32_t steps, const range *taken) {
    if (block->last < begin || block->first >= begin + steps) return QUARTIC_OK;
    const bool whole = block->first <= begin && begin + steps - 1 <= block->last;
    const range_list *list = whole ? &placer->anywhere[node] : &placer->through[node];
    quartic_work(1);
    if (taken == NULL && list->count > 0) placer->lists[placer->list_count++] = list;
    if (taken != NULL) {
        QUARTIC_TRY(add_range(&placer->anywhere[node], *taken));
        if (whole) QUARTIC_TRY(add_range(&placer->through[node], *taken));
    }
    if (whole) return QUARTIC_OK;
    QUARTIC_TRY(walk(placer, block, 2 * node, begin, steps / 2, taken));
    return walk(placer, block, 2 * node + 1, begin + steps / 2, steps / 2, taken);
}

/* The lowest offset at which `bytes` overlap no range of the lists. */
static uint64_t lowest_gap(quartic_placer *placer, uint64_t bytes) {
    uint64_t offset = 0, rounds = 0;
    memset(placer->at, 0, sizeof placer->at);
    /* Until no list has moved it on; since it only grows, a list is never looked at from its start again. */
    for (uint32_t k = 0, quiet = 0; quiet < placer->list_count; k = (k + 1) % placer->list_count, ++quiet) {
        const range_list *list = placer->lists[k];
        uint32_t *at = &placer->at[k];
        for (; *at < list->count; ++*at) {
            const range *next = &list->items[*at];
            ++rounds;
            if (next->end <= offset) continue;
            if (next->begin >= offset + bytes) break;
            offset = next->end;
            quiet = 0;
        }
    }
    quartic_work(rounds);
    return offset;
}

quartic_status quartic_placer_add(quartic_placer *placer, quartic_block *block) {
    const uint64_t limit = (uint64_t)1 << 63, unit = QUARTIC_PLACE_ALIGNMENT;
    placer->list_count = 0;
    QUARTIC_TRY(walk(placer, block, 1, 0, placer->leaves, NULL));
    block->offset = lowest_gap(placer, block->bytes);
    if (block->bytes > limit - unit || block->offset > limit - unit - block->bytes)
        return quartic_fail(QUARTIC_OUT_OF_MEMORY,
                            "the workspace of the graph would take more than 2^63 bytes");
    const range taken = {block->offset, (block->offset + block->bytes + unit - 1) / unit * unit};
    if (taken.end > placer->bytes) placer->bytes = taken.end;
    return taken.begin == taken.end ? QUARTIC_OK : walk(placer, block, 1, 0, placer->leaves, &taken);
}
