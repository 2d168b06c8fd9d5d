/* pairs_small.c: pairs of graphs of up to 18 nodes by random search, and circulant graphs. See pairs.h.
 *
 * basic: if a and c have one stable colour, and b and d one, then taking a b and c d away and
 * joining a d and c b leaves every node as many neighbours of every colour as before. So refinement of nodes
 * cannot tell the new graph from the old one. What is drawn is checked all the same. No graph comes twice in a
 * category.
 */
#include "tool/pairs.h"

#include <stdio.h>
#include <string.h>

enum { TEN = 10, SWITCHES = 200, SEED_BASIC = 101, SEED_REGULAR = 102, SEED_EXTENSION = 103 };

/* Each pair of nodes is joined with a probability that is drawn first, 1/4 to 3/4. */
static void pairs_draw_any(experiment_source *source, pairs_graph *out_graph) {
    const uint32_t eighths = 2 + experiment_below(source, 5);
    *out_graph = (pairs_graph){.n = TEN};
    for (uint32_t i = 0; i < TEN; ++i)
        for (uint32_t j = 0; j < i; ++j)
            if (experiment_below(source, 8) < eighths) pairs_join(out_graph, i, j);
}

/* Takes a b and c d away and joins a d and c b, if that is possible. */
static bool pairs_switch_edges(pairs_graph *graph, uint32_t a, uint32_t b, uint32_t c, uint32_t d) {
    if (a == c || a == d || b == c || b == d || !pairs_joined(graph, a, b) || !pairs_joined(graph, c, d) ||
        pairs_joined(graph, a, d) || pairs_joined(graph, c, b))
        return false;
    pairs_part(graph, a, b);
    pairs_part(graph, c, d);
    pairs_join(graph, a, d);
    pairs_join(graph, c, b);
    return true;
}

/* The next switch of two edges that keeps colours, from place *inout_at of (a, b, c, d) on; false if none is
 * left. */
static bool pairs_switch_alike(const pairs_graph *graph, const uint64_t *colours, uint32_t *inout_at,
                               pairs_graph *out_graph) {
    const uint32_t n = graph->n, all = n * n * n * n;
    while (*inout_at < all) {
        const uint32_t at = (*inout_at)++, a = at % n, b = at / n % n, c = at / n / n % n, d = at / n / n / n;
        if (colours[a] != colours[c] || colours[b] != colours[d]) continue;
        *out_graph = *graph;
        if (pairs_switch_edges(out_graph, a, b, c, d)) return true;
    }
    return false;
}

static bool pairs_is_regular(const pairs_graph *graph) {
    for (uint32_t i = 1; i < graph->n; ++i)
        if (pairs_degree(graph, i) != pairs_degree(graph, 0)) return false;
    return true;
}

/* Both graphs go into the set, or the pair is no pair of the category. */
static bool pairs_keep(pairs_set *set, const pairs_pair *pair) {
    const uint64_t first = pairs_hash(&pair->of[0]), second = pairs_hash(&pair->of[1]);
    if (first == second) return false; /* isomorphic, or not worth the doubt */
    if (!pairs_set_add(set, first)) return false;
    if (pairs_set_add(set, second)) return true;
    --set->count;
    return false;
}

void pairs_make_basic(pairs_pair *out_pairs) {
    experiment_source source = {.seed = SEED_BASIC};
    pairs_set set = {0};
    for (uint32_t made = 0; made < PAIRS_BASIC;) {
        pairs_pair *pair = &out_pairs[made];
        uint64_t colours[PAIRS_MOST_NODES];
        *pair = (pairs_pair){.name = "10 nodes, edges switched"};
        pairs_draw_any(&source, &pair->of[0]);
        if (!pairs_connected(&pair->of[0]) || pairs_is_regular(&pair->of[0])) continue;
        pairs_node_colours(&pair->of[0], NULL, colours);
        for (uint32_t at = 0; pairs_switch_alike(&pair->of[0], colours, &at, &pair->of[1]);) {
            if (!pairs_connected(&pair->of[1]) || pairs_differ_in_nodes(&pair->of[0], &pair->of[1])) continue;
            if (!pairs_keep(&set, pair)) continue;
            ++made;
            break;
        }
    }
    pairs_set_free(&set);
}

