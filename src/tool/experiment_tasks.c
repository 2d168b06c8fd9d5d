/* experiment_tasks.c: drawing the graphs of the tasks. See experiment_tasks.h. */
#include "tool/experiment_tasks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/find.h"
#include "tool/experiment_draw.h"

enum {
    DECK = EXPERIMENT_DECK,
    MOST_NODES = EXPERIMENT_MOST_NODES,
    MARK_ROUNDS = 3,
    SHARES = 4, /* by its mark, one graph of so many is for the test and one for validation */
    PARTS = 3
};

/* ---- the tasks ---- */

static const experiment_task tasks[] = {
    {.name = "cycles",
     .question = "does a 3-regular graph of equal nodes hold a triangle",
     .n = 12,
     .node_step = 2,
     .fewest_nodes = 12,
     .degree = 3,
     .least_degree = 3,
     .most_degree = 4,
     .tokens = 1,
     .edge_types = 2,
     .readout = QUARTIC_READOUT_GRAPH,
     .test_graphs = 512,
     .draw = experiment_draw_cycles},
    {.name = "foaf",
     .question = "is there an l with i -> l -> j",
     .n = 14,
     .node_step = 1,
     .fewest_nodes = 8,
     .least_degree = 1,
     .most_degree = 5,
     .tokens = 1,
     .edge_types = 2,
     .balanced_by_type = true,
     .pivot_types = {1, 1},
     .readout = QUARTIC_READOUT_EDGE,
     .test_graphs = 64,
     .draw = experiment_draw_foaf},
    {.name = "foaf24",
     .question = "is there an l with i -> l -> j",
     .n = 24,
     .node_step = 1,
     .fewest_nodes = 8,
     .least_degree = 1,
     .most_degree = 5,
     .tokens = 1,
     .edge_types = 2,
     .balanced_by_type = true,
     .pivot_types = {1, 1},
     .readout = QUARTIC_READOUT_EDGE,
     .test_graphs = 64,
     .draw = experiment_draw_foaf},
    {.name = "compose",
     .question = "is g(f(i)) = j",
     .n = 16,
     .node_step = 1,
     .fewest_nodes = 6,
     .tokens = 1,
     .edge_types = 4,
     .pivot_types = {1, 2},
     .readout = QUARTIC_READOUT_EDGE,
     .test_graphs = 128,
     .draw = experiment_draw_compose},
    {.name = "set",
     .question = "does the card that completes i and j lie on the table of 8",
     .n = 8,
     .tokens = EXPERIMENT_DECK,
     .readout = QUARTIC_READOUT_EDGE,
     .test_graphs = 128,
     .draw = experiment_draw_set},
    {.name = "relation",
     .question = "is there an l in the second group with i -> l -> j",
     .n = 24,
     .node_step = 6, /* three groups, each of an even number */
     .fewest_nodes = 24,
     .tokens = 3,
     .edge_types = 2,
     .pivot_types = {1, 1},
     .readout = QUARTIC_READOUT_EDGE,
     .test_graphs = 64,
     .draw = experiment_draw_relation},
    {.name = "quotient",
     .question = "are there an l with i -> l and another k of its class with k -> j",
     .n = 24,
     .node_step = 6,
     .fewest_nodes = 24,
     .tokens = 3,
     .edge_types = 3,
     .readout = QUARTIC_READOUT_EDGE,
     .test_graphs = 64,
     .draw = experiment_draw_quotient},
    {.name = "twins",
     .question = "does an edge that shares no node with (i, j) carry its label",
     .n = 8,
     .node_step = 1,
     .fewest_nodes = 6,
     .tokens = 1,
     .edge_types = 65,
     .types_of = experiment_twins_types,
     .readout = QUARTIC_READOUT_EDGE,
     .test_graphs = 128,
     .draw = experiment_draw_twins},
    {.name = "analogy",
     .question = "does an edge of the other situation carry the label of (i, j)",
     .n = 10,
     .node_step = 2,
     .fewest_nodes = 6,
     .tokens = 2,
     .edge_types = 31,
     .types_of = experiment_analogy_types,
     .readout = QUARTIC_READOUT_EDGE,
     .test_graphs = 128,
     .draw = experiment_draw_analogy},
    {.name = "repeats",
     .question = "does another edge out of i carry the label of (i, j)",
     .n = 8,
     .node_step = 1,
     .fewest_nodes = 6,
     .tokens = 1,
     .edge_types = 10,
     .types_of = experiment_repeats_types,
     .readout = QUARTIC_READOUT_EDGE,
     .test_graphs = 128,
     .draw = experiment_draw_repeats},
    {.name = "match3",
     .question = "are there j and k with x_i + x_j + x_k = 0 modulo 37",
     .n = 8,
     .tokens = 37,
     .readout = QUARTIC_READOUT_NODE,
     .test_graphs = 512,
     .draw = experiment_draw_match3},
    {.name = "siblings",
     .question = "is f(i) = f(j)",
     .n = 16,
     .node_step = 4,
     .fewest_nodes = 12,
     .tokens = 1,
     .edge_types = 4,
     .readout = QUARTIC_READOUT_EDGE,
     .test_graphs = 128,
     .draw = experiment_draw_siblings},
    {.name = "circulants",
     .question = "has the circulant graph skips 1 and 3, not 1 and 2",
     .n = 11,
     .tokens = 1,
     .edge_types = 2,
     .two_graphs = true,
     .readout = QUARTIC_READOUT_GRAPH,
     .test_graphs = 128,
     .draw = experiment_draw_circulants},
    {.name = "strongly-regular",
     .question = "is it Shrikhande's graph, not the rook's",
     .n = 16,
     .tokens = 1,
     .edge_types = 2,
     .two_graphs = true,
     .readout = QUARTIC_READOUT_GRAPH,
     .test_graphs = 128,
     .draw = experiment_draw_strongly_regular},
    {.name = "cfi",
     .question = "is the graph over K(3, 3) twisted",
     .n = 24,
     .tokens = 1,
     .edge_types = 2,
     .two_graphs = true,
     .readout = QUARTIC_READOUT_GRAPH,
     .test_graphs = 128,
     .draw = experiment_draw_cfi},
    {.name = "designs",
     .question = "is the design that of Z2 x Z8, not of Z2^4",
     .n = 32,
     .tokens = 1,
     .edge_types = 2,
     .two_graphs = true,
     .readout = QUARTIC_READOUT_GRAPH,
     .test_graphs = 128,
     .draw = experiment_draw_designs},
};

