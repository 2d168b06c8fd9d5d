/* place.c: first fit over a tree of steps. See place.h.
 *
 * Node 1 stands for all steps, node k for the two halves 2k and 2k + 1. A life is cut into the few nodes that
 * make it up. `through` of a node: what blocks take that live through all of its steps and were cut there;
 * `anywhere`: what blocks take in any of its steps. A block overlaps what `through` says of every node above
 * and at its own nodes, and what `anywhere` says of its own nodes.
 *
 * Most of what a search would pass is solid ground: below some offset every byte is taken at a step. `ground`
 * is a lower bound of that offset for each step, kept as the least and the greatest of each node's steps; a
 * search begins at the greatest of a life. Without it the search would climb over the blocks one by one, as
 * each is in another list.
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

/* Of the steps of a node: all of them are at least `least` and at most `greatest`; what `all` says has yet to
 * be told to the nodes below. */
typedef struct ground {
    uint64_t least, greatest, all;
} ground;

/* Ascending, apart from each other. */
typedef struct range_list {
    range *items;
    uint32_t count, capacity;
} range_list;

enum {
    MOST_ARENAS = 1 << 16,
    MOST_LISTS = 4 * 32, /* of a life's nodes and those above them: at most four a level */
    MOST_RAISED = 64,    /* nodes that a block may walk below its own to raise the ground */
    SHORT_LIFE = 8       /* steps: of such a life the ground is first looked at step by step */
};

struct quartic_placer {
    uint32_t leaves; /* a power of 2 */
    range_list *through, *anywhere;
    ground *ground;
    uint64_t span;
    uint64_t *arenas; /* the bytes of each */
    uint32_t arena_count, arena_capacity;
    const range_list *lists[MOST_LISTS]; /* those of the block at hand, and the place reached in each */
    uint32_t at[MOST_LISTS], list_count;
};

quartic_status quartic_placer_create(uint32_t steps, uint64_t span, quartic_placer **out_placer) {
    *out_placer = NULL;
    quartic_placer *placer = quartic_alloc(1, sizeof *placer);
    if (placer == NULL) return QUARTIC_OUT_OF_MEMORY;
    placer->span = span;
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
    quartic_free(placer->arenas);
    quartic_free(placer);
}

uint32_t quartic_placer_arenas(const quartic_placer *placer) {
    return placer->arena_count;
}

uint64_t quartic_placer_bytes(const quartic_placer *placer, uint32_t arena) {
    return arena < placer->arena_count ? placer->arenas[arena] : 0;
}

/* The first range from `from` on that ends beyond `offset`: in doubling strides, then by halves. */
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

