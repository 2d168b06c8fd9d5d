/* pairs_strongly_regular.c: pairs of strongly regular graphs with the same parameters, by known constructions. See
 * pairs.h.
 *
 *   (16, 6, 2, 2)    Shrikhande's graph and the 4 x 4 rook's: places of a torus
 *   (28, 12, 6, 4)   pairs out of 8, joined if they share one, and the three graphs of Chang: it switched
 *   (26, 10, 3, 4)   blocks of the two Steiner triple systems of 13 points, joined if they do not meet
 *   (25, 12, 5, 6)   Latin square graphs of order 5, and all that follows from them and from the graphs on 26
 *                    nodes by switching: both lie in regular two-graphs on 26 points, as descendants
 *   (35, 16, 6, 8)   blocks of random Steiner triple systems of 15 points, and what follows from them
 */
#include "tool/pairs.h"

#include <stdio.h>
#include <string.h>

enum { SEED_STEINER = 104, MOST_POINTS = 15, NONE = MOST_POINTS };

void pairs_latin_square_of_5(bool other, pairs_graph *out_graph) {
    static const uint32_t no_group[25] = {0, 1, 2, 3, 4, 1, 0, 3, 4, 2, 2, 4, 0,
                                          1, 3, 3, 2, 4, 0, 1, 4, 3, 1, 2, 0};
    *out_graph = (pairs_graph){.n = 25};
    for (uint32_t i = 0; i < 25; ++i)
        for (uint32_t j = 0; j < i; ++j) {
            const bool equal =
                other ? no_group[i] == no_group[j] : (i / 5 + i % 5) % 5 == (j / 5 + j % 5) % 5;
            if (equal || i / 5 == j / 5 || i % 5 == j % 5) pairs_join(out_graph, i, j);
        }
}

void pairs_switch(pairs_graph *graph, uint64_t set) {
    const uint64_t all = graph->n == 64 ? ~(uint64_t)0 : ((uint64_t)1 << graph->n) - 1;
    for (uint32_t i = 0; i < graph->n; ++i) graph->rows[i] ^= set >> i & 1 ? all & ~set : set & all;
}

void pairs_isolate(const pairs_graph *graph, uint32_t v, pairs_graph *out_graph) {
    pairs_graph switched = *graph;
    pairs_switch(&switched, graph->rows[v]);
    *out_graph = (pairs_graph){.n = graph->n - 1};
    for (uint32_t i = 0; i < graph->n; ++i)
        for (uint32_t j = 0; j < i; ++j)
            if (i != v && j != v && pairs_joined(&switched, i, j))
                pairs_join(out_graph, i - (i > v), j - (j > v));
}

void pairs_descend(const pairs_graph *graph, uint32_t v, pairs_graph *out_graph) {
    pairs_graph extended = *graph;
    ++extended.n;
    pairs_isolate(&extended, v, out_graph);
}

/* Stinson's hill climbing of 1985: third[x][y] is the third point of the block of x and y. */
static void pairs_draw_triples(experiment_source *source, uint32_t points,
                               uint32_t third[MOST_POINTS][MOST_POINTS]) {
    uint32_t missing = points * (points - 1) / 2; /* pairs of points in no block */
    for (uint32_t k = 0; k < MOST_POINTS * MOST_POINTS; ++k) third[k / MOST_POINTS][k % MOST_POINTS] = NONE;
    while (missing > 0) {
        const uint32_t x = experiment_below(source, points), y = experiment_below(source, points),
                       z = experiment_below(source, points);
        if (x == y || x == z || y == z || third[x][y] != NONE || third[x][z] != NONE) continue;
        const uint32_t w = third[y][z];
        if (w != NONE) {
            third[w][y] = third[y][w] = third[w][z] = third[z][w] = NONE;
            missing += 2;
        } else {
            missing -= 1;
        }
        missing -= 2;
        third[x][y] = third[y][x] = z;
        third[x][z] = third[z][x] = y;
        third[y][z] = third[z][y] = x;
    }
}

void pairs_steiner_graph(experiment_source *source, uint32_t points, pairs_graph *out_graph) {
    uint32_t third[MOST_POINTS][MOST_POINTS], blocks[PAIRS_MOST_NODES], count = 0; /* blocks as bits */
    pairs_draw_triples(source, points, third);
    for (uint32_t x = 0; x < points; ++x)
        for (uint32_t y = x + 1; y < points; ++y)
            if (third[x][y] > y) blocks[count++] = 1u << x | 1u << y | 1u << third[x][y];
    *out_graph = (pairs_graph){.n = count};
    for (uint32_t i = 0; i < count; ++i)
        for (uint32_t j = 0; j < i; ++j)
            if ((blocks[i] & blocks[j]) == 0) pairs_join(out_graph, i, j);
}

