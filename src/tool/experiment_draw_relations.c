/* experiment_draw_relations.c: drawing the graphs of relation, quotient, siblings and match3. See
 * experiment_draw.h. */
#include "tool/experiment_draw.h"

#include <string.h>

enum { MOST_NODES = EXPERIMENT_MOST_NODES, SWITCHES = 20, FEWEST_LABELLED = 2 };

/* A random relation (l, j) among m and m in which every l and every j has m / 2 partners: any such one, then
 * many times two rows l and two columns j with 1 0 / 0 1 are drawn and become 0 1 / 1 0. */
static void draw_half_relation(experiment_source *source, uint32_t m, bool *out_relation) {
    for (uint32_t k = 0; k < m * m; ++k) out_relation[k] = (k / m + k % m) % m < m / 2;
    for (uint32_t tried = 0; tried < SWITCHES * m * m; ++tried) {
        const uint32_t first = experiment_below(source, m) * m, second = experiment_below(source, m) * m,
                       left = experiment_below(source, m), right = experiment_below(source, m);
        bool *const corners[4] = {&out_relation[first + left], &out_relation[first + right],
                                  &out_relation[second + left], &out_relation[second + right]};
        const bool switches = *corners[0] && !*corners[1] && !*corners[2] && *corners[3];
        if (!switches) continue;
        *corners[0] = *corners[3] = false;
        *corners[1] = *corners[2] = true;
    }
}

/* Three groups of m nodes, by tokens 0, 1 and 2: node place[k] is the k-th of the first group, place[m + k] of
 * the second, place[2 m + k] of the third. Each of the first group has one arrow, to place[m + middle[k]]; the
 * second and the third are related as draw_half_relation says. All arrows have type 1, no pair has a label. */
static void draw_three_groups(const experiment_task *task, experiment_source *source,
                              const experiment_graph *graph, uint32_t *out_place, uint32_t *out_middle,
                              bool *out_relation) {
    const uint32_t n = task->n, m = n / 3;
    experiment_permutation(source, n, out_place);
    experiment_permutation(source, m, out_middle);
    draw_half_relation(source, m, out_relation);
    memset(graph->edge_types, 0, (size_t)n * n * sizeof graph->edge_types[0]);
    for (uint32_t k = 0; k < n * n; ++k) graph->targets[k] = -1;
    for (uint32_t k = 0; k < n; ++k) graph->tokens[out_place[k]] = (int32_t)(k / m);
    for (uint32_t k = 0; k < m; ++k) graph->edge_types[out_place[k] * n + out_place[m + out_middle[k]]] = 1;
    for (uint32_t k = 0; k < m * m; ++k)
        if (out_relation[k]) graph->edge_types[out_place[m + k / m] * n + out_place[2 * m + k % m]] = 1;
}

bool experiment_draw_relation(const experiment_task *task, experiment_source *source, uint32_t label,
                              const experiment_graph *graph) {
    (void)label;
    const uint32_t n = task->n, m = n / 3;
    uint32_t place[MOST_NODES], middle[MOST_NODES];
    bool relation[MOST_NODES * MOST_NODES];
    draw_three_groups(task, source, graph, place, middle, relation);
    for (uint32_t k = 0; k < m * m; ++k)
        graph->targets[place[k / m] * n + place[2 * m + k % m]] = relation[middle[k / m] * m + k % m];
    return true;
}

/* The middle group falls into classes of two, joined by edges of type 2; the answer goes by the partner. */
bool experiment_draw_quotient(const experiment_task *task, experiment_source *source, uint32_t label,
                              const experiment_graph *graph) {
    (void)label;
    const uint32_t n = task->n, m = n / 3;
    uint32_t place[MOST_NODES], middle[MOST_NODES];
    bool relation[MOST_NODES * MOST_NODES];
    draw_three_groups(task, source, graph, place, middle, relation);
    for (uint32_t k = 0; k < m; ++k) /* the order within the group is random: neighbours are partners */
        graph->edge_types[place[m + k] * n + place[m + (k ^ 1)]] = 2;
    for (uint32_t k = 0; k < m * m; ++k)
        graph->targets[place[k / m] * n + place[2 * m + k % m]] = relation[(middle[k / m] ^ 1) * m + k % m];
    return true;
}

/* Types: 1 if f(i) = j, plus 2 if h(i) = j, where h is a random function that does not matter. f has n / 4
 * values, each of four nodes: every node has three siblings, so that counting tells nothing. */
bool experiment_draw_siblings(const experiment_task *task, experiment_source *source, uint32_t label,
                              const experiment_graph *graph) {
    (void)label;
    const uint32_t n = task->n;
    uint32_t order[MOST_NODES], values[MOST_NODES], f[MOST_NODES];
    experiment_permutation(source, n, order);
    experiment_permutation(source, n, values);
    memset(graph->tokens, 0, n * sizeof graph->tokens[0]);
    memset(graph->edge_types, 0, (size_t)n * n * sizeof graph->edge_types[0]);
    for (uint32_t k = 0; k < n; ++k) {
        f[order[k]] = values[k / 4];
        graph->edge_types[order[k] * n + values[k / 4]] += 1;
        graph->edge_types[order[k] * n + experiment_below(source, n)] += 2;
    }
    for (uint32_t k = 0; k < n * n; ++k) graph->targets[k] = k / n == k % n ? -1 : f[k / n] == f[k % n];
    return true;
}

/* Numbers below task->tokens, whose count is the modulus. */
bool experiment_draw_match3(const experiment_task *task, experiment_source *source, uint32_t label,
                            const experiment_graph *graph) {
    (void)label;
    const uint32_t n = task->n;
    const int32_t modulus = (int32_t)task->tokens;
    uint32_t of[2] = {0, 0};
    for (uint32_t i = 0; i < n; ++i) graph->tokens[i] = (int32_t)experiment_below(source, task->tokens);
    for (uint32_t i = 0; i < n; ++i) {
        int32_t found = 0;
        for (uint32_t j = 0; j < n; ++j)
            for (uint32_t k = 0; k <= j; ++k)
                found |= (graph->tokens[i] + graph->tokens[j] + graph->tokens[k]) % modulus == 0;
        graph->targets[i] = found;
        ++of[found];
    }
    return of[0] >= FEWEST_LABELLED && of[1] >= FEWEST_LABELLED;
}
