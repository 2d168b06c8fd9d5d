/* pairs_cfi.c: the graphs of Cai, Fürer and Immerman 1992 over small graphs, straight and twisted. See pairs.h.
 *
 * Over a connected graph each node v becomes one node for every even subset S of the edges at v. (v, S) and (w, T)
 * are joined if v w is an edge that is in both S and T or in neither. In the twisted graph one edge is the other
 * way round: in exactly one of them. (Their construction has further nodes in the middle of each edge, which only
 * hold what side is which; without them graphs are smaller.)
 */
#include "tool/pairs.h"

#include <stdio.h>

enum { FEWEST_BASE = 3, MOST_BASE = 7, MOST_CFI = 40 };

/* Which of v's edges, counted from its lowest neighbour on, leads to w. */
static uint32_t pairs_edge_place(const pairs_graph *base, uint32_t v, uint32_t w) {
    return (uint32_t)__builtin_popcountll(base->rows[v] & (((uint64_t)1 << w) - 1));
}

static void pairs_cfi_graph(const pairs_graph *base, bool twisted, pairs_graph *out_graph) {
    uint32_t node[PAIRS_MOST_NODES], subset[PAIRS_MOST_NODES], count = 0, first = 0, second = 0;
    for (uint32_t v = 0; v < base->n; ++v)
        for (uint32_t s = 0; s < 1u << pairs_degree(base, v); ++s) {
            if (__builtin_popcount(s) % 2 != 0) continue;
            node[count] = v;
            subset[count++] = s;
        }
    for (uint32_t w = base->n; w > 1; --w)
        if (pairs_joined(base, 0, w - 1)) second = w - 1; /* the lowest edge */
    *out_graph = (pairs_graph){.n = count};
    for (uint32_t i = 0; i < count; ++i)
        for (uint32_t j = 0; j < i; ++j) {
            const uint32_t v = node[j], w = node[i];
            if (!pairs_joined(base, v, w)) continue;
            const bool in_first = subset[j] >> pairs_edge_place(base, v, w) & 1,
                       in_second = subset[i] >> pairs_edge_place(base, w, v) & 1;
            if ((in_first == in_second) != (twisted && v == first && w == second))
                pairs_join(out_graph, i, j);
        }
}

/* Nodes of the graphs over a base, 0 if some node has fewer than two edges. */
static uint32_t pairs_cfi_size(const pairs_graph *base) {
    uint32_t size = 0;
    for (uint32_t v = 0; v < base->n; ++v) {
        const uint32_t degree = pairs_degree(base, v);
        if (degree < 2) return 0;
        size += 1u << (degree - 1);
    }
    return size;
}

/* Bases come by size, then by their edges read as a number, each once up to isomorphism. Only those with equal or
 * falling degrees are looked at: every graph has such an order of its nodes. */
void pairs_make_cfi(pairs_pair *out_pairs) {
    pairs_set bases = {0};
    uint32_t made = 0;
    for (uint32_t n = FEWEST_BASE; n <= MOST_BASE; ++n)
        for (uint32_t edges = 0; made < PAIRS_CFI && edges < 1u << n * (n - 1) / 2; ++edges) {
            pairs_graph base = {.n = n};
            bool falling = true;
            for (uint32_t i = 0, bit = 0; i < n; ++i)
                for (uint32_t j = 0; j < i; ++j, ++bit)
                    if (edges >> bit & 1) pairs_join(&base, i, j);
            for (uint32_t i = 1; i < n; ++i) falling &= pairs_degree(&base, i) <= pairs_degree(&base, i - 1);
            const uint32_t size = falling ? pairs_cfi_size(&base) : 0;
            if (size == 0 || size > MOST_CFI || !pairs_connected(&base)) continue;
            if (!pairs_set_add(&bases, pairs_hash(&base))) continue;
            pairs_pair *pair = &out_pairs[made];
            snprintf(pair->name, sizeof pair->name, "over %u nodes with %u edges", n,
                     (uint32_t)__builtin_popcount(edges));
            for (uint32_t k = 0; k < 2; ++k) pairs_cfi_graph(&base, k == 1, &pair->of[k]);
            /* Without colours of the base's nodes a twist may be undone by an order that mixes them. */
            made += !pairs_differ_in_nodes(&pair->of[0], &pair->of[1]) &&
                    !pairs_isomorphic(&pair->of[0], &pair->of[1]);
        }
    pairs_set_free(&bases);
}
