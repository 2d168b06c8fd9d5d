/* pairs_refine.c: graphs of `quartic pairs`: refinement of nodes, pairs and triples, and isomorphism. See pairs.h.
 *
 * A refinement begins with equal colours of equal things and gives each thing a hash of its colour and of the sum
 * of hashes of what it sees, until the number of different colours no longer grows. Sums have no order. Both
 * graphs of a comparison take the same number of rounds.
 */
#include "tool/pairs.h"

#include <stdlib.h>
#include <string.h>

#include "tool/tool.h"

enum { MOST = PAIRS_MOST_NODES };

/* ---- graphs ---- */

void pairs_join(pairs_graph *graph, uint32_t i, uint32_t j) {
    graph->rows[i] |= (uint64_t)1 << j;
    graph->rows[j] |= (uint64_t)1 << i;
}

void pairs_part(pairs_graph *graph, uint32_t i, uint32_t j) {
    graph->rows[i] &= ~((uint64_t)1 << j);
    graph->rows[j] &= ~((uint64_t)1 << i);
}

uint32_t pairs_degree(const pairs_graph *graph, uint32_t i) {
    return (uint32_t)__builtin_popcountll(graph->rows[i]);
}

bool pairs_connected(const pairs_graph *graph) {
    uint64_t reached = 1, before = 0;
    while (reached != before) {
        before = reached;
        for (uint32_t i = 0; i < graph->n; ++i)
            if (before >> i & 1) reached |= graph->rows[i];
    }
    return (uint32_t)__builtin_popcountll(reached) == graph->n;
}

void pairs_rename(const pairs_graph *graph, const uint32_t *order, pairs_graph *out_graph) {
    *out_graph = (pairs_graph){.n = graph->n};
    for (uint32_t i = 0; i < graph->n; ++i)
        for (uint32_t j = 0; j < i; ++j)
            if (pairs_joined(graph, i, j)) pairs_join(out_graph, order[i], order[j]);
}

void pairs_complement(const pairs_graph *graph, pairs_graph *out_graph) {
    pairs_graph result = {.n = graph->n};
    for (uint32_t i = 0; i < graph->n; ++i)
        for (uint32_t j = 0; j < i; ++j)
            if (!pairs_joined(graph, i, j)) pairs_join(&result, i, j);
    *out_graph = result;
}

/* ---- colours ---- */

