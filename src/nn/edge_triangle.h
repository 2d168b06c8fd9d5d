/* edge_triangle.h: edges that learn from the triangles they are in. See docs/models.md.
 *
 * The triangle of edge (i, j) over the pivot l has the edges (i, l) and (l, j). Every function takes edges e
 * (b, i, j, De) and returns e + update, of the same shape. mask int32 (b, n) or no value: masked nodes are no
 * pivots. causal: the triangles of edge (i, j) have j <= l <= i, and edges with j > i stay unchanged.
 */
#ifndef QUARTIC_NN_EDGE_TRIANGLE_H
#define QUARTIC_NN_EDGE_TRIANGLE_H

#include "nn/layers.h"

typedef struct quartic_triangle_module_options {
    uint32_t heads, dim_head;
    bool causal;
    /* start and end take the bias from (j, l) and (l, i), not from the path's (l, j) and (i, l) */
    bool alphafold;
    quartic_value mask; /* int32 (b, n) or no value */
} quartic_triangle_module_options;

/* Scores and values from both edges of the pivot (Bergen et al. 2021, Edge Transformer). */
quartic_value quartic_nn_triangle_attention(quartic_nn *nn, quartic_value e,
                                            const quartic_triangle_module_options *options);

/* A pass with keys and values from the pivot's first edge (`start.`), then one from its second (`end.`)
 * (Jumper et al. 2021, algorithms 13 and 14). */
quartic_value quartic_nn_triangle_start_end(quartic_nn *nn, quartic_value e,
                                            const quartic_triangle_module_options *options);

/* Which edges are multiplied:
 *     through   t_ij = sum_l a_il b_lj
 *     outgoing  t_ij = sum_l a_il b_jl
 *     incoming  t_ij = sum_l a_li b_lj */
typedef enum quartic_triangle_direction {
    QUARTIC_TRIANGLE_THROUGH,
    QUARTIC_TRIANGLE_OUTGOING,
    QUARTIC_TRIANGLE_INCOMING,
    QUARTIC_TRIANGLE_DIRECTIONS
} quartic_triangle_direction;

/* "through", "outgoing", "incoming": also the prefixes of the passes. */
const char *quartic_triangle_direction_name(quartic_triangle_direction direction);

/* One pass for each direction, in order (Jumper et al. 2021, algorithms 11 and 12). options->alphafold is
 * ignored. */
quartic_value quartic_nn_triangle_multiply(quartic_nn *nn, quartic_value e,
                                           const quartic_triangle_direction *directions, uint32_t count,
                                           const quartic_triangle_module_options *options);

#endif
