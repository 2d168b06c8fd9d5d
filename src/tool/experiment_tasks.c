/* experiment_tasks.c: drawing the graphs of the tasks. See experiment_tasks.h. */
#include "tool/experiment_tasks.h"

#include <stdlib.h>
#include <string.h>

#include "base/find.h"

enum {
    CYCLES_NODES = 12,
    DEGREE = 3,
    FUNCTION_NODES = 16,
    CARDS = 8,
    DECK = 27,
    MOST_NODES = 32,
    PERMUTATION_TRIES = 200,
    MARK_ROUNDS = 3,
    TEST_SHARE = 4 /* one graph of so many, by its mark, is for the test */
};

uint32_t experiment_below(experiment_source *source, uint32_t range) {
    uint64_t bits = quartic_random_bits(source->seed, source->stream, source->index++);
    return (uint32_t)(bits * range >> 32);
}

void experiment_permutation(experiment_source *source, uint32_t n, uint32_t *out_order) {
    for (uint32_t i = 0; i < n; ++i) out_order[i] = i;
    for (uint32_t i = n; i > 1; --i) {
        const uint32_t other = experiment_below(source, i), kept = out_order[i - 1];
        out_order[i - 1] = out_order[other];
        out_order[other] = kept;
    }
}

/* ---- the tasks ---- */

/* A uniform 3-regular graph by pairing three ends of every node at random, and again until no edge is double
 * or a loop; again until the label is the wanted one. */
static bool draw_cycles(const experiment_task *task, experiment_source *source, uint32_t label,
                        const experiment_graph *graph) {
    const uint32_t n = task->n;
    uint32_t ends[MOST_NODES * DEGREE];
    experiment_permutation(source, n * DEGREE, ends);
    memset(graph->edge_types, 0, (size_t)n * n * sizeof graph->edge_types[0]);
    memset(graph->tokens, 0, n * sizeof graph->tokens[0]);
    for (uint32_t k = 0; k < n * DEGREE; k += 2) {
        const uint32_t i = ends[k] / DEGREE, j = ends[k + 1] / DEGREE;
        if (i == j || graph->edge_types[i * n + j] == 1) return false;
        graph->edge_types[i * n + j] = graph->edge_types[j * n + i] = 1;
    }
    uint32_t triangle = 0;
    for (uint32_t i = 0; i < n; ++i)
        for (uint32_t j = 0; j < i; ++j)
            for (uint32_t l = 0; l < j; ++l)
                triangle |= (uint32_t)(graph->edge_types[i * n + j] & graph->edge_types[j * n + l] &
                                       graph->edge_types[i * n + l]);
    graph->targets[0] = (int32_t)triangle;
    return triangle == label;
}

/* Arrows out of every node and into it: the nearest square to n log 2 of them, since the ways of two that
 * reach another node are about Poisson of mean degree^2 / n, so that about half of the pairs have one. */
static uint32_t foaf_degree(uint32_t n) {
    uint32_t degree = 1;
    while (2 * degree * degree + 2 * degree + 1 < 2 * (uint32_t)(0.693 * n)) ++degree;
    return degree;
}

/* Each node gets an arrow to its place in `degree` random permutations, without loops, without an arrow twice
 * and without one in both directions. All nodes send and get equally many, and none is answered, so that
 * counting tells nothing. */
static bool draw_foaf(const experiment_task *task, experiment_source *source, uint32_t label,
                      const experiment_graph *graph) {
    (void)label;
    const uint32_t n = task->n, degree = foaf_degree(n);
    uint32_t order[MOST_NODES];
    memset(graph->tokens, 0, n * sizeof graph->tokens[0]);
    memset(graph->edge_types, 0, (size_t)n * n * sizeof graph->edge_types[0]);
    for (uint32_t drawn = 0; drawn < degree;) {
        bool fits = true;
        experiment_permutation(source, n, order);
        for (uint32_t i = 0; i < n && fits; ++i)
            fits = order[i] != i && order[order[i]] != i && graph->edge_types[i * n + order[i]] == 0 &&
                   graph->edge_types[order[i] * n + i] == 0;
        for (uint32_t i = 0; i < n && fits; ++i) graph->edge_types[i * n + order[i]] = 1;
        drawn += fits;
    }
    for (uint32_t i = 0; i < n; ++i)
        for (uint32_t j = 0; j < n; ++j) {
            int32_t linked = 0;
            for (uint32_t l = 0; l < n; ++l)
                linked |= graph->edge_types[i * n + l] & graph->edge_types[l * n + j];
            graph->targets[i * n + j] = i == j ? -1 : linked;
        }
    return true;
}

