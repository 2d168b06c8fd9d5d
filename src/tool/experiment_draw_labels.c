/* experiment_draw_labels.c: drawing the graphs of twins, analogy and repeats. See experiment_draw.h.
 *
 * Labels are drawn independently and uniformly, so edges that are not asked about tell nothing of the answer: in
 * twins and analogy those that share a node with (i, j), in repeats those that do not come out of i.
 */
#include "tool/experiment_draw.h"

#include <string.h>

enum { FEWEST_LABELLED = 3 }; /* of each answer in a graph */

/* Marks (i, j) as answered by the number of edges that carry its label and pass `counts`. */
static bool answer_by_equal_labels(const experiment_graph *graph, uint32_t n,
                                   bool (*counts)(const experiment_graph *graph, uint32_t i, uint32_t j,
                                                  uint32_t k, uint32_t l)) {
    const int32_t *types = graph->edge_types;
    uint32_t of[2] = {0, 0};
    for (uint32_t i = 0; i < n; ++i)
        for (uint32_t j = 0; j < n; ++j) {
            int32_t found = 0;
            for (uint32_t k = 0; k < n; ++k)
                for (uint32_t l = 0; l < n; ++l)
                    found |= types[k * n + l] == types[i * n + j] && counts(graph, i, j, k, l);
            graph->targets[i * n + j] = types[i * n + j] == 0 ? -1 : found;
            if (types[i * n + j] != 0) ++of[found];
        }
    return of[0] >= FEWEST_LABELLED && of[1] >= FEWEST_LABELLED;
}

/* On every edge between two nodes. */
static void draw_labels(const experiment_task *task, experiment_source *source,
                        const experiment_graph *graph) {
    const uint32_t n = task->n;
    for (uint32_t k = 0; k < n * n; ++k)
        graph->edge_types[k] =
            k / n == k % n ? 0 : 1 + (int32_t)experiment_below(source, task->edge_types - 1);
}

static bool is_disjoint(const experiment_graph *graph, uint32_t i, uint32_t j, uint32_t k, uint32_t l) {
    (void)graph;
    return k != i && k != j && l != i && l != j;
}

/* As many labels as pairs: an edge has a twin with probability 1 - exp(-(n - 2)(n - 3) / n^2), 0.37 at 8. */
uint32_t experiment_twins_types(uint32_t n) {
    return 1 + n * n;
}

bool experiment_draw_twins(const experiment_task *task, experiment_source *source, uint32_t label,
                           const experiment_graph *graph) {
    (void)label;
    const uint32_t n = task->n;
    memset(graph->tokens, 0, n * sizeof graph->tokens[0]);
    draw_labels(task, source, graph);
    return answer_by_equal_labels(graph, n, is_disjoint);
}

static bool is_in_the_other_situation(const experiment_graph *graph, uint32_t i, uint32_t j, uint32_t k,
                                      uint32_t l) {
    (void)j, (void)l; /* both ends of a labelled edge are in one situation */
    return graph->tokens[i] != graph->tokens[k];
}

/* Three labels for two edges of a situation: the other one has a label with probability 1 - exp(-2/3), about
 * one half. */
uint32_t experiment_analogy_types(uint32_t n) {
    const uint32_t objects = n / 2;
    return 1 + objects * (objects - 1) * 3 / 2;
}

bool experiment_draw_analogy(const experiment_task *task, experiment_source *source, uint32_t label,
                             const experiment_graph *graph) {
    (void)label;
    const uint32_t n = task->n;
    uint32_t order[EXPERIMENT_MOST_NODES];
    experiment_permutation(source, n, order);
    for (uint32_t i = 0; i < n; ++i) graph->tokens[i] = order[i] >= n / 2;
    for (uint32_t i = 0; i < n; ++i)
        for (uint32_t j = 0; j < n; ++j)
            graph->edge_types[i * n + j] = i == j || graph->tokens[i] != graph->tokens[j]
                                               ? 0
                                               : 1 + (int32_t)experiment_below(source, task->edge_types - 1);
    return answer_by_equal_labels(graph, n, is_in_the_other_situation);
}

static bool is_another_out_of_i(const experiment_graph *graph, uint32_t i, uint32_t j, uint32_t k,
                                uint32_t l) {
    (void)graph;
    return k == i && l != j;
}

/* Three labels for two other edges out of a node: one of these has a given label with probability
 * 1 - exp(-2/3), about one half. */
uint32_t experiment_repeats_types(uint32_t n) {
    return 1 + (n - 2) * 3 / 2;
}

bool experiment_draw_repeats(const experiment_task *task, experiment_source *source, uint32_t label,
                             const experiment_graph *graph) {
    (void)label;
    const uint32_t n = task->n;
    memset(graph->tokens, 0, n * sizeof graph->tokens[0]);
    draw_labels(task, source, graph);
    return answer_by_equal_labels(graph, n, is_another_out_of_i);
}
