/* experiment_draw_pairs.c: drawing one of two graphs that much cannot tell apart. See experiment_draw.h.
 *
 * Each construction says whether i and j are joined; it is evaluated for i < j of the first or second graph
 * before the nodes get a random order.
 */
#include "tool/experiment_draw.h"

#include <string.h>

typedef bool joins(uint32_t graph, uint32_t i, uint32_t j, uint32_t n);

static bool draw_ordered(const experiment_task *task, experiment_source *source, uint32_t label,
                         const experiment_graph *graph, joins *joined) {
    const uint32_t n = task->n;
    uint32_t order[EXPERIMENT_MOST_NODES];
    experiment_permutation(source, n, order);
    memset(graph->tokens, 0, n * sizeof graph->tokens[0]);
    memset(graph->edge_types, 0, (size_t)n * n * sizeof graph->edge_types[0]);
    for (uint32_t i = 0; i < n; ++i)
        for (uint32_t j = i + 1; j < n; ++j)
            graph->edge_types[order[i] * n + order[j]] = graph->edge_types[order[j] * n + order[i]] =
                joined(label, i, j, n);
    graph->targets[0] = (int32_t)label;
    return true;
}

/* Skips 1 and 2, or 1 and 3, around a ring. */
static bool joins_circulant(uint32_t graph, uint32_t i, uint32_t j, uint32_t n) {
    const uint32_t forth = j - i, skip = forth < n - forth ? forth : n - forth;
    return skip == 1 || skip == 2 + graph;
}

bool experiment_draw_circulants(const experiment_task *task, experiment_source *source, uint32_t label,
                                const experiment_graph *graph) {
    return draw_ordered(task, source, label, graph, joins_circulant);
}

/* Both are strongly regular with the parameters (16, 6, 2, 2). The 4 x 4 rook's graph joins places in one row
 * or column; Shrikhande's joins places (a, b) of the torus that differ by (0, 1), (1, 0) or (1, 1). */
static bool joins_strongly_regular(uint32_t graph, uint32_t i, uint32_t j, uint32_t n) {
    (void)n;
    const uint32_t down = (j / 4 - i / 4) % 4, right = (j % 4 - i % 4) % 4;
    if (graph == 0) return down == 0 || right == 0;
    const bool steps = down == 1 || down == 3, sidles = right == 1 || right == 3;
    return (down == 0 && sidles) || (right == 0 && steps) || (steps && down == right);
}

bool experiment_draw_strongly_regular(const experiment_task *task, experiment_source *source, uint32_t label,
                                      const experiment_graph *graph) {
    return draw_ordered(task, source, label, graph, joins_strongly_regular);
}

/* Cai, Fürer and Immerman 1992, without middle vertices, over K(3, 3): each of its 6 nodes v becomes the 4
 * even subsets of its 3 edges. (v, S) and (w, T) are joined if v w is an edge that is in both S and T or in
 * neither; in the second graph one edge is twisted: in one of them. */
static bool joins_cfi(uint32_t graph, uint32_t i, uint32_t j, uint32_t n) {
    (void)n;
    static const uint32_t even[4] = {0, 3, 5, 6}; /* subsets as bits: of v < 3 over its partners w - 3 */
    const uint32_t v = i / 4, w = j / 4;
    if (v >= 3 || w < 3) return false;
    const bool in_first = even[i % 4] >> (w - 3) & 1, in_second = even[j % 4] >> v & 1;
    const bool twisted = graph == 1 && v == 0 && w == 3;
    return (in_first == in_second) != twisted;
}

bool experiment_draw_cfi(const experiment_task *task, experiment_source *source, uint32_t label,
                         const experiment_graph *graph) {
    return draw_ordered(task, source, label, graph, joins_cfi);
}

/* Points and blocks of two designs 2-(16, 6, 2), each the shifts of a difference set: of Z2^4, and of
 * Z2 x Z8. Any two points lie on two blocks and any two blocks meet in two points, so both graphs are
 * bipartite and distance-regular with the intersection array {6, 5, 4; 1, 2, 6}. */
static bool joins_design(uint32_t graph, uint32_t i, uint32_t j, uint32_t n) {
    (void)n;
    static const uint32_t sets[2] = {1u << 0 | 1u << 1 | 1u << 2 | 1u << 4 | 1u << 8 | 1u << 15,
                                     1u << 0 | 1u << 1 | 1u << 2 | 1u << 4 | 1u << 9 | 1u << 14};
    if (i >= 16 || j < 16) return false;
    const uint32_t block = i, point = j - 16;
    const uint32_t shift = graph == 0 ? point ^ block : ((point ^ block) & 8) | ((point - block) & 7);
    return sets[graph] >> shift & 1;
}

bool experiment_draw_designs(const experiment_task *task, experiment_source *source, uint32_t label,
                             const experiment_graph *graph) {
    return draw_ordered(task, source, label, graph, joins_design);
}
