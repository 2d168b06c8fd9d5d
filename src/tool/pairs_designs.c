/* pairs_designs.c: pairs of distance-regular graphs of diameter 3 with the same numbers. See pairs.h.
 *
 * Points and blocks of a symmetric design, joined if the point lies on the block, make a bipartite distance-regular
 * graph, and so do those of its complement, joined if it does not.
 *
 *   2-(16, 6, 2)   shifts of the difference sets of Z2^4, Z2^2 x Z4, Z4^2 and Z2 x Z8
 *   2-(15, 7, 3)   rows of Hadamard matrices of order 16: Sylvester's, with closed quadruples of rows switched
 *
 * And Taylor's graphs, two copies of each point of one of the four regular two-graphs on 26; and the words of length 3 over 4
 * letters against Doob's graph, Shrikhande's times the complete graph on 4, both {9, 6, 3; 1, 2, 3}.
 */
#include "tool/pairs.h"

#include <stdio.h>
#include <string.h>

enum { SEED_HADAMARD = 105, ORDER = 16, MOST_DESIGNS = 3 };

/* A graph of 2 v nodes: block b is joined to the points of blocks[b], as bits, or to the others. */
static void pairs_incidence_graph(uint32_t v, const uint32_t *blocks, bool others, pairs_graph *out_graph) {
    *out_graph = (pairs_graph){.n = 2 * v};
    for (uint32_t block = 0; block < v; ++block)
        for (uint32_t point = 0; point < v; ++point)
            if ((blocks[block] >> point & 1) != others) pairs_join(out_graph, block, v + point);
}

/* Designs of which no two have isomorphic graphs, up to MOST_DESIGNS. */
typedef struct pairs_designs {
    uint32_t v, count;
    uint32_t blocks[MOST_DESIGNS][ORDER];
    pairs_set set;
} pairs_designs;

static void pairs_add_design(pairs_designs *designs, const uint32_t *blocks) {
    pairs_graph graph, kept;
    if (designs->count == MOST_DESIGNS) return;
    pairs_incidence_graph(designs->v, blocks, false, &graph);
    /* A new hash is a new design; some that differ have one hash. */
    const bool is_new = pairs_set_add(&designs->set, pairs_hash(&graph));
    for (uint32_t k = 0; !is_new && k < designs->count; ++k) {
        pairs_incidence_graph(designs->v, designs->blocks[k], false, &kept);
        if (pairs_isomorphic(&kept, &graph)) return;
    }
    memcpy(designs->blocks[designs->count++], blocks, designs->v * sizeof blocks[0]);
}

/* a - b in the product of cyclic groups of these orders; the first is the fastest digit. */
static uint32_t pairs_difference(const uint32_t orders[4], uint32_t a, uint32_t b) {
    uint32_t result = 0, place = 1;
    for (uint32_t k = 0; k < 4; ++k) {
        result += (a % orders[k] + orders[k] - b % orders[k]) % orders[k] * place;
        place *= orders[k];
        a /= orders[k];
        b /= orders[k];
    }
    return result;
}

/* Whether every difference but 0 comes twice among the elements of the set. */
static bool pairs_is_difference_set(const uint32_t orders[4], uint32_t set) {
    uint32_t times[ORDER] = {0};
    for (uint32_t a = 0; a < ORDER; ++a)
        for (uint32_t b = 0; b < ORDER; ++b)
            if (a != b && (set >> a & 1) && (set >> b & 1) && ++times[pairs_difference(orders, a, b)] > 2)
                return false;
    return true;
}

static void pairs_find_designs_of_16(pairs_designs *designs) {
    static const uint32_t groups[4][4] = {{2, 2, 2, 2}, {2, 2, 4, 1}, {4, 4, 1, 1}, {2, 8, 1, 1}};
    for (uint32_t g = 0; g < 4; ++g)
        for (uint32_t set = 1; set < 1u << ORDER; set += 2) {
            uint32_t blocks[ORDER] = {0};
            if (__builtin_popcount(set) != 6 || !pairs_is_difference_set(groups[g], set)) continue;
            for (uint32_t b = 0; b < ORDER; ++b)
                for (uint32_t p = 0; p < ORDER; ++p)
                    blocks[b] |= (set >> pairs_difference(groups[g], p, b) & 1) << p;
            const uint32_t before = designs->count;
            pairs_add_design(designs, blocks);
            if (designs->count > before) break; /* the next group */
        }
}

/* Four rows whose product has one sign everywhere fall into four groups of four columns, in each of which two of
 * them agree or disagree throughout. Each other row has as many of both signs in each group, so that the four rows
 * may be negated within a group. rows: as bits, 1 for -1. False if the rows are no such quadruple. */
static bool pairs_switch_quadruple(uint32_t *rows, const uint32_t *four, uint32_t group) {
    const uint32_t a = rows[four[0]], product = a ^ rows[four[1]] ^ rows[four[2]] ^ rows[four[3]];
    if (product != 0 && product != 0xffff) return false;
    const uint32_t second = a ^ rows[four[1]], third = a ^ rows[four[2]];
    const uint32_t columns = (group & 1 ? second : ~second) & (group & 2 ? third : ~third) & 0xffff;
    for (uint32_t k = 0; k < 4; ++k) rows[four[k]] ^= columns;
    return true;
}

