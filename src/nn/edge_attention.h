/* edge_attention.h: attention over all n^2 edges of a graph: Taylor, full and routed. See models.md. */
#ifndef QUARTIC_NN_EDGE_ATTENTION_H
#define QUARTIC_NN_EDGE_ATTENTION_H

#include "nn/layers.h"

/* residual + Taylor attention over all edges of e (b, i, j, De) as one sequence; residual as e, or no value.
 * mask int32 (b, n) or no value: an edge is seen iff both of its nodes are real. causal: edge (i, j) sees
 * (k, l) only where l <= k <= i, and edges with j > i are the residual's alone. */
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
    float ratio;     /* coordinate descent wants min(ratio * k, m), see below */
    bool causal;
    quartic_coordinate_descent_options descent; /* its k is not read */
    quartic_value mask;                         /* int32 (b, n) or no value */
} quartic_routed_edge_options;

/* Full attention among the edges with the greatest r = sum_h to_route_h sim_h, the others unchanged: sim are
 * the logits (b, h, i, j) of the node attention after its talking heads. The k = routed edges are chosen out
 * of all m = n^2, n being the number of real nodes: results do not depend on padding. Causal: each row i
 * chooses for itself, k = ceil(routed / n) out of its m = n edges, the visible ones, j <= i, first: an edge
 * that competed with those of later rows would tell of them. The n * k chosen edges attend causally; where a
 * row has fewer than k visible edges, hidden ones are among them, which see nothing and so stay as they are.
 * out_weights (b, n^2): c of coordinate descent; out_indices int32 (b, places): the chosen edges, ascending;
 * with a mask there are as many places as the graph that chooses most could need, and other edges, which stay
 * as they are, fill them up. Both may be NULL. */
quartic_value quartic_nn_routed_edge_attention(quartic_nn *nn, quartic_value e, quartic_value sim,
                                               const quartic_routed_edge_options *options,
                                               quartic_value *out_weights, quartic_value *out_indices);

#endif