static int pairs_compare_colours(const void *left, const void *right) {
    const uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

/* How many of the colours differ; sorts them. */
static size_t pairs_count_colours(uint64_t *colours, size_t count) {
    size_t different = count > 0;
    qsort(colours, count, sizeof colours[0], pairs_compare_colours);
    for (size_t k = 1; k < count; ++k) different += colours[k] != colours[k - 1];
    return different;
}

static uint64_t pairs_sum_colours(const uint64_t *colours, size_t count) {
    uint64_t sum = 0;
    for (size_t k = 0; k < count; ++k) sum += experiment_mix(colours[k]);
    return sum;
}

/* One round over the things of one graph, from `colours` to `out_next`. */
typedef void pairs_round(const pairs_graph *graph, const uint64_t *colours, uint64_t *out_next);

static void pairs_round_of_nodes(const pairs_graph *graph, const uint64_t *colours, uint64_t *out_next) {
    for (uint32_t i = 0; i < graph->n; ++i) {
        uint64_t seen = 0;
        for (uint64_t left = graph->rows[i]; left != 0; left &= left - 1)
            seen += experiment_mix(colours[__builtin_ctzll(left)] + 1); /* a hash of 0 would not count */
        out_next[i] = experiment_mix(colours[i] + 5 * seen + 1);
    }
}

static void pairs_round_of_pairs(const pairs_graph *graph, const uint64_t *colours, uint64_t *out_next) {
    const uint32_t n = graph->n;
    for (uint32_t i = 0; i < n; ++i)
        for (uint32_t j = 0; j < n; ++j) {
            uint64_t seen = 0;
            for (uint32_t l = 0; l < n; ++l)
                seen += experiment_mix(colours[i * n + l] + 3 * colours[l * n + j]);
            out_next[i * n + j] = experiment_mix(colours[i * n + j] + 5 * seen + 1);
        }
}

static void pairs_round_of_triples(const pairs_graph *graph, const uint64_t *colours, uint64_t *out_next) {
    const size_t n = graph->n;
    for (size_t i = 0; i < n; ++i)
        for (size_t j = 0; j < n; ++j)
            for (size_t l = 0; l < n; ++l) {
                uint64_t seen = 0;
                for (size_t m = 0; m < n; ++m)
                    seen += experiment_mix(colours[(m * n + j) * n + l] + 3 * colours[(i * n + m) * n + l] +
                                           7 * colours[(i * n + j) * n + m]);
                out_next[(i * n + j) * n + l] = experiment_mix(colours[(i * n + j) * n + l] + 5 * seen + 1);
            }
}

/* Refines both graphs' colours, (2, count), together until none splits further; they hold the result. */
static void pairs_refine(const pairs_graph *const graphs[2], pairs_round *round, size_t count,
                         uint64_t *inout_colours) {
    uint64_t few[4 * MOST];
    uint64_t *const many = count > MOST ? tool_alloc(4 * count, sizeof *many) : NULL,
                    *const next = many != NULL ? many : few, *const sorted = next + 2 * count;
    size_t different = 0;
    for (;;) {
        memcpy(sorted, inout_colours, 2 * count * sizeof *sorted);
        const size_t now = pairs_count_colours(sorted, 2 * count);
        if (now == different) break;
        different = now;
        for (uint32_t k = 0; k < 2; ++k) round(graphs[k], inout_colours + k * count, next + k * count);
        memcpy(inout_colours, next, 2 * count * sizeof *next);
    }
    free(many);
}

static uint64_t pairs_first_colour(const pairs_graph *graph, uint32_t i, uint32_t j) {
    return experiment_mix(i == j ? 1 : pairs_joined(graph, i, j) ? 2 : 3);
}

bool pairs_differ_in_coloured_nodes(const pairs_graph *left, const uint64_t *left_colours,
                                    const pairs_graph *right, const uint64_t *right_colours) {
    if (left->n != right->n) return true;
    const pairs_graph *const graphs[2] = {left, right};
    const uint32_t n = left->n;
    uint64_t colours[2 * MOST];
    memcpy(colours, left_colours, n * sizeof colours[0]);
    memcpy(colours + n, right_colours, n * sizeof colours[0]);
    pairs_refine(graphs, pairs_round_of_nodes, n, colours);
    return pairs_sum_colours(colours, n) != pairs_sum_colours(colours + n, n);
}

bool pairs_differ_in_nodes(const pairs_graph *left, const pairs_graph *right) {
    const uint64_t equal[MOST] = {0};
    return pairs_differ_in_coloured_nodes(left, equal, right, equal);
}

void pairs_node_colours(const pairs_graph *graph, const uint64_t *start, uint64_t *out_colours) {
    const pairs_graph *const graphs[2] = {graph, graph};
    uint64_t colours[2 * MOST] = {0};
    for (uint32_t k = 0; start != NULL && k < 2 * graph->n; ++k) colours[k] = start[k % graph->n];
    pairs_refine(graphs, pairs_round_of_nodes, graph->n, colours);
    memcpy(out_colours, colours, graph->n * sizeof colours[0]);
}

bool pairs_differ_in_pairs(const pairs_graph *left, const pairs_graph *right) {
    if (left->n != right->n) return true;
    const pairs_graph *const graphs[2] = {left, right};
    const size_t n = left->n, count = n * n;
    uint64_t *colours = tool_alloc(2 * count, sizeof *colours); // (graph, i, j)
    for (uint32_t k = 0; k < 2 * count; ++k)
        colours[k] = pairs_first_colour(graphs[k / count], (uint32_t)(k % count / n), (uint32_t)(k % n));
    pairs_refine(graphs, pairs_round_of_pairs, count, colours);
    const bool differ = pairs_sum_colours(colours, count) != pairs_sum_colours(colours + count, count);
    free(colours);
    return differ;
}

bool pairs_differ_in_triples(const pairs_graph *left, const pairs_graph *right) {
    if (left->n != right->n) return true;
    const pairs_graph *const graphs[2] = {left, right};
    const size_t n = left->n, count = n * n * n;
    uint64_t *colours = tool_alloc(2 * count, sizeof *colours); // (graph, i, j, l)
    for (size_t k = 0; k < 2 * count; ++k) {
        const pairs_graph *graph = graphs[k / count];
        const uint32_t i = (uint32_t)(k % count / (n * n)), j = (uint32_t)(k / n % n), l = (uint32_t)(k % n);
        colours[k] = experiment_mix(pairs_first_colour(graph, i, j) + 3 * pairs_first_colour(graph, j, l) +
                                    5 * pairs_first_colour(graph, i, l));
    }
    pairs_refine(graphs, pairs_round_of_triples, count, colours);
    const bool differ = pairs_sum_colours(colours, count) != pairs_sum_colours(colours + count, count);
    free(colours);
    return differ;
}

uint64_t pairs_hash(const pairs_graph *graph) {
    const uint32_t n = graph->n;
    uint64_t sum = 0;
    for (uint32_t i = 0; i < n; ++i)
        for (uint32_t j = 0; j < n; ++j) {
            uint64_t start[MOST] = {0}, colours[MOST];
            start[i] = 1;
            start[j] += 2;
            pairs_node_colours(graph, start, colours);
            sum += experiment_mix(pairs_sum_colours(colours, n));
        }
    return experiment_mix(sum + n);
}

/* ---- isomorphism ---- */

/* Whether some isomorphism maps equal colours to equal colours: refines, and where colours leave a choice, marks
 * one node on the left and tries all of its colour on the right. */
static bool pairs_match(const pairs_graph *left, const pairs_graph *right, const uint64_t *start,
                        uint32_t depth) {
    const pairs_graph *const graphs[2] = {left, right};
    const uint32_t n = left->n;
    uint64_t colours[2 * MOST];
    memcpy(colours, start, 2 * n * sizeof colours[0]);
    pairs_refine(graphs, pairs_round_of_nodes, n, colours);
    if (pairs_sum_colours(colours, n) != pairs_sum_colours(colours + n, n)) return false;
    uint32_t image[MOST], chosen = n, fewest = n + 1;
    for (uint32_t i = 0; i < n; ++i) {
        uint32_t alike = 0;
        for (uint32_t j = 0; j < n; ++j) alike += colours[j] == colours[i];
        if (alike > 1 && alike < fewest) {
            fewest = alike;
            chosen = i;
        }
        image[i] = n;
        for (uint32_t j = 0; j < n; ++j)
            if (colours[n + j] == colours[i]) image[i] = j;
        if (image[i] == n) return false;
    }
    if (chosen == n) {
        for (uint32_t i = 0; i < n; ++i)
            for (uint32_t j = 0; j < i; ++j)
                if (pairs_joined(left, i, j) != pairs_joined(right, image[i], image[j])) return false;
        return true;
    }
    const uint64_t of = colours[chosen], mark = experiment_mix(of + depth + 1);
    colours[chosen] = mark;
    for (uint32_t j = 0; j < n; ++j) {
        if (colours[n + j] != of) continue;
        colours[n + j] = mark;
        if (pairs_match(left, right, colours, depth + 1)) return true;
        colours[n + j] = of;
    }
    return false;
}

bool pairs_isomorphic(const pairs_graph *left, const pairs_graph *right) {
    const uint64_t equal[2 * MOST] = {0};
    return left->n == right->n && pairs_match(left, right, equal, 0);
}

/* ---- sets ---- */

bool pairs_set_add(pairs_set *set, uint64_t hash) {
    for (uint32_t k = 0; k < set->count; ++k)
        if (set->hashes[k] == hash) return false;
    if (set->count == set->capacity) {
        const uint32_t capacity = 2 * set->capacity + 64;
        uint64_t *grown = tool_alloc(capacity, sizeof *grown);
        if (set->count > 0) memcpy(grown, set->hashes, set->count * sizeof *grown);
        free(set->hashes);
        set->hashes = grown;
        set->capacity = capacity;
    }
    set->hashes[set->count++] = hash;
    return true;
}

void pairs_set_free(pairs_set *set) {
    free(set->hashes);
    *set = (pairs_set){0};
}