/* Types: 1 if f(i) = j, plus 2 if g(i) = j. For every pair (i, g(f(i))) there is one (i, g(f(order(i)))) that
 * is none, so that i or j alone tell nothing of the label: each comes equally often with both. */
static bool draw_compose(const experiment_task *task, experiment_source *source, uint32_t label,
                         const experiment_graph *graph) {
    (void)label;
    const uint32_t n = task->n;
    uint32_t f[MOST_NODES], g[MOST_NODES], order[MOST_NODES];
    memset(graph->tokens, 0, n * sizeof graph->tokens[0]);
    memset(graph->edge_types, 0, (size_t)n * n * sizeof graph->edge_types[0]);
    for (uint32_t i = 0; i < n; ++i) {
        f[i] = experiment_below(source, n);
        g[i] = experiment_below(source, n);
        graph->edge_types[i * n + f[i]] += 1;
        graph->edge_types[i * n + g[i]] += 2;
    }
    for (uint32_t k = 0; k < n * n; ++k) graph->targets[k] = -1;
    for (uint32_t i = 0; i < n; ++i) graph->targets[i * n + g[f[i]]] = 1;
    for (uint32_t tried = 0; tried < PERMUTATION_TRIES; ++tried) {
        experiment_permutation(source, n, order);
        bool wrong = true; /* every one of them */
        for (uint32_t i = 0; i < n; ++i) wrong = wrong && g[f[order[i]]] != g[f[i]];
        if (!wrong) continue;
        for (uint32_t i = 0; i < n; ++i) graph->targets[i * n + g[f[order[i]]]] = 0;
        return true;
    }
    return false; /* nearly constant */
}

/* The card that completes the set of two: in each attribute the three are equal or all different. */
static int32_t third_card(int32_t a, int32_t b) {
    int32_t third = 0;
    for (int32_t place = 1; place < DECK; place *= 3)
        third += place * ((6 - a / place % 3 - b / place % 3) % 3);
    return third;
}

static bool draw_set(const experiment_task *task, experiment_source *source, uint32_t label,
                     const experiment_graph *graph) {
    (void)label;
    uint32_t deck[DECK];
    bool table[DECK] = {0}, any = false;
    experiment_permutation(source, DECK, deck);
    for (uint32_t i = 0; i < task->n; ++i) {
        graph->tokens[i] = (int32_t)deck[i];
        table[deck[i]] = true;
    }
    for (uint32_t i = 0; i < task->n; ++i)
        for (uint32_t j = 0; j < task->n; ++j) {
            const bool complete = i != j && table[third_card(graph->tokens[i], graph->tokens[j])];
            graph->targets[i * task->n + j] = i == j ? -1 : complete;
            any = any || complete;
        }
    return any;
}

static const experiment_task tasks[] = {
    {.name = "cycles",
     .question = "does a 3-regular graph of 12 equal nodes hold a triangle",
     .n = CYCLES_NODES,
     .tokens = 1,
     .edge_types = 2,
     .readout = QUARTIC_READOUT_GRAPH,
     .test_graphs = 512,
     .draw = draw_cycles},
    {.name = "foaf",
     .question = "is there an l with i -> l -> j, among 14 nodes",
     .n = 14,
     .tokens = 1,
     .edge_types = 2,
     .balanced_by_type = true,
     .readout = QUARTIC_READOUT_EDGE,
     .test_graphs = 64,
     .draw = draw_foaf},
    {.name = "foaf24",
     .question = "is there an l with i -> l -> j, among 24 nodes",
     .n = 24,
     .tokens = 1,
     .edge_types = 2,
     .balanced_by_type = true,
     .readout = QUARTIC_READOUT_EDGE,
     .test_graphs = 64,
     .draw = draw_foaf},
    {.name = "compose",
     .question = "is g(f(i)) = j, among 16 nodes",
     .n = FUNCTION_NODES,
     .tokens = 1,
     .edge_types = 4,
     .readout = QUARTIC_READOUT_EDGE,
     .test_graphs = 128,
     .draw = draw_compose},
    {.name = "set",
     .question = "does the card that completes i and j lie on the table of 8",
     .n = CARDS,
     .tokens = DECK,
     .readout = QUARTIC_READOUT_EDGE,
     .test_graphs = 128,
     .draw = draw_set},
};

