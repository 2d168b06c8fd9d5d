/* place.c: first fit over a tree of steps. See place.h.
 *
 * Tree node 1 covers all steps; node k covers the steps of its two halves, nodes 2k and 2k + 1. A life is cut
 * into the few nodes that together cover it exactly: "its nodes".
 *
 *   through[k]    bytes of the blocks that have k among their nodes: taken during all steps of k
 *   anywhere[k]   bytes of the blocks that live during any step of k
 *
 * The bytes that a new block must avoid are those in through[k] for every node k above one of its nodes, and
 * those in anywhere[k] for each of its nodes k.
 *
 * Most of what a search would pass lies below the ground: the ground of a step is a lower bound of the offset
 * below which every byte is taken at that step. Each tree node keeps the least and the greatest ground of its
 * steps, and the search for a block begins at the greatest ground of its life. Without it the search would
 * pass the lower blocks one by one, since each is in another list.
 */
#include "plan/place.h"

#include <stdbool.h>
#include <string.h>

#include "base/alloc.h"
#include "base/work.h"

/* Bytes [begin, end), aligned. */
typedef struct range {
    uint64_t begin, end;
} range;

/* The ground of the steps of a tree node: at least `least` and at most `greatest`. It is at least `all` at
 * each of them, which the nodes below have not been told yet. */
typedef struct ground {
    uint64_t least, greatest, all;
} ground;

/* Ascending ranges that neither overlap nor touch. */
typedef struct range_list {
    range *items;
    uint32_t count, capacity;
} range_list;

enum {
    MOST_LISTS = 4 * 32, /* nodes of a life and those above them: at most four in each of 32 levels */
    MOST_RAISED = 64,    /* nodes below its own that a block may visit to raise the ground */
    SHORT_LIFE = 8       /* steps: for a life up to this long, the ground of each step is raised first */
};

