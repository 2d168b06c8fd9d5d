/* plan.c: chooses the steps of a graph, finds the lives of its storages, and has them placed. See plan.h. */
#include "plan/plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "plan/levels.h"
#include "plan/place.h"

enum { ALIGNMENT = QUARTIC_PLACE_ALIGNMENT };

/* How far ahead steps may move, widest first; 0: graph order. */
static const uint32_t windows[] = {QUARTIC_NONE, 256, 128, 64, 32, 16, 8, 4, 2, 1, 0};

typedef struct sized {
    uint64_t bytes;
    uint32_t block;
} sized;

typedef struct planner {
    const quartic_graph *graph;
    quartic_plan *plan;
    uint32_t real_bytes;
    bool *needed;                /* per value id: some step reads it */
    quartic_plan_alias *aliases; /* per storage */
    uint32_t *first,
        *last;           /* per storage: levels of definition and last use; first is QUARTIC_NONE if unused */
    uint32_t *last_step; /* per storage: the step whose use ends last */
    uint32_t *before_last; /* per storage: the first level after the uses of all other steps */
    uint32_t *root;        /* per storage: the storage whose block it uses; itself, unless it took one over */
    quartic_block
        *blocks;  /* one per storage, used for roots only; one per step, for its scratch; the counters' */
    sized *order; /* blocks by size */
} planner;