enum { TASKS = sizeof tasks / sizeof tasks[0] };

const experiment_task *experiment_task_at(uint32_t index) {
    return index < TASKS ? &tasks[index] : NULL;
}

const experiment_task *experiment_task_named(const char *name) {
    return experiment_task_at((uint32_t)quartic_find_name(tasks, sizeof tasks[0], TASKS, name));
}

void experiment_task_list(char *out_text, size_t capacity) {
    size_t used = 0;
    for (uint32_t k = 0; k < TASKS && used < capacity; ++k)
        used += (size_t)snprintf(out_text + used, capacity - used, "%s%s",
                                 k == 0          ? ""
                                 : k + 1 < TASKS ? ", "
                                                 : " and ",
                                 tasks[k].name);
}

bool experiment_task_resize(const experiment_task *task, uint32_t n, experiment_task *out_task) {
    *out_task = *task;
    if (n == 0 || n == task->n) return true;
    if (task->node_step == 0 || n % task->node_step != 0 || n < task->fewest_nodes ||
        n > EXPERIMENT_MOST_NODES)
        return false;
    out_task->n = n;
    if (task->types_of != NULL) out_task->edge_types = task->types_of(n);
    return true;
}

bool experiment_task_set_degree(experiment_task *task, uint32_t degree) {
    if (degree == 0 || degree == task->degree) return true;
    /* Four times as many nodes: else random graphs are found too seldom, or there are too few for a test. */
    if (degree < task->least_degree || degree > task->most_degree || 4 * degree > task->n) return false;
    task->degree = degree;
    return true;
}

uint32_t experiment_task_targets(const experiment_task *task) {
    return task->readout == QUARTIC_READOUT_GRAPH  ? 1
           : task->readout == QUARTIC_READOUT_NODE ? task->n
                                                   : task->n * task->n;
}

/* ---- hashes ---- */

/* Colours of pairs, refined by the multiset of the pairs' ways over l (2-dimensional Weisfeiler-Leman in its
 * folklore form): sums of mixed numbers, which have no order. */
uint64_t experiment_graph_hash(const experiment_task *task, const experiment_graph *graph) {
    const uint32_t n = task->n;
    const uint64_t radix = task->tokens > DECK ? task->tokens : DECK; /* more than any token */
    uint64_t colour[MOST_NODES * MOST_NODES], next[MOST_NODES * MOST_NODES], mark = 0;
    for (uint32_t i = 0; i < n; ++i)
        for (uint32_t j = 0; j < n; ++j) {
            /* in both directions: else two edges that come from one node look like none */
            const uint64_t type = graph->edge_types == NULL
                                      ? 0
                                      : (uint64_t)graph->edge_types[i * n + j] * task->edge_types +
                                            (uint64_t)graph->edge_types[j * n + i];
            colour[i * n + j] =
                experiment_mix(((type * 2 + (i == j)) * radix + (uint64_t)graph->tokens[i]) * radix +
                               (uint64_t)graph->tokens[j] + 1);
        }
    for (uint32_t round = 0; round < MARK_ROUNDS; ++round) {
        for (uint32_t i = 0; i < n; ++i)
            for (uint32_t j = 0; j < n; ++j) {
                uint64_t ways = 0;
                for (uint32_t l = 0; l < n; ++l)
                    ways += experiment_mix(colour[i * n + l] + 3 * colour[l * n + j]);
                next[i * n + j] = experiment_mix(colour[i * n + j] + 5 * ways);
            }
        memcpy(colour, next, sizeof colour[0] * n * n);
    }
    for (uint32_t k = 0; k < n * n; ++k) mark += experiment_mix(colour[k]);
    return experiment_mix(mark);
}