/* Around a ring, each joined to the next `degree` / 2 on both sides and, if that is odd, to the opposite one. */
static void pairs_ring(uint32_t n, uint32_t degree, pairs_graph *out_graph) {
    *out_graph = (pairs_graph){.n = n};
    for (uint32_t i = 0; i < n; ++i) {
        for (uint32_t step = 1; step <= degree / 2; ++step) pairs_join(out_graph, i, (i + step) % n);
        if (degree % 2 == 1) pairs_join(out_graph, i, (i + n / 2) % n);
    }
}

/* Keeps all degrees. */
static void pairs_shuffle_edges(experiment_source *source, pairs_graph *graph) {
    for (uint32_t tried = 0; tried < SWITCHES; ++tried) {
        const uint32_t a = experiment_below(source, graph->n), b = experiment_below(source, graph->n),
                       c = experiment_below(source, graph->n), d = experiment_below(source, graph->n);
        pairs_switch_edges(graph, a, b, c, d);
    }
}

/* Connected, n nodes of one degree each. */
static void pairs_draw_regular(experiment_source *source, uint32_t n, uint32_t degree,
                               pairs_graph *out_graph) {
    do {
        pairs_ring(n, degree, out_graph);
        pairs_shuffle_edges(source, out_graph);
    } while (!pairs_connected(out_graph));
}

void pairs_make_regular(pairs_pair *out_pairs) {
    /* In turn; more nodes and degrees have more graphs. */
    static const struct {
        uint32_t n, degree;
    } kinds[] = {{6, 3}, {8, 3}, {8, 4}, {9, 4}, {10, 3}, {10, 4}, {10, 5}};
    enum { KINDS = sizeof kinds / sizeof kinds[0], TRIES = 40 };
    experiment_source source = {.seed = SEED_REGULAR};
    pairs_set set = {0};
    for (uint32_t made = 0, turn = 0; made < PAIRS_REGULAR; ++turn)
        for (uint32_t tried = 0; tried < TRIES; ++tried) {
            const uint32_t n = kinds[turn % KINDS].n, degree = kinds[turn % KINDS].degree;
            pairs_pair *pair = &out_pairs[made];
            snprintf(pair->name, sizeof pair->name, "%u nodes of degree %u", n, degree);
            for (uint32_t k = 0; k < 2; ++k) pairs_draw_regular(&source, n, degree, &pair->of[k]);
            if (!pairs_keep(&set, pair)) continue;
            ++made;
            break;
        }
    pairs_set_free(&set);
}

/* ---- extensions of refinement ---- */

/* What a node's neighbourhood is, up to isomorphism: the hash of it and the node, which is marked. */
static void pairs_neighbourhood_colours(const pairs_graph *graph, uint64_t *out_colours) {
    for (uint32_t i = 0; i < graph->n; ++i) {
        uint32_t nodes[PAIRS_MOST_NODES] = {i}, count = 1;
        for (uint32_t j = 0; j < graph->n; ++j)
            if (pairs_joined(graph, i, j)) nodes[count++] = j;
        pairs_graph around = {.n = count};
        for (uint32_t a = 0; a < count; ++a)
            for (uint32_t b = 0; b < a; ++b)
                if (pairs_joined(graph, nodes[a], nodes[b])) pairs_join(&around, a, b);
        out_colours[i] = pairs_hash(&around); /* i is the one that is joined to all: marked by its colour */
    }
}

