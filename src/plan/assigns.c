/* assigns.c: which assigned values can be made in place. See assigns.h. */
#include "plan/assigns.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/work.h"

/* One node that assigns: where to, and the life of what is assigned. */
typedef struct assign_move {
    uint32_t node, target, source; /* storages */
    int64_t begin, end;            /* elements of the target */
} assign_move;

/* Something that a node does to a range of a target. */
typedef struct assign_access {
    uint32_t storage, node;
    uint32_t
        until; /* the node after which it is over: later than node where a value lies there that is read on */
    int64_t begin, end, reach; /* reach: the largest end of this and of those before it in order */
    bool writes, wide;
} assign_access;

typedef struct assign_finder {
    const quartic_graph *graph;
    const bool *node_needed;
    bool *is_target;            /* per storage */
    uint32_t *made, *last_read; /* per storage: nodes */
    assign_access *accesses;    /* wide ones first, then by storage and begin */
    uint32_t count, capacity, wide_count;
} assign_finder;

static bool runs(const assign_finder *f, uint32_t n) {
    return f->node_needed[n] && f->graph->nodes[n].op->view == NULL;
}

/* Whether target and source are of the kind that can be one. */
static bool describe_move(const quartic_graph *graph, uint32_t n, assign_move *out) {
    const quartic_node *node = &graph->nodes[n];
    const quartic_graph_value *target = quartic_graph_get(graph, node->inputs[0]),
                              *source = quartic_graph_get(graph, node->inputs[1]);
    const quartic_storage *to = &graph->storages[target->storage], *from = &graph->storages[source->storage];
    *out = (assign_move){.node = n, .target = target->storage, .source = source->storage};
    quartic_layout_extent(&target->layout, &out->begin, &out->end);
    return (to->kind == QUARTIC_STORAGE_STATE || to->kind == QUARTIC_STORAGE_PARAMETER) &&
           from->kind == QUARTIC_STORAGE_INTERMEDIATE && !from->updated && to->dtype == from->dtype &&
           quartic_layout_is_contiguous(&target->layout) && quartic_layout_is_contiguous(&source->layout) &&
           source->layout.offset == 0 && quartic_layout_elements(&source->layout) == from->elements &&
           (uint64_t)(out->end - out->begin) == from->elements;
}

/* ---- what touches the targets ---- */

static quartic_status note_value(assign_finder *f, uint32_t n, uint32_t id, bool writes) {
    const quartic_graph_value *value = quartic_graph_get(f->graph, id);
    const uint32_t s = value->storage;
    if (!writes)
        f->last_read[s] = n;
    else if (f->made[s] == QUARTIC_NONE)
        f->made[s] = n;
    if (!f->is_target[s]) return QUARTIC_OK;
    if (f->count == f->capacity) {
        const uint32_t capacity = 2 * f->capacity + 64;
        assign_access *grown = quartic_realloc(f->accesses, f->count, capacity, sizeof *grown);
        if (grown == NULL) return QUARTIC_OUT_OF_MEMORY;
        f->accesses = grown;
        f->capacity = capacity;
    }
    assign_access access = {.storage = s, .node = n, .until = n, .writes = writes};
    quartic_layout_extent(&value->layout, &access.begin, &access.end);
    access.wide = (uint64_t)(access.end - access.begin) > f->graph->storages[s].elements / 4;
    f->wide_count += access.wide;
    f->accesses[f->count++] = access;
    return QUARTIC_OK;
}

static int by_place(const void *a, const void *b) {
    const assign_access *x = a, *y = b;
    if (x->wide != y->wide) return x->wide ? -1 : 1;
    if (x->storage != y->storage) return x->storage < y->storage ? -1 : 1;
    if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
    return x->node < y->node ? -1 : x->node > y->node;
}

static quartic_status note_all(assign_finder *f) {
    for (uint32_t s = 0; s < f->graph->storage_count; ++s) f->made[s] = QUARTIC_NONE;
    for (uint32_t n = 0; n < f->graph->node_count; ++n) {
        const quartic_node *node = &f->graph->nodes[n];
        if (!runs(f, n)) continue;
        for (uint32_t i = 0; i < node->input_count; ++i)
            if (node->inputs[i] != 0) QUARTIC_TRY(note_value(f, n, node->inputs[i], false));
        for (uint32_t o = 0; o < node->output_count; ++o)
            if (node->outputs[o] != 0) QUARTIC_TRY(note_value(f, n, node->outputs[o], true));
    }
    if (f->count > 0) qsort(f->accesses, f->count, sizeof *f->accesses, by_place);
    for (uint32_t k = f->wide_count; k < f->count; ++k) {
        assign_access *one = &f->accesses[k];
        const bool first = k == f->wide_count || one[-1].storage != one->storage;
        one->reach = first || one[-1].reach < one->end ? one->end : one[-1].reach;
    }
    return QUARTIC_OK;
}

