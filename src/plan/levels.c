/* levels.c: levels of steps from the ranges that they read and write. See levels.h. */
#include "plan/levels.h"

#include "base/alloc.h"
#include "base/work.h"

enum { MOST_ACCESSES = 512 };

/* A range of one storage, in elements, and the first level after its last use. */
typedef struct level_access {
    int64_t begin, end;
    uint32_t free_from;
    bool writes;
} level_access;

/* What has touched a storage and is not covered by a later write. */
typedef struct level_storage {
    level_access *items;
    uint32_t count, capacity;
} level_storage;

typedef struct level_finder {
    const quartic_graph *graph;
    const quartic_plan_alias *aliases;
    level_storage *storages;
} level_finder;

/* Whether nothing in the graph writes the storage. */
static bool is_only_read(const quartic_graph *graph, uint32_t storage) {
    const quartic_storage *entry = &graph->storages[storage];
    return !entry->updated && entry->kind != QUARTIC_STORAGE_INTERMEDIATE &&
           entry->kind != QUARTIC_STORAGE_OUTPUT;
}

/* The range of a value, and the storage that it lies in. */
static level_access access_of(const level_finder *finder, uint32_t id, bool writes, uint32_t *out_storage) {
    const quartic_graph_value *value = quartic_graph_get(finder->graph, id);
    const quartic_plan_alias *alias = &finder->aliases[value->storage];
    level_access access = {.writes = writes};
    quartic_layout_extent(&value->layout, &access.begin, &access.end);
    *out_storage = value->storage;
    if (alias->storage == QUARTIC_NONE) return access;
    *out_storage = alias->storage;
    access.begin += (int64_t)alias->offset;
    access.end += (int64_t)alias->offset;
    return access;
}

/* The level that the access has to wait for. */
static uint32_t wait_of(const level_finder *finder, uint32_t storage, const level_access *access) {
    const level_storage *entry = &finder->storages[storage];
    uint32_t level = 0;
    quartic_work(entry->count);
    for (uint32_t k = 0; k < entry->count; ++k) {
        const level_access *old = &entry->items[k];
        const bool meet = old->begin < access->end && access->begin < old->end;
        if (meet && (old->writes || access->writes) && old->free_from > level) level = old->free_from;
    }
    return level;
}

/* One access for all reads and one for all writes: what is said then is too much, never too little. */
static void merge_accesses(level_storage *entry) {
    level_access merged[2] = {{0}, {0}};
    bool present[2] = {false, false};
    for (uint32_t k = 0; k < entry->count; ++k) {
        const level_access *old = &entry->items[k];
        level_access *into = &merged[old->writes];
        if (!present[old->writes]) *into = *old;
        present[old->writes] = true;
        if (old->begin < into->begin) into->begin = old->begin;
        if (old->end > into->end) into->end = old->end;
        if (old->free_from > into->free_from) into->free_from = old->free_from;
    }
    entry->count = 0;
    for (int writes = 0; writes < 2; ++writes)
        if (present[writes]) entry->items[entry->count++] = merged[writes];
}

static quartic_status note_access(level_finder *finder, uint32_t storage, const level_access *access) {
    level_storage *entry = &finder->storages[storage];
    uint32_t kept = 0;
    for (uint32_t k = 0; k < entry->count; ++k) {
        const level_access *old = &entry->items[k];
        const bool covered = old->begin >= access->begin && old->end <= access->end;
        /* Whoever waits for a write waits for what it had to wait for; equal reads count as the later one. */
        if (covered && (access->writes || (!old->writes && old->free_from <= access->free_from))) continue;
        entry->items[kept++] = *old;
    }
    entry->count = kept;
    if (entry->count == MOST_ACCESSES) merge_accesses(entry);
    if (entry->count == entry->capacity) {
        const uint32_t capacity = 2 * entry->capacity + 2;
        level_access *grown = quartic_realloc(entry->items, entry->count, capacity, sizeof *grown);
        if (grown == NULL) return QUARTIC_OUT_OF_MEMORY;
        entry->items = grown;
        entry->capacity = capacity;
    }
    entry->items[entry->count++] = *access;
    return QUARTIC_OK;
}

/* Inputs, then outputs, each with what is done to it. The output of an update in place is its input's
 * storage; a view among the steps' operands is its storage's range. */
static quartic_status walk_step(level_finder *finder, const quartic_node *node, uint32_t *inout_level,
                                uint32_t stages, bool note) {
    for (uint32_t k = 0; k < node->input_count + node->output_count; ++k) {
        const bool writes = k >= node->input_count;
        const uint32_t id = writes ? node->outputs[k - node->input_count] : node->inputs[k];
        if (id == 0) continue;
        uint32_t storage;
        level_access access = access_of(finder, id, writes, &storage);
        if (is_only_read(finder->graph, storage)) continue;
        access.free_from = *inout_level + stages;
        if (note) {
            QUARTIC_TRY(note_access(finder, storage, &access));
        } else {
            const uint32_t wait = wait_of(finder, storage, &access);
            if (wait > *inout_level) *inout_level = wait;
        }
    }
    return QUARTIC_OK;
}

static quartic_status find_levels(level_finder *finder, const uint32_t *nodes, const uint32_t *stages,
                                  uint32_t count, uint32_t window, uint32_t *levels) {
    uint32_t floor = 0; /* the highest level of the steps further back than the window */
    for (uint32_t t = 0; t < count; ++t) {
        const quartic_node *node = &finder->graph->nodes[nodes[t]];
        if (t >= window && levels[t - window] > floor) floor = levels[t - window];
        levels[t] = floor;
        QUARTIC_TRY(walk_step(finder, node, &levels[t], stages[t], false));
        QUARTIC_TRY(walk_step(finder, node, &levels[t], stages[t], true));
    }
    return QUARTIC_OK;
}

quartic_status quartic_levels_find(const quartic_graph *graph, const quartic_plan_alias *aliases,
                                   const uint32_t *nodes, const uint32_t *stages, uint32_t count,
                                   uint32_t window, uint32_t *out_levels) {
    level_finder finder = {.graph = graph,
                           .aliases = aliases,
                           .storages = quartic_alloc(graph->storage_count, sizeof *finder.storages)};
    if (finder.storages == NULL) return QUARTIC_OUT_OF_MEMORY;
    const quartic_status status = find_levels(&finder, nodes, stages, count, window, out_levels);
    for (uint32_t s = 0; s < graph->storage_count; ++s) quartic_free(finder.storages[s].items);
    quartic_free(finder.storages);
    return status;
}