static uint64_t align_up(uint64_t bytes) {
    return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static uint64_t storage_bytes(const planner *p, uint32_t storage) {
    const quartic_storage *entry = &p->graph->storages[storage];
    return entry->elements * (entry->dtype == QUARTIC_FLOAT32 ? p->real_bytes : 4);
}

static uint32_t storage_of(const planner *p, uint32_t id) {
    return quartic_graph_get(p->graph, id)->storage;
}

/* Makes steps of the nodes that a named output or an in-place update depends on. */
static quartic_status select_steps(planner *p, bool *node_needed) {
    const quartic_graph *graph = p->graph;
    for (uint32_t n = graph->node_count; n-- > 0;) {
        const quartic_node *node = &graph->nodes[n];
        bool needed = node->op->mutated_inputs != 0;
        for (uint32_t o = 0; o < node->output_count; ++o) {
            uint32_t id = node->outputs[o];
            needed = needed || p->needed[id];
            if (node->op->view == NULL && graph->storages[storage_of(p, id)].kind == QUARTIC_STORAGE_OUTPUT)
                needed = true;
        }
        node_needed[n] = needed;
        for (uint32_t i = 0; needed && i < node->input_count; ++i) p->needed[node->inputs[i]] = true;
    }
    QUARTIC_TRY(quartic_assigns_find(graph, node_needed, p->aliases));
    for (uint32_t n = 0; n < graph->node_count; ++n)
        if (node_needed[n] && graph->nodes[n].op->view == NULL)
            p->plan->steps[p->plan->step_count++] = (quartic_plan_step){.node = n, .stages = 1};
    return QUARTIC_OK;
}

static uint32_t last_level(const quartic_plan_step *step) {
    return step->level + step->stages - 1;
}

/* The storage whose life a use of this one prolongs: the intermediate that it is a part of, or itself. */
static uint32_t home_of(const planner *p, uint32_t storage) {
    const uint32_t whole = p->aliases[storage].storage;
    if (whole == QUARTIC_NONE || p->graph->storages[whole].kind != QUARTIC_STORAGE_INTERMEDIATE)
        return storage;
    return whole;
}

static void use_storage(planner *p, uint32_t storage, uint32_t step) {
    const quartic_plan_step *user = &p->plan->steps[step];
    const uint32_t last = last_level(user);
    if (p->first[storage] == QUARTIC_NONE) {
        p->first[storage] = user->level;
        p->last[storage] = last;
        p->last_step[storage] = step;
        return;
    }
    if (user->level < p->first[storage]) p->first[storage] = user->level;
    if (p->last_step[storage] == step) return;
    if (last >= p->last[storage]) {
        if (p->last[storage] + 1 > p->before_last[storage]) p->before_last[storage] = p->last[storage] + 1;
        p->last[storage] = last;
        p->last_step[storage] = step;
    } else if (last + 1 > p->before_last[storage]) {
        p->before_last[storage] = last + 1;
    }
}

/* Finds the first and last step of every storage. */
static void find_lives(planner *p) {
    for (uint32_t s = 0; s < p->graph->storage_count; ++s) {
        p->first[s] = QUARTIC_NONE;
        p->last[s] = p->last_step[s] = p->before_last[s] = 0;
        p->root[s] = s;
    }
    for (uint32_t t = 0; t < p->plan->step_count; ++t) {
        const quartic_node *node = &p->graph->nodes[p->plan->steps[t].node];
        for (uint32_t i = 0; i < node->input_count; ++i)
            if (node->inputs[i] != 0) use_storage(p, home_of(p, storage_of(p, node->inputs[i])), t);
        for (uint32_t o = 0; o < node->output_count; ++o)
            use_storage(p, home_of(p, storage_of(p, node->outputs[o])), t);
    }
}

/* Whether output 0 of the node at step t may take over the memory of input i: the op allows it, the input
 * dies at this step, and both are whole contiguous intermediates of one size. */
static bool can_take_over(const planner *p, const quartic_node *node, uint32_t t, uint32_t i) {
    if (!(node->op->in_place_inputs >> i & 1u) || node->inputs[i] == 0) return false;
    const quartic_graph_value *in = quartic_graph_get(p->graph, node->inputs[i]);
    const quartic_graph_value *out = quartic_graph_get(p->graph, node->outputs[0]);
    const quartic_storage *from = &p->graph->storages[in->storage], *to = &p->graph->storages[out->storage];
    if (from->kind != QUARTIC_STORAGE_INTERMEDIATE || to->kind != QUARTIC_STORAGE_INTERMEDIATE) return false;
    if (p->aliases[in->storage].storage != QUARTIC_NONE || p->aliases[out->storage].storage != QUARTIC_NONE)
        return false;
    /* All other uses of the memory end before the step begins. */
    const uint32_t root = p->root[in->storage], level = p->plan->steps[t].level;
    if (p->last_step[root] != t || p->last_step[in->storage] != t || p->before_last[root] > level ||
        p->before_last[in->storage] > level || p->first[out->storage] != level)
        return false;
    if (from->dtype != to->dtype || from->elements != to->elements) return false;
    if (in->layout.offset != 0 || !quartic_layout_is_contiguous(&in->layout) ||
        quartic_layout_elements(&in->layout) != from->elements)
        return false;
    /* Another operand in the same memory must be read in the same order as the output is written. */
    for (uint32_t k = 0; k < node->input_count; ++k) {
        if (k == i || node->inputs[k] == 0) continue;
        const quartic_graph_value *other = quartic_graph_get(p->graph, node->inputs[k]);
        if (p->root[home_of(p, other->storage)] != p->root[in->storage]) continue;
        if (!(node->op->in_place_inputs >> k & 1u) || !quartic_layout_is_contiguous(&other->layout) ||
            other->layout.offset != 0 || quartic_layout_elements(&other->layout) != from->elements)
            return false;
    }
    return true;
}

/* Lets outputs take over the memory of inputs. */
static void share_in_place(planner *p) {
    for (uint32_t t = 0; t < p->plan->step_count; ++t) {
        const quartic_node *node = &p->graph->nodes[p->plan->steps[t].node];
        for (uint32_t i = 0; i < node->input_count; ++i) {
            if (!can_take_over(p, node, t, i)) continue;
            uint32_t out = storage_of(p, node->outputs[0]), root = p->root[storage_of(p, node->inputs[i])];
            p->root[out] = root;
            p->last[root] = p->last[out];
            p->last_step[root] = p->last_step[out];
            if (p->before_last[out] > p->before_last[root]) p->before_last[root] = p->before_last[out];
            break;
        }
    }
}

static int by_block_size(const void *a, const void *b) {
    const sized *x = a, *y = b;
    if (x->bytes != y->bytes) return x->bytes < y->bytes ? 1 : -1;
    return x->block < y->block ? -1 : 1;
}

/* Places the blocks listed in p->order, largest first. */
static quartic_status place_blocks(planner *p, uint32_t count) {
    quartic_placer *placer;
    QUARTIC_TRY(quartic_placer_create(p->plan->level_count, p->plan->arenas.span, &placer));
    quartic_status status = QUARTIC_OK;
    qsort(p->order, count, sizeof p->order[0], by_block_size);
    for (uint32_t k = 0; status == QUARTIC_OK && k < count; ++k)
        status = quartic_placer_add(placer, &p->blocks[p->order[k].block]);
    if (status == QUARTIC_OK) status = quartic_arenas_set(&p->plan->arenas, placer);
    p->plan->workspace_bytes = quartic_arenas_total(&p->plan->arenas);
    quartic_placer_destroy(placer);
    return status;
}

/* Asks for what every step needs. */
static quartic_status find_needs(planner *p, quartic_scratch_rule scratch, void *context) {
    for (uint32_t t = 0; scratch != NULL && t < p->plan->step_count; ++t) {
        const quartic_node *node = &p->graph->nodes[p->plan->steps[t].node];
        quartic_layout in[QUARTIC_OP_MAX_INPUTS], out[QUARTIC_OP_MAX_OUTPUTS];
        quartic_op_call call = quartic_graph_call(p->graph, node, in, out);
        quartic_step_need need = {.stages = 1};
        QUARTIC_TRY(scratch(context, node, &call, &need));
        p->plan->steps[t].scratch_bytes = need.scratch_bytes;
        p->plan->steps[t].counter_bytes = need.counter_bytes;
        p->plan->steps[t].counter_offset = p->plan->counters_bytes;
        p->plan->counters_bytes += align_up(need.counter_bytes);
        p->plan->steps[t].stages = need.stages;
    }
    return QUARTIC_OK;
}

/* Refuses what one allocation cannot hold. step: for scratch; else QUARTIC_NONE. */
static quartic_status expect_one_allocation(const planner *p, uint32_t storage, uint32_t step,
                                            uint64_t bytes) {
    const uint64_t most = p->plan->arenas.span;
    const double mib = 1.0 / (1 << 20);
    if (bytes <= most) return QUARTIC_OK;
    const char *name = step == QUARTIC_NONE ? p->graph->storages[storage].name : NULL;
    const quartic_node *node = step == QUARTIC_NONE ? NULL : &p->graph->nodes[p->plan->steps[step].node];
    for (uint32_t n = 0; n < p->graph->node_count && node == NULL; ++n)
        for (uint32_t o = 0; o < p->graph->nodes[n].output_count; ++o)
            if (storage_of(p, p->graph->nodes[n].outputs[o]) == storage) node = &p->graph->nodes[n];
    char what[256];
    if (name != NULL || node == NULL)
        snprintf(what, sizeof what, "the tensor \"%s\"", name == NULL ? "" : name);
    else
        snprintf(what, sizeof what, "%s of %s (in \"%s\")",
                 step == QUARTIC_NONE ? "the result" : "the scratch", node->op->name,
                 p->graph->scopes[node->scope]);
    return quartic_fail(
        QUARTIC_OUT_OF_DEVICE_MEMORY,
        "%s takes %.1f MiB (%llu bytes), but one allocation of this device has at most %.1f MiB "
        "(%llu bytes); make the batch, the sequence or the model smaller",
        what, (double)bytes * mib, (unsigned long long)bytes, (double)most * mib, (unsigned long long)most);
}

/* Makes blocks of storages and scratch, has them placed, and gives their offsets to the plan. */
static quartic_status assign_offsets(planner *p) {
    quartic_plan *plan = p->plan;
    uint32_t storages = p->graph->storage_count, count = 0;
    plan->unshared_bytes = 0;
    for (uint32_t s = 0; s < storages; ++s) {
        plan->places[s].used = p->first[home_of(p, s)] != QUARTIC_NONE;
        plan->places[s].bytes = storage_bytes(p, s);
        plan->places[s].in_workspace = plan->places[s].used &&
                                       p->graph->storages[s].kind == QUARTIC_STORAGE_INTERMEDIATE &&
                                       p->aliases[s].storage == QUARTIC_NONE;
        plan->places[s].alias = p->aliases[s];
        if (p->graph->storages[s].kind != QUARTIC_STORAGE_INTERMEDIATE) plan->places[s].used = true;
        if (plan->places[s].used && p->aliases[s].storage == QUARTIC_NONE)
            QUARTIC_TRY(expect_one_allocation(p, s, QUARTIC_NONE, plan->places[s].bytes));
        if (!plan->places[s].in_workspace) continue;
        plan->unshared_bytes += align_up(plan->places[s].bytes);
        if (p->root[s] != s) continue;
        p->blocks[s] =
            (quartic_block){.bytes = plan->places[s].bytes, .first = p->first[s], .last = p->last[s]};
        p->order[count++] = (sized){p->blocks[s].bytes, s};
    }
    for (uint32_t t = 0; t < plan->step_count; ++t) {
        if (plan->steps[t].scratch_bytes == 0) continue;
        QUARTIC_TRY(expect_one_allocation(p, 0, t, plan->steps[t].scratch_bytes));
        p->blocks[storages + t] = (quartic_block){.bytes = plan->steps[t].scratch_bytes,
                                                  .first = plan->steps[t].level,
                                                  .last = last_level(&plan->steps[t])};
        p->order[count++] = (sized){p->blocks[storages + t].bytes, storages + t};
        plan->unshared_bytes += align_up(plan->steps[t].scratch_bytes);
    }
    quartic_block *counters = &p->blocks[storages + p->graph->node_count];
    if (plan->counters_bytes > 0) {
        *counters = (quartic_block){.bytes = plan->counters_bytes, .last = plan->level_count - 1};
        p->order[count++] = (sized){counters->bytes, storages + p->graph->node_count};
        plan->unshared_bytes += counters->bytes;
    }
    QUARTIC_TRY(place_blocks(p, count));
    plan->counters_offset = counters->offset;
    for (uint32_t s = 0; s < storages; ++s)
        if (plan->places[s].in_workspace) plan->places[s].offset = p->blocks[p->root[s]].offset;
    for (uint32_t s = 0; s < storages; ++s) {
        const uint32_t whole = home_of(p, s);
        if (whole == s || !plan->places[s].used) continue;
        plan->places[s].in_workspace = true;
        plan->places[s].alias.storage = QUARTIC_NONE;
        plan->places[s].offset = plan->places[whole].offset + plan->places[s].bytes /
                                                                  p->graph->storages[s].elements *
                                                                  p->aliases[s].offset;
    }
    for (uint32_t t = 0; t < plan->step_count; ++t)
        plan->steps[t].scratch_offset = p->blocks[storages + t].offset;
    return QUARTIC_OK;
}

/* ---- orders ---- */

static int by_node(const void *a, const void *b) {
    const quartic_plan_step *x = a, *y = b;
    return x->node < y->node ? -1 : x->node > y->node;
}

static int by_level(const void *a, const void *b) {
    const quartic_plan_step *x = a, *y = b;
    if (x->level != y->level) return x->level < y->level ? -1 : 1;
    return by_node(a, b);
}

/* Puts the steps in an order and gives them levels. */
static quartic_status order_steps(planner *p, uint32_t window) {
    quartic_plan *plan = p->plan;
    if (plan->step_count > 0) qsort(plan->steps, plan->step_count, sizeof *plan->steps, by_node);
    plan->level_count = 0;
    if (window == 0) {
        for (uint32_t t = 0; t < plan->step_count; ++t) {
            plan->steps[t].level = plan->level_count;
            plan->level_count += plan->steps[t].stages;
        }
        return QUARTIC_OK;
    }
    uint32_t *numbers = quartic_alloc((size_t)plan->step_count * 3, sizeof *numbers);
    if (numbers == NULL) return QUARTIC_OUT_OF_MEMORY;
    uint32_t *nodes = numbers, *stages = nodes + plan->step_count, *levels = stages + plan->step_count;
    for (uint32_t t = 0; t < plan->step_count; ++t) {
        nodes[t] = plan->steps[t].node;
        stages[t] = plan->steps[t].stages;
    }
    quartic_status status =
        quartic_levels_find(p->graph, p->aliases, nodes, stages, plan->step_count, window, levels);
    for (uint32_t t = 0; t < plan->step_count && status == QUARTIC_OK; ++t) {
        plan->steps[t].level = levels[t];
        if (last_level(&plan->steps[t]) + 1 > plan->level_count)
            plan->level_count = last_level(&plan->steps[t]) + 1;
    }
    if (plan->step_count > 0) qsort(plan->steps, plan->step_count, sizeof *plan->steps, by_level);
    quartic_free(numbers);
    return status;
}

/* Orders the steps and places what they need. */
static quartic_status plan_window(planner *p, uint32_t window) {
    QUARTIC_TRY(order_steps(p, window));
    find_lives(p);
    share_in_place(p);
    return assign_offsets(p);
}

static quartic_status plan_within(planner *p, const quartic_plan_budget *budget) {
    uint64_t most = budget->bytes;
    p->plan->arenas.span = quartic_arena_span(budget->allocation_bytes);
    if (most == 0) return plan_window(p, 0);
    if (budget->times_least != 0) {
        QUARTIC_TRY(plan_window(p, 0));
        const uint64_t least = p->plan->workspace_bytes;
        if (least < most / budget->times_least) most = least * budget->times_least;
    }
    for (uint32_t w = 0; w < sizeof windows / sizeof windows[0]; ++w) {
        QUARTIC_TRY(plan_window(p, windows[w]));
        if (p->plan->workspace_bytes <= most) break;
    }
    return QUARTIC_OK;
}

quartic_plan_budget quartic_plan_standard_budget(uint64_t device_bytes, uint64_t allocation_bytes) {
    return (quartic_plan_budget){
        .bytes = device_bytes / 4, .times_least = 2, .allocation_bytes = allocation_bytes};
}

/* budget NULL: graph order. */
static quartic_status create_plan(const quartic_graph *graph, uint32_t real_bytes,
                                  quartic_scratch_rule scratch, void *context,
                                  const quartic_plan_budget *budget, quartic_plan *out_plan) {
    *out_plan =
        (quartic_plan){.storage_count = graph->storage_count, .arenas = {.span = quartic_arena_span(0)}};
    QUARTIC_TRY(quartic_graph_status(graph));
    size_t nodes = graph->node_count, storages = graph->storage_count;
    out_plan->steps = quartic_alloc(nodes, sizeof *out_plan->steps);
    out_plan->places = quartic_alloc(storages, sizeof *out_plan->places);
    planner p = {.graph = graph,
                 .plan = out_plan,
                 .real_bytes = real_bytes,
                 .needed = quartic_alloc((size_t)graph->value_count + 1, sizeof(bool)),
                 .aliases = quartic_alloc(storages, sizeof *p.aliases),
                 .first = quartic_alloc(storages, sizeof(uint32_t)),
                 .last = quartic_alloc(storages, sizeof(uint32_t)),
                 .last_step = quartic_alloc(storages, sizeof(uint32_t)),
                 .before_last = quartic_alloc(storages, sizeof(uint32_t)),
                 .root = quartic_alloc(storages, sizeof(uint32_t)),
                 .blocks = quartic_alloc(storages + nodes + 1, sizeof(quartic_block)),
                 .order = quartic_alloc(storages + nodes + 1, sizeof(sized))};
    bool *node_needed = quartic_alloc(nodes, sizeof(bool));
    quartic_status status = QUARTIC_OUT_OF_MEMORY;
    if (out_plan->steps != NULL && out_plan->places != NULL && p.needed != NULL && p.aliases != NULL &&
        p.first != NULL && p.last != NULL && p.last_step != NULL && p.before_last != NULL && p.root != NULL &&
        p.blocks != NULL && p.order != NULL && node_needed != NULL) {
        status = select_steps(&p, node_needed);
        if (status == QUARTIC_OK) status = find_needs(&p, scratch, context);
        if (status == QUARTIC_OK) status = budget == NULL ? plan_window(&p, 0) : plan_within(&p, budget);
    }
    quartic_free(p.needed);
    quartic_free(p.aliases);
    quartic_free(p.first);
    quartic_free(p.last);
    quartic_free(p.last_step);
    quartic_free(p.before_last);
    quartic_free(p.root);
    quartic_free(p.blocks);
    quartic_free(p.order);
    quartic_free(node_needed);
    if (status != QUARTIC_OK) quartic_plan_destroy(out_plan);
    return status;
}

quartic_status quartic_plan_create(const quartic_graph *graph, uint32_t real_bytes,
                                   quartic_scratch_rule scratch, void *context, quartic_plan *out_plan) {
    return create_plan(graph, real_bytes, scratch, context, NULL, out_plan);
}

quartic_status quartic_plan_create_within(const quartic_graph *graph, uint32_t real_bytes,
                                          quartic_scratch_rule scratch, void *context,
                                          const quartic_plan_budget *budget, quartic_plan *out_plan) {
    return create_plan(graph, real_bytes, scratch, context, budget, out_plan);
}

void quartic_plan_destroy(quartic_plan *plan) {
    quartic_free(plan->steps);
    quartic_free(plan->places);
    quartic_arenas_destroy(&plan->arenas);
    *plan = (quartic_plan){0};
}