void pairs_torus_graph(bool shrikhande, pairs_graph *out_graph) {
    *out_graph = (pairs_graph){.n = 16};
    for (uint32_t i = 0; i < 16; ++i)
        for (uint32_t j = 0; j < i; ++j) {
            const uint32_t down = (j / 4 - i / 4) % 4, right = (j % 4 - i % 4) % 4;
            const bool one_down = down == 1 || down == 3, one_right = right == 1 || right == 3;
            if (shrikhande
                    ? (down == 0 && one_right) || (right == 0 && one_down) || (one_down && down == right)
                    : down == 0 || right == 0)
                pairs_join(out_graph, i, j);
        }
}

/* Pairs {a, b} out of 8, joined if they share one, switched by a set of pairs: those that are edges of four
 * separate edges (1), of a ring of 8 (2), of a ring of 3 and one of 5 (3). 0: not switched. */
static void pairs_chang_graph(uint32_t which, pairs_graph *out_graph) {
    static const uint32_t rings[4][2] = {{0, 0}, {0, 0}, {8, 0}, {3, 5}};
    uint32_t ends[28], count = 0;
    uint64_t set = 0;
    for (uint32_t a = 0; a < 8; ++a)
        for (uint32_t b = a + 1; b < 8; ++b) {
            const uint32_t first = rings[which][0];
            const bool ring = b < first ? b == a + 1 || b - a == first - 1
                                        : a >= first && (b == a + 1 || b - a == 7 - first);
            if (which == 1 ? a % 2 == 0 && b == a + 1 : which > 1 && ring) set |= (uint64_t)1 << count;
            ends[count++] = 1u << a | 1u << b;
        }
    *out_graph = (pairs_graph){.n = count};
    for (uint32_t i = 0; i < count; ++i)
        for (uint32_t j = 0; j < i; ++j)
            if ((ends[i] & ends[j]) != 0) pairs_join(out_graph, i, j);
    pairs_switch(out_graph, set);
}

/* The next half of the next pair, unless the set has it already. */
static void pairs_add_half(pairs_set *set, const char *name, const pairs_graph *graph, pairs_pair *out_pairs,
                           uint32_t *inout_halves) {
    if (*inout_halves == 2 * PAIRS_STRONGLY_REGULAR || !pairs_set_add(set, pairs_hash(graph))) return;
    pairs_pair *pair = &out_pairs[*inout_halves / 2];
    pair->of[(*inout_halves)++ % 2] = *graph;
    snprintf(pair->name, sizeof pair->name, "%s", name);
}

/* All graphs with the parameters (25, 12, 5, 6) that these constructions reach, in pairs. */
static void pairs_make_of_25(pairs_set *set, const pairs_graph *of_26, pairs_pair *out_pairs,
                             uint32_t *inout_halves) {
    const char *name = "(25, 12, 5, 6): two-graphs on 26 points";
    for (uint32_t k = 0; k < 2; ++k) {
        pairs_graph start, graph;
        pairs_latin_square_of_5(k == 1, &start);
        pairs_add_half(set, name, &start, out_pairs, inout_halves);
        for (uint32_t v = 0; v < 25; ++v) {
            pairs_descend(&start, v, &graph);
            pairs_add_half(set, name, &graph, out_pairs, inout_halves);
        }
        for (uint32_t v = 0; v < 26; ++v) {
            pairs_isolate(&of_26[k], v, &graph);
            pairs_add_half(set, name, &graph, out_pairs, inout_halves);
        }
    }
    *inout_halves -= *inout_halves % 2; /* one may be left without a partner */
}

void pairs_make_strongly_regular(pairs_pair *out_pairs) {
    experiment_source source = {.seed = SEED_STEINER};
    pairs_set set = {0};
    uint32_t halves = 0;
    pairs_graph graph, of_26[2];
    for (uint32_t k = 0; k < 2; ++k) {
        pairs_torus_graph(k == 1, &graph);
        pairs_add_half(&set, "(16, 6, 2, 2): rook's and Shrikhande's", &graph, out_pairs, &halves);
    }
    for (uint32_t k = 0; k < 4; ++k) {
        pairs_chang_graph(k, &graph);
        pairs_add_half(&set, "(28, 12, 6, 4): T(8) and Chang's", &graph, out_pairs, &halves);
    }
    for (const uint32_t from = halves; halves < from + 2;) {
        pairs_steiner_graph(&source, 13, &of_26[halves - from]);
        pairs_add_half(&set, "(26, 10, 3, 4): triples of 13 points", &of_26[halves - from], out_pairs,
                       &halves);
    }
    pairs_make_of_25(&set, of_26, out_pairs, &halves);
    while (halves < 2 * PAIRS_STRONGLY_REGULAR) {
        pairs_graph descended;
        pairs_steiner_graph(&source, 15, &graph);
        pairs_add_half(&set, "(35, 16, 6, 8): triples of 15 points", &graph, out_pairs, &halves);
        pairs_descend(&graph, experiment_below(&source, 35), &descended);
        pairs_add_half(&set, "(35, 16, 6, 8): triples of 15 points", &descended, out_pairs, &halves);
    }
    pairs_set_free(&set);
}
