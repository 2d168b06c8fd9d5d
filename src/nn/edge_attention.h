/* edge_attention.h: attention over all n^2 edges of a graph: Taylor, full and routed. See docs/models.md. */
#ifndef QUARTIC_NN_EDGE_ATTENTION_H
#define QUARTIC_NN_EDGE_ATTENTION_H

#include "nn/layers.h"

/* residual + Taylor attention over all edges of e (b, i, j, De) as one sequence; residual as e, or no value.
 * mask int32 (b, n) or no value: an edge is visible iff both of its nodes are real. causal: edge (i, j) sees
 * edge (k, l) only where l <= k <= i. The attention of edges with j > i is 0, so that the residual alone
 * remains. */
quartic_value quartic_nn_taylor_edge_attention(quartic_nn *nn, quartic_value e, quartic_value residual,
                                               uint32_t heads, uint32_t dim_head, bool causal,
                                               quartic_value mask);

typedef struct quartic_full_edge_options {
    uint32_t heads, dim_head;
    bool causal;
    quartic_value mask; /* int32 (b, n) or no value */
} quartic_full_edge_options;

/* e + softmax attention of every edge to every edge: e (b, i, j, De) to the same. */
quartic_value quartic_nn_full_edge_attention(quartic_nn *nn, quartic_value e,
                                             const quartic_full_edge_options *options);

typedef struct quartic_routed_edge_options {
    uint32_t heads, dim_head;
    uint32_t routed; /* edges chosen in each graph, all if there are fewer; 0: as many as it has real nodes */
    float ratio;     /* coordinate descent aims at min(ratio * k, m) edges; k and m: see below */
    bool causal;
    quartic_coordinate_descent_options descent; /* member k is ignored */
    quartic_value mask;                         /* int32 (b, n) or no value */
} quartic_routed_edge_options;

/* Full attention among the edges with the greatest score
 *     r_ij = sum_h to_route_h sim_hij,
 * where sim (b, h, i, j) are the logits of the node attention after its talking heads. All other edges stay
 * as they are. n counts the real nodes, so results do not depend on padding.
 *
 * Not causal: k = routed edges are chosen out of all m = n^2.
 * Causal: each row i chooses k = ceil(routed / n) out of its own m = n edges, the visible ones (j <= i)
 * first. If an edge competed with those of later rows, its choice would depend on them. The n k chosen edges
 * attend causally. Where a row has fewer than k visible edges, hidden ones are chosen too; they see nothing
 * and stay as they are.
 *
 * out_weights (b, n^2): the weights c of coordinate descent; may be NULL.
 * out_indices int32 (b, places): the chosen edges, ascending; may be NULL. With a mask, places is the number
 * that the graph which chooses most could need; graphs that choose fewer fill their places with other edges,
 * which stay as they are. */
quartic_value quartic_nn_routed_edge_attention(quartic_nn *nn, quartic_value e, quartic_value sim,
                                               const quartic_routed_edge_options *options,
                                               quartic_value *out_weights, quartic_value *out_indices);

#endif
