/* experiment_draw.c: drawing the graphs of the tasks cycles, foaf, compose and set. See experiment_draw.h. */
#include "tool/experiment_draw.h"

#include <string.h>

enum { MOST_DEGREE = 4, DECK = EXPERIMENT_DECK, MOST_NODES = EXPERIMENT_MOST_NODES, PERMUTATION_TRIES = 200 };

/* A uniform regular graph by pairing as many ends of every node at random, and again until no edge is double
 * or a loop; again until the label is the wanted one. */
bool experiment_draw_cycles(const experiment_task *task, experiment_source *source, uint32_t label,
                            const experiment_graph *graph) {
    const uint32_t n = task->n, degree = task->degree;
    uint32_t ends[MOST_NODES * MOST_DEGREE];
    experiment_permutation(source, n * degree, ends);
    memset(graph->edge_types, 0, (size_t)n * n * sizeof graph->edge_types[0]);
    memset(graph->tokens, 0, n * sizeof graph->tokens[0]);
    for (uint32_t k = 0; k < n * degree; k += 2) {
        const uint32_t i = ends[k] / degree, j = ends[k + 1] / degree;
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
bool experiment_draw_foaf(const experiment_task *task, experiment_source *source, uint32_t label,
                          const experiment_graph *graph) {
    (void)label;
    const uint32_t n = task->n, degree = task->degree > 0 ? task->degree : foaf_degree(n);
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
bool experiment_draw_compose(const experiment_task *task, experiment_source *source, uint32_t label,
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

bool experiment_draw_set(const experiment_task *task, experiment_source *source, uint32_t label,
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