struct quartic_placer {
    uint32_t leaves; /* a power of 2 */
    range_list *through, *anywhere;
    ground *ground;
    uint64_t bytes;
    const range_list
        *lists[MOST_LISTS]; /* what the block being placed must avoid, and how far each was read */
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
    placer->ground = quartic_alloc((size_t)placer->leaves * 2, sizeof *placer->ground);
    if (placer->through == NULL || placer->anywhere == NULL || placer->ground == NULL) {
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
    quartic_free(placer->ground);
    quartic_free(placer);
}

uint64_t quartic_placer_bytes(const quartic_placer *placer) {
    return placer->bytes;
}

/* The index of the first range, from `from` on, that ends beyond `offset`: doubling strides, then
 * bisection. */
static uint32_t first_beyond(const range_list *list, uint32_t from, uint64_t offset) {
    uint32_t low = from, high = from;
    for (uint32_t stride = 1; high < list->count && list->items[high].end <= offset; stride *= 2) {
        low = high + 1;
        high = list->count - high > stride ? high + stride : list->count;
    }
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (list->items[middle].end <= offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Adds a range, joining it with those that it touches. Errors: OUT_OF_MEMORY. */
static quartic_status add_range(range_list *list, range added) {
    uint32_t first = added.begin == 0 ? 0 : first_beyond(list, 0, added.begin - 1), last = first;
    for (; last < list->count && list->items[last].begin <= added.end; ++last) {
        if (list->items[last].begin < added.begin) added.begin = list->items[last].begin;
        if (list->items[last].end > added.end) added.end = list->items[last].end;
    }
    quartic_work(list->count - first + 1); /* the ranges that are moved count too */
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

/* Visits the nodes of a block's life and those above them, from `node` down, which covers the steps begin ..
 * begin + steps - 1. If taken is NULL it collects the lists that the block must avoid, else it adds the range
 * that the block takes. */
static quartic_status walk_life(quartic_placer *placer, const quartic_block *block, uint32_t node,
                                uint32_t begin, uint32_t steps, const range *taken) {
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
    QUARTIC_TRY(walk_life(placer, block, 2 * node, begin, steps / 2, taken));
    return walk_life(placer, block, 2 * node + 1, begin + steps / 2, steps / 2, taken);
}

/* ---- the ground ---- */

static uint64_t larger_of(uint64_t a, uint64_t b) {
    return a > b ? a : b;
}

static void lift_ground(ground *at, uint64_t to) {
    at->least = larger_of(at->least, to);
    at->greatest = larger_of(at->greatest, to);
    at->all = larger_of(at->all, to);
}

/* The greatest ground of the steps of a life. */
static uint64_t ground_of(const quartic_placer *placer, const quartic_block *block, uint32_t node,
                          uint32_t begin, uint32_t steps) {
    const ground *at = &placer->ground[node];
    if (block->last < begin || block->first >= begin + steps) return 0;
    quartic_work(1);
    if (block->first <= begin && begin + steps - 1 <= block->last) return at->greatest;
    return larger_of(at->all,
                     larger_of(ground_of(placer, block, 2 * node, begin, steps / 2),
                               ground_of(placer, block, 2 * node + 1, begin + steps / 2, steps / 2)));
}

/* At every step of the block's life whose ground reaches the start of the range that the block has taken,
 * raises it to the end of that range. It visits at most *left nodes below the block's own. Stopping early
 * leaves a bound that is too low, which costs time and nothing else. */
static void raise_ground(quartic_placer *placer, const quartic_block *block, const range *taken,
                         uint32_t node, uint32_t begin, uint32_t steps, uint32_t *left) {
    ground *at = &placer->ground[node];
    if (block->last < begin || block->first >= begin + steps || at->greatest < taken->begin) return;
    const bool whole = block->first <= begin && begin + steps - 1 <= block->last;
    quartic_work(1);
    if (whole && at->least >= taken->begin) {
        lift_ground(at, taken->end);
        return;
    }
    if (steps == 1 || (whole && *left == 0)) return;
    if (whole) --*left;
    ground *low = &placer->ground[2 * node], *high = low + 1;
    lift_ground(low, at->all);
    lift_ground(high, at->all);
    at->all = 0;
    raise_ground(placer, block, taken, 2 * node, begin, steps / 2, left);
    raise_ground(placer, block, taken, 2 * node + 1, begin + steps / 2, steps / 2, left);
    at->least = low->least < high->least ? low->least : high->least;
    at->greatest = larger_of(low->greatest, high->greatest);
}

/* ---- placing ---- */

/* The lowest offset, not below `offset`, at which `bytes` overlap no range of the lists. */
static uint64_t lowest_gap(quartic_placer *placer, uint64_t offset, uint64_t bytes) {
    uint64_t rounds = 0;
    memset(placer->at, 0, sizeof placer->at);
    /* Until no list raises the offset any more. It only grows, so each list is read on from where it was
     * left. */
    for (uint32_t k = 0, quiet = 0; quiet < placer->list_count; k = (k + 1) % placer->list_count, ++quiet) {
        const range_list *list = placer->lists[k];
        uint32_t *at = &placer->at[k];
        for (;;) {
            *at = first_beyond(list, *at, offset);
            ++rounds;
            if (*at == list->count || list->items[*at].begin >= offset + bytes) break;
            offset = list->items[*at].end;
            quiet = 0;
        }
    }
    quartic_work(rounds);
    return offset;
}

/* Raises the ground of a step to its first gap. The ground never sinks, so no range is passed twice. */
static quartic_status find_ground(quartic_placer *placer, uint32_t step) {
    const quartic_block moment = {.first = step, .last = step};
    const uint64_t start = ground_of(placer, &moment, 1, 0, placer->leaves);
    placer->list_count = 0;
    QUARTIC_TRY(walk_life(placer, &moment, 1, 0, placer->leaves, NULL));
    const range solid = {0, lowest_gap(placer, start, 1)};
    uint32_t left = 0;
    if (solid.end > start) raise_ground(placer, &moment, &solid, 1, 0, placer->leaves, &left);
    return QUARTIC_OK;
}

quartic_status quartic_placer_add(quartic_placer *placer, quartic_block *block) {
    const uint64_t limit = (uint64_t)1 << 63, unit = QUARTIC_PLACE_ALIGNMENT;
    for (uint32_t step = block->first; block->last - block->first < SHORT_LIFE && step <= block->last; ++step)
        QUARTIC_TRY(find_ground(placer, step));
    placer->list_count = 0;
    QUARTIC_TRY(walk_life(placer, block, 1, 0, placer->leaves, NULL));
    const uint64_t start = ground_of(placer, block, 1, 0, placer->leaves);
    block->offset = lowest_gap(placer, start, block->bytes);
    if (block->bytes > limit - unit || block->offset > limit - unit - block->bytes)
        return quartic_fail(QUARTIC_OUT_OF_MEMORY,
                            "the workspace of the graph would take more than 2^63 bytes");
    const range taken = {block->offset, (block->offset + block->bytes + unit - 1) / unit * unit};
    if (taken.end > placer->bytes) placer->bytes = taken.end;
    if (taken.begin == taken.end) return QUARTIC_OK;
    uint32_t left = MOST_RAISED;
    raise_ground(placer, block, &taken, 1, 0, placer->leaves, &left);
    return walk_life(placer, block, 1, 0, placer->leaves, &taken);
}