/* Adds a range, joining it with those that it touches. */
static quartic_status add_range(range_list *list, range added) {
    uint32_t first = added.begin == 0 ? 0 : first_beyond(list, 0, added.begin - 1), last = first;
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

/* ---- solid ground ---- */

static uint64_t larger(uint64_t a, uint64_t b) {
    return a > b ? a : b;
}

static void lift(ground *at, uint64_t to) {
    at->least = larger(at->least, to);
    at->greatest = larger(at->greatest, to);
    at->all = larger(at->all, to);
}

/* The greatest ground of a life. */
static uint64_t ground_of(const quartic_placer *placer, const quartic_block *block, uint32_t node,
                          uint32_t begin, uint32_t steps) {
    const ground *at = &placer->ground[node];
    if (block->last < begin || block->first >= begin + steps) return 0;
    quartic_work(1);
    if (block->first <= begin && begin + steps - 1 <= block->last) return at->greatest;
    return larger(at->all, larger(ground_of(placer, block, 2 * node, begin, steps / 2),
                                  ground_of(placer, block, 2 * node + 1, begin + steps / 2, steps / 2)));
}

/* Where the ground of a step of the block's life reaches what it has taken, it now reaches that range's end.
 * To stop early leaves a bound that is too low, which costs time only. */
static void raise_ground(quartic_placer *placer, const quartic_block *block, const range *taken,
                         uint32_t node, uint32_t begin, uint32_t steps, uint32_t *left) {
    ground *at = &placer->ground[node];
    if (block->last < begin || block->first >= begin + steps || at->greatest < taken->begin) return;
    const bool whole = block->first <= begin && begin + steps - 1 <= block->last;
    quartic_work(1);
    if (whole && at->least >= taken->begin) {
        lift(at, taken->end);
        return;
    }
    if (steps == 1 || (whole && *left == 0)) return;
    if (whole) --*left;
    ground *low = &placer->ground[2 * node], *high = low + 1;
    lift(low, at->all);
    lift(high, at->all);
    at->all = 0;
    raise_ground(placer, block, taken, 2 * node, begin, steps / 2, left);
    raise_ground(placer, block, taken, 2 * node + 1, begin + steps / 2, steps / 2, left);
    at->least = low->least < high->least ? low->least : high->least;
    at->greatest = larger(low->greatest, high->greatest);
}

/* ---- placing ---- */

/* The lowest offset, not below `offset`, at which `bytes` do not reach into the next arena. */
static uint64_t inside_arena(const quartic_placer *placer, uint64_t offset, uint64_t bytes) {
    const uint64_t used = offset % placer->span;
    return placer->span - used >= bytes ? offset : offset - used + placer->span;
}

/* The lowest offset, not below `offset`, at which `bytes` overlap no range of the lists and are in one arena.
 */
static uint64_t lowest_gap(quartic_placer *placer, uint64_t offset, uint64_t bytes) {
    uint64_t rounds = 0;
    memset(placer->at, 0, sizeof placer->at);
    offset = inside_arena(placer, offset, bytes);
    /* Until no list has moved it on; since it only grows, a list is never looked at from its start again. */
    for (uint32_t k = 0, quiet = 0; quiet < placer->list_count; k = (k + 1) % placer->list_count, ++quiet) {
        const range_list *list = placer->lists[k];
        uint32_t *at = &placer->at[k];
        for (;;) {
            *at = first_beyond(list, *at, offset);
            ++rounds;
            if (*at == list->count || list->items[*at].begin >= offset + bytes) break;
            offset = inside_arena(placer, list->items[*at].end, bytes);
            quiet = 0;
        }
    }
    quartic_work(rounds);
    return offset;
}

/* Raises the ground of a step over what lies on it without a gap. It never sinks, so that nothing is passed
 * twice.
 */
static quartic_status find_ground(quartic_placer *placer, uint32_t step) {
    const quartic_block moment = {.first = step, .last = step};
    const uint64_t start = ground_of(placer, &moment, 1, 0, placer->leaves);
    placer->list_count = 0;
    QUARTIC_TRY(walk(placer, &moment, 1, 0, placer->leaves, NULL));
    const range solid = {0, lowest_gap(placer, start, 1)};
    uint32_t left = 0;
    if (solid.end > start) raise_ground(placer, &moment, &solid, 1, 0, placer->leaves, &left);
    return QUARTIC_OK;
}

/* Takes note of the last byte taken in an arena. */
static quartic_status note_arena(quartic_placer *placer, const range *taken) {
    if (taken->begin / placer->span >= MOST_ARENAS)
        return quartic_fail(QUARTIC_OUT_OF_MEMORY,
                            "the workspace of the graph would take more than %d allocations of %llu bytes",
                            MOST_ARENAS, (unsigned long long)placer->span);
    const uint32_t arena = (uint32_t)(taken->begin / placer->span);
    if (arena >= placer->arena_capacity) {
        const uint32_t capacity = 2 * arena + 4;
        uint64_t *grown =
            quartic_realloc(placer->arenas, placer->arena_count, capacity, sizeof *placer->arenas);
        if (grown == NULL) return QUARTIC_OUT_OF_MEMORY;
        placer->arenas = grown;
        placer->arena_capacity = capacity;
    }
    for (; placer->arena_count <= arena; ++placer->arena_count) placer->arenas[placer->arena_count] = 0;
    const uint64_t end = taken->end - arena * placer->span;
    placer->arenas[arena] = larger(placer->arenas[arena], end);
    return QUARTIC_OK;
}

quartic_status quartic_placer_add(quartic_placer *placer, quartic_block *block) {
    const uint64_t limit = (uint64_t)1 << 63, unit = QUARTIC_PLACE_ALIGNMENT;
    if (block->bytes > placer->span && placer->span != QUARTIC_PLACE_ONE_ARENA)
        return quartic_fail(QUARTIC_OUT_OF_DEVICE_MEMORY,
                            "%llu bytes do not fit into one arena of a workspace, which has %llu at most",
                            (unsigned long long)block->bytes, (unsigned long long)placer->span);
    for (uint32_t step = block->first; block->last - block->first < SHORT_LIFE && step <= block->last; ++step)
        QUARTIC_TRY(find_ground(placer, step));
    placer->list_count = 0;
    QUARTIC_TRY(walk(placer, block, 1, 0, placer->leaves, NULL));
    const uint64_t start = ground_of(placer, block, 1, 0, placer->leaves);
    block->offset = lowest_gap(placer, start, block->bytes);
    if (block->bytes > limit - unit || block->offset > limit - unit - block->bytes)
        return quartic_fail(QUARTIC_OUT_OF_MEMORY,
                            "the workspace of the graph would take more than 2^63 bytes");
    const range taken = {block->offset, (block->offset + block->bytes + unit - 1) / unit * unit};
    if (taken.begin == taken.end) return QUARTIC_OK;
    QUARTIC_TRY(note_arena(placer, &taken));
    uint32_t left = MOST_RAISED;
    raise_ground(placer, block, &taken, 1, 0, placer->leaves, &left);
    return walk(placer, block, 1, 0, placer->leaves, &taken);
}