const experiment_task *experiment_task_at(uint32_t index) {
    return index < sizeof tasks / sizeof tasks[0] ? &tasks[index] : NULL;
}

const experiment_task *experiment_task_named(const char *name) {
    return experiment_task_at(
        (uint32_t)quartic_find_name(tasks, sizeof tasks[0], sizeof tasks / sizeof tasks[0], name));
}

/* ---- hashes ---- */

/* Steele, Lea and Flood 2014: the finaliser of SplitMix64. */
static uint64_t mix_bits(uint64_t x) {
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

/* Colours of pairs, refined by the multiset of the pairs' ways over l (2-dimensional Weisfeiler-Leman in its
 * folklore form): sums of mixed numbers, which have no order. */
uint64_t experiment_graph_hash(const experiment_task *task, const experiment_graph *graph) {
    const uint32_t n = task->n;
    uint64_t colour[MOST_NODES * MOST_NODES], next[MOST_NODES * MOST_NODES], mark = 0;
    for (uint32_t i = 0; i < n; ++i)
        for (uint32_t j = 0; j < n; ++j) {
            const uint64_t type = graph->edge_types == NULL ? 0 : (uint64_t)graph->edge_types[i * n + j];
            colour[i * n + j] = mix_bits(((type * 2 + (i == j)) * DECK + (uint64_t)graph->tokens[i]) * DECK +
                                         (uint64_t)graph->tokens[j] + 1);
        }
    for (uint32_t round = 0; round < MARK_ROUNDS; ++round) {
        for (uint32_t i = 0; i < n; ++i)
            for (uint32_t j = 0; j < n; ++j) {
                uint64_t ways = 0;
                for (uint32_t l = 0; l < n; ++l) ways += mix_bits(colour[i * n + l] + 3 * colour[l * n + j]);
                next[i * n + j] = mix_bits(colour[i * n + j] + 5 * ways);
            }
        memcpy(colour, next, sizeof colour[0] * n * n);
    }
    for (uint32_t k = 0; k < n * n; ++k) mark += mix_bits(colour[k]);
    return mix_bits(mark);
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
    const uint32_t count = task->n * task->n,
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
    const uint32_t n = task->n, per_graph = task->readout == QUARTIC_READOUT_EDGE ? n * n : 1;
    *out_data = (experiment_data){.graphs = graphs, .n = n, .targets_per_graph = per_graph};
    out_data->tokens = tool_alloc((size_t)graphs * n, sizeof(int32_t));
    if (task->edge_types > 0) out_data->edge_types = tool_alloc((size_t)graphs * n * n, sizeof(int32_t));
    out_data->targets = tool_alloc((size_t)graphs * per_graph, sizeof(int32_t));
    out_data->hashes = tool_alloc(graphs, sizeof(uint64_t));
    for (uint32_t index = 0; index < graphs; ++index) {
        const experiment_graph graph = graph_at(out_data, index);
        experiment_source source = {.seed = seed, .stream = 2 * index + (part == EXPERIMENT_TEST)};
        bool fine;
        do {
            fine = task->draw(task, &source, index % 2, &graph);
            if (!fine) continue;
            out_data->hashes[index] = experiment_graph_hash(task, &graph);
            fine = (out_data->hashes[index] % TEST_SHARE == 0) == (part == EXPERIMENT_TEST);
        } while (!fine);
        if (task->readout == QUARTIC_READOUT_EDGE) mask_frequent_label(task, &source, &graph);
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