/* How many cliques of 3 and of 4 each node lies in. */
static void pairs_clique_colours(const pairs_graph *graph, uint64_t *out_colours) {
    for (uint32_t i = 0; i < graph->n; ++i) {
        uint64_t threes = 0, fours = 0;
        for (uint32_t j = 0; j < graph->n; ++j) {
            if (!pairs_joined(graph, i, j)) continue;
            const uint64_t both = graph->rows[i] & graph->rows[j];
            threes += (uint64_t)__builtin_popcountll(both);
            for (uint32_t l = 0; l < graph->n; ++l)
                if (both >> l & 1) fours += (uint64_t)__builtin_popcountll(both & graph->rows[l]);
        }
        out_colours[i] = experiment_mix(threes * 4096 + fours);
    }
}

/* Whether refinement that starts with these colours of both graphs leaves them alike. */
static bool pairs_alike_from(const pairs_pair *pair, void (*colour)(const pairs_graph *, uint64_t *)) {
    uint64_t colours[2][PAIRS_MOST_NODES];
    for (uint32_t k = 0; k < 2; ++k) colour(&pair->of[k], colours[k]);
    return !pairs_differ_in_coloured_nodes(&pair->of[0], colours[0], &pair->of[1], colours[1]);
}

/* Cubic graphs that refinement leaves alike although it starts with what `colour` says; false if this draw has none.
 * With more edges nodes differ in their cliques, and then in all. */
static bool pairs_draw_alike_from(experiment_source *source, const char *name,
                                  void (*colour)(const pairs_graph *, uint64_t *), pairs_set *set,
                                  pairs_pair *out_pair) {
    const uint32_t n = 12 + 2 * experiment_below(source, 4), degree = 3;
    snprintf(out_pair->name, sizeof out_pair->name, "%u nodes of degree %u, alike by %s", n, degree, name);
    for (uint32_t k = 0; k < 2; ++k) pairs_draw_regular(source, n, degree, &out_pair->of[k]);
    return pairs_alike_from(out_pair, pairs_clique_colours) && /* which is soon looked at */
           pairs_alike_from(out_pair, colour) && pairs_keep(set, out_pair);
}

/* Refinement that knows how many cliques of 3 and 4 a node is in (S3 and S4 of Papp and Wattenhofer 2022), and
 * such that knows each node's neighbourhood (their N1), which tells the cliques as well. */
void pairs_make_extension(pairs_pair *out_pairs) {
    experiment_source source = {.seed = SEED_EXTENSION};
    pairs_set set = {0};
    for (uint32_t made = 0; made < PAIRS_EXTENSION;)
        made += made < PAIRS_EXTENSION / 2
                    ? pairs_draw_alike_from(&source, "cliques of 3 and 4", pairs_clique_colours, &set,
                                            &out_pairs[made])
                    : pairs_draw_alike_from(&source, "neighbourhoods", pairs_neighbourhood_colours, &set,
                                            &out_pairs[made]);
    pairs_set_free(&set);
}

/* ---- circulants ---- */

static void pairs_circulant_graph(uint32_t n, uint32_t first, uint32_t second, pairs_graph *out_graph) {
    *out_graph = (pairs_graph){.n = n};
    for (uint32_t i = 0; i < n; ++i) {
        pairs_join(out_graph, i, (i + first) % n);
        pairs_join(out_graph, i, (i + second) % n);
    }
}

/* Skips 1 and a against skips 1 and b, of one ring, 11 nodes and more. */
void pairs_make_circulant(pairs_pair *out_pairs) {
    pairs_set set = {0};
    uint32_t made = 0;
    for (uint32_t n = 11; made < PAIRS_CIRCULANT; ++n)
        for (uint32_t a = 2; 2 * a < n && made < PAIRS_CIRCULANT; ++a)
            for (uint32_t b = a + 1; 2 * b < n && made < PAIRS_CIRCULANT; ++b) {
                pairs_pair *pair = &out_pairs[made];
                snprintf(pair->name, sizeof pair->name, "%u nodes, skips 1 and %u, 1 and %u", n, a, b);
                pairs_circulant_graph(n, 1, a, &pair->of[0]);
                pairs_circulant_graph(n, 1, b, &pair->of[1]);
                made += pairs_keep(&set, pair);
            }
    pairs_set_free(&set);
}