/* ---- whether a value can move ---- */

/* Whether an access stands in the way: it touches the range while the value is made or not yet put there, or
 * writes it while the value is still read. */
static bool is_in_the_way(const assign_finder *f, const assign_access *access, const assign_move *move) {
    const uint32_t n = access->node;
    if (n == move->node || access->until < f->made[move->source]) return false;
    if (n > move->node && n > f->last_read[move->source]) return false;
    return access->writes || n < move->node;
}

/* Looks whether no access of the range is in the way; or, with moved, takes note at the move's own accesses of
 * how long the value that now lies there is read. */
static bool walk_range(assign_finder *f, const assign_move *move, bool moved) {
    uint32_t low = f->wide_count, high = f->count;
    while (low < high) { /* the first narrow access that begins beyond the range */
        const uint32_t middle = low + (high - low) / 2;
        const assign_access *one = &f->accesses[middle];
        if (one->storage < move->target || (one->storage == move->target && one->begin < move->end))
            low = middle + 1;
        else
            high = middle;
    }
    uint64_t rounds = 0;
    bool free = true;
    /* The narrow ones back to where none reaches the range, then the wide ones. */
    for (uint32_t k = low; free && k-- > 0; ++rounds) {
        assign_access *one = &f->accesses[k];
        if (!one->wide && (one->storage != move->target || one->reach <= move->begin)) {
            k = f->wide_count;
            continue;
        }
        if (one->storage != move->target || one->end <= move->begin || move->end <= one->begin) continue;
        if (!moved)
            free = !is_in_the_way(f, one, move);
        else if (one->node == move->node && f->last_read[move->source] > one->until)
            one->until = f->last_read[move->source];
    }
    quartic_work(rounds);
    return free;
}

static quartic_status find_all(assign_finder *f, bool *node_needed, quartic_plan_alias *aliases) {
    const quartic_graph *graph = f->graph;
    bool any = false;
    assign_move move;
    for (uint32_t u = 0; u < graph->update_count; ++u) {
        const uint32_t n = graph->updates[u];
        if (!node_needed[n] || !graph->nodes[n].op->assigns || !describe_move(graph, n, &move)) continue;
        f->is_target[move.target] = any = true;
    }
    if (!any) return QUARTIC_OK;
    QUARTIC_TRY(note_all(f));
    for (uint32_t u = 0; u < graph->update_count; ++u) {
        const uint32_t n = graph->updates[u];
        if (!node_needed[n] || !graph->nodes[n].op->assigns || !describe_move(graph, n, &move)) continue;
        if (aliases[move.source].storage != QUARTIC_NONE || f->made[move.source] == QUARTIC_NONE ||
            f->made[move.source] >= n || !walk_range(f, &move, false))
            continue;
        walk_range(f, &move, true);
        aliases[move.source] = (quartic_plan_alias){move.target, (uint64_t)move.begin};
        node_needed[n] = false;
    }
    return QUARTIC_OK;
}

quartic_status quartic_assigns_find(const quartic_graph *graph, bool *inout_node_needed,
                                    quartic_plan_alias *out_aliases) {
    const size_t storages = graph->storage_count;
    for (uint32_t s = 0; s < storages; ++s) out_aliases[s] = (quartic_plan_alias){.storage = QUARTIC_NONE};
    /* Only updates assign, and the graph has a list of them. */
    if (graph->update_count == 0) return QUARTIC_OK;
    assign_finder finder = {.graph = graph,
                            .node_needed = inout_node_needed,
                            .is_target = quartic_alloc(storages, sizeof(bool)),
                            .made = quartic_alloc(storages, sizeof(uint32_t)),
                            .last_read = quartic_alloc(storages, sizeof(uint32_t))};
    quartic_status status = QUARTIC_OUT_OF_MEMORY;
    if (finder.is_target != NULL && finder.made != NULL && finder.last_read != NULL)
        status = find_all(&finder, inout_node_needed, out_aliases);
    quartic_free(finder.is_target);
    quartic_free(finder.made);
    quartic_free(finder.last_read);
    quartic_free(finder.accesses);
    return status;
}
