/* edge_triangle.h: edges that learn from the triangles they are in. See models.md.
 *
 * Every function takes edges e (b, i, j, De) and gives the same, with residuals inside. mask int32 (b, n) or
 * no value: masked nodes are no pivots. causal: the triangles of edge (i, j) have j <= l <= i, and edges with
 * j > i pass unchanged.
 */
#ifndef QUARTIC_NN_EDGE_TRIANGLE_H
#define QUARTIC_NN_EDGE_TRIANGLE_H

#include "nn/layers.h"

typedef struct quartic_triangle_module_options {
    uint32_t heads, dim_head;
    bool causal;
    bool
        alphafold; /* start and end: the bias from (j, l) and (l, i), not from the path's (l, j) and (i, l) */
    quartic_value mask;
} quartic_triangle_module_options;

/* Scores and values from both edges of the pivot (Bergen et al. 2021, Edge Transformer). */
quartic_value quartic_nn_triangle_attention(quartic_nn *nn, quartic_value e,
                                            const quartic_triangle_module_options *options);

/* A pass with keys and values from the pivot's first edge (`start.`), then one from its second (`end.`)
 * (Jumper et al. 2021, algorithms 13 and 14). */
quartic_value quartic_nn_triangle_start_end(quartic_nn *nn, quartic_value e,
                                            const quartic_triangle_module_options *options);

/* Which edges are multiplied: t_ij = sum_l of a_il b_lj, a_il b_jl, a_li b_lj. */
typedef enum quartic_triangle_direction {
    QUARTIC_TRIANGLE_THROUGH,
    QUARTIC_TRIANGLE_OUTGOING,
    QUARTIC_TRIANGLE_INCOMING,
    QUARTIC_TRIANGLE_DIRECTIONS
} quartic_triangle_direction;

/* "through", "outgoing", "incoming": also the prefixes of the passes. */
const char *quartic_triangle_direction_name(quartic_triangle_direction direction);

/* One pass for each direction, in order (Jumper et al. 2021, algorithms 11 and 12). alphafold is not read. */
quartic_value quartic_nn_triangle_multiply(quartic_nn *nn, quartic_value e,
                                           const quartic_triangle_direction *directions, uint32_t count,
                                           const quartic_triangle_module_options *options);

#endif