/* ---- data ---- */

/* What the edges of a pair themselves tell: their types in both directions, where the task asks to balance
 * pairs of each such kind by themselves. */
static uint32_t kind_of(const experiment_task *task, const experiment_graph *graph, uint32_t target) {
    if (!task->balanced_by_type) return 0;
    const uint32_t n = task->n, i = target / n, j = target % n;
    return (uint32_t)graph->edge_types[i * n + j] * task->edge_types + (uint32_t)graph->edge_types[j * n + i];
}

/* Masks random targets of the more frequent label until both are equally many, kind by kind. */
static void mask_frequent_label(const experiment_task *task, experiment_source *source,
                                const experiment_graph *graph) {
    const uint32_t count = experiment_task_targets(task),
                   kinds = task->balanced_by_type ? task->edge_types * task->edge_types : 1;
    for (uint32_t kind = 0; kind < kinds; ++kind) {
        uint32_t of[2] = {0, 0};
        for (uint32_t k = 0; k < count; ++k)
            if (graph->targets[k] >= 0 && kind_of(task, graph, k) == kind) ++of[graph->targets[k]];
        const int32_t frequent = of[1] > of[0];
        uint32_t left = of[frequent], keep = of[1 - frequent]; /* each is kept with probability keep / left */
        for (uint32_t k = 0; k < count; ++k) {
            if (graph->targets[k] != frequent || kind_of(task, graph, k) != kind) continue;
            const bool kept = experiment_below(source, left--) < keep;
            keep -= kept;
            if (!kept) graph->targets[k] = -1;
        }
    }
}

static experiment_graph graph_at(const experiment_data *data, uint32_t index) {
    const size_t n = data->n;
    return (experiment_graph){.tokens = data->tokens + index * n,
                              .edge_types = data->edge_types ? data->edge_types + index * n * n : NULL,
                              .targets = data->targets + (size_t)index * data->targets_per_graph};
}

void experiment_data_draw(const experiment_task *task, uint64_t seed, experiment_part part, uint32_t graphs,
                          experiment_data *out_data) {
    const uint32_t n = task->n, per_graph = experiment_task_targets(task);
    *out_data = (experiment_data){.graphs = graphs, .n = n, .targets_per_graph = per_graph};
    out_data->tokens = tool_alloc((size_t)graphs * n, sizeof(int32_t));
    if (task->edge_types > 0) out_data->edge_types = tool_alloc((size_t)graphs * n * n, sizeof(int32_t));
    out_data->targets = tool_alloc((size_t)graphs * per_graph, sizeof(int32_t));
    out_data->hashes = tool_alloc(graphs, sizeof(uint64_t));
    for (uint32_t index = 0; index < graphs; ++index) {
        const experiment_graph graph = graph_at(out_data, index);
        experiment_source source = {.seed = seed, .stream = PARTS * index + (uint32_t)part};
        bool fine;
        do {
            fine = task->draw(task, &source, index % 2, &graph);
            if (!fine) continue;
            out_data->hashes[index] = experiment_graph_hash(task, &graph);
            const uint64_t share = out_data->hashes[index] % SHARES;
            const experiment_part of_share = share == 0   ? EXPERIMENT_TEST
                                             : share == 1 ? EXPERIMENT_VALIDATION
                                                          : EXPERIMENT_TRAIN;
            fine = task->two_graphs || part == of_share;
        } while (!fine);
        if (task->readout != QUARTIC_READOUT_GRAPH) mask_frequent_label(task, &source, &graph);
    }
}

void experiment_data_free(experiment_data *data) {
    free(data->tokens);
    free(data->edge_types);
    free(data->targets);
    free(data->hashes);
    *data = (experiment_data){0};
}

double experiment_majority(const experiment_data *data) {
    uint64_t of[2] = {0, 0};
    for (size_t k = 0; k < (size_t)data->graphs * data->targets_per_graph; ++k)
        if (data->targets[k] >= 0) ++of[data->targets[k]];
    const uint64_t all = of[0] + of[1];
    return all == 0 ? 0 : (double)(of[0] > of[1] ? of[0] : of[1]) / (double)all;
}