static void pairs_find_designs_of_15(pairs_designs *designs) {
    experiment_source source = {.seed = SEED_HADAMARD};
    uint32_t rows[ORDER] = {0};
    for (uint32_t i = 0; i < ORDER; ++i)
        for (uint32_t j = 0; j < ORDER; ++j) rows[i] |= ((uint32_t)__builtin_popcount(i & j) & 1) << j;
    while (designs->count < MOST_DESIGNS) {
        uint32_t order[ORDER], blocks[ORDER], count = 0;
        experiment_permutation(&source, ORDER, order);
        if (!pairs_switch_quadruple(rows, order, experiment_below(&source, 4))) continue;
        /* Signs so that row and column `at` are +1; of the other rows, where they are +1 as well. */
        const uint32_t at = experiment_below(&source, ORDER);
        for (uint32_t i = 0; i < ORDER; ++i) {
            if (i == at) continue;
            const uint32_t signs = rows[i] ^ rows[at], plus = signs >> at & 1 ? signs : ~signs & 0xffff;
            blocks[count++] = (plus & ((1u << at) - 1)) | plus >> (at + 1) << at;
        }
        pairs_add_design(designs, blocks);
    }
}

/* All pairs of the designs and all pairs of their complements. */
static void pairs_pair_designs(const pairs_designs *designs, const char *name, pairs_pair *out_pairs,
                               uint32_t *inout_made) {
    for (uint32_t others = 0; others < 2; ++others)
        for (uint32_t a = 0; a < designs->count; ++a)
            for (uint32_t b = 0; b < a && *inout_made < PAIRS_DISTANCE_REGULAR; ++b) {
                pairs_pair *pair = &out_pairs[(*inout_made)++];
                snprintf(pair->name, sizeof pair->name, "%s%s", name, others ? ", complements" : "");
                pairs_incidence_graph(designs->v, designs->blocks[a], others, &pair->of[0]);
                pairs_incidence_graph(designs->v, designs->blocks[b], others, &pair->of[1]);
            }
}

/* Node 2 x + s is the copy s of point x; the last point is the one that the two-graph's descendant lacks. */
static void pairs_taylor_graph(const pairs_graph *descendant, pairs_graph *out_graph) {
    const uint32_t points = descendant->n + 1;
    *out_graph = (pairs_graph){.n = 2 * points};
    for (uint32_t x = 0; x < points; ++x)
        for (uint32_t y = 0; y < x; ++y) {
            const uint32_t crossed = x + 1 < points && !pairs_joined(descendant, x, y);
            for (uint32_t s = 0; s < 2; ++s) pairs_join(out_graph, 2 * x + s, 2 * y + (s ^ crossed));
        }
}

/* The four two-graphs: of the two Latin squares of order 5 and of the two Steiner triple systems of 13 points. */
static void pairs_pair_taylor_graphs(pairs_pair *out_pairs, uint32_t *inout_made) {
    experiment_source source = {.seed = SEED_HADAMARD};
    pairs_graph taylor[4], of_25, of_26;
    pairs_set set = {0};
    for (uint32_t k = 0; k < 2; ++k) {
        pairs_latin_square_of_5(k == 1, &of_25);
        pairs_taylor_graph(&of_25, &taylor[k]);
    }
    for (uint32_t k = 2; k < 4;) {
        pairs_steiner_graph(&source, 13, &of_26);
        if (!pairs_set_add(&set, pairs_hash(&of_26))) continue;
        pairs_isolate(&of_26, 0, &of_25);
        pairs_taylor_graph(&of_25, &taylor[k++]);
    }
    for (uint32_t a = 0; a < 4; ++a)
        for (uint32_t b = 0; b < a; ++b) {
            pairs_pair *pair = &out_pairs[(*inout_made)++];
            snprintf(pair->name, sizeof pair->name, "Taylor's graphs of two-graphs on 26 points");
            pair->of[0] = taylor[b];
            pair->of[1] = taylor[a];
        }
    pairs_set_free(&set);
}

/* Node 4 x + y: of a graph x on 16 nodes and of the complete graph on 4; joined if one is equal and the other
 * joined. The rook's graph is the words of length 2. */
static void pairs_pair_doob_graphs(pairs_pair *out_pair) {
    snprintf(out_pair->name, sizeof out_pair->name, "words of length 3 and Doob's graph");
    for (uint32_t k = 0; k < 2; ++k) {
        pairs_graph torus;
        pairs_torus_graph(k == 1, &torus);
        out_pair->of[k] = (pairs_graph){.n = 64};
        for (uint32_t i = 0; i < 64; ++i)
            for (uint32_t j = 0; j < i; ++j)
                if (i / 4 == j / 4 || (i % 4 == j % 4 && pairs_joined(&torus, i / 4, j / 4)))
                    pairs_join(&out_pair->of[k], i, j);
    }
}

void pairs_make_distance_regular(pairs_pair *out_pairs) {
    pairs_designs of_16 = {.v = 16}, of_15 = {.v = 15};
    uint32_t made = 0;
    pairs_find_designs_of_16(&of_16);
    pairs_find_designs_of_15(&of_15);
    pairs_pair_designs(&of_16, "2-(16, 6, 2)", out_pairs, &made);
    pairs_pair_designs(&of_15, "2-(15, 7, 3)", out_pairs, &made);
    pairs_pair_taylor_graphs(out_pairs, &made);
    pairs_pair_doob_graphs(&out_pairs[made++]);
    pairs_set_free(&of_16.set);
    pairs_set_free(&of_15.set);
}
