/* attention.h: attention of nodes (with and without edges) and Taylor attention of edges. See
 * docs/models.md. */
#ifndef QUARTIC_NN_ATTENTION_H
#define QUARTIC_NN_ATTENTION_H

#include "nn/layers.h"

typedef struct quartic_node_attention_options {
    uint32_t heads, dim_head;
    float scale; /* of the queries; 0: dim_head^(-1/2) */
    bool causal;
    quartic_value mask;     /* int32 (b, n), 1 = real, or no value */
    quartic_value residual; /* (b, n, D), added to the output, or no value */
    quartic_value edges;    /* (b, i, j, De), or no value: attention without edges */
    bool normed;       /* x is already divided by its root mean square; only the norm's scale is missing */
    bool ablate_edges; /* the weights of the edges exist, but have no influence */
    quartic_value *logits; /* unless NULL: receives (b, h, i, j) after the talking heads, before the mask */
} quartic_node_attention_options;

/* x (b, n, D) to (b, n, D).
 * out_attention: receives the maps (b, h, i, j) after softmax, before dropout; may be NULL.
 * out_edges: receives the edges with the maps mixed in, (b, i, j, De); NULL without edges, or where the maps
 * are not mixed into them. */
quartic_value quartic_nn_node_attention(quartic_nn *nn, quartic_value x,
                                        const quartic_node_attention_options *options,
                                        quartic_value *out_attention, quartic_value *out_edges);

typedef struct quartic_taylor_module_options {
    uint32_t heads, dim_head;
    quartic_taylor_options attention;
    quartic_value mask; /* as in quartic_taylor_attention */
} quartic_taylor_module_options;

/* residual + Taylor attention of x (b, r, c, D) along one axis; residual (b, r, c, D) or no value. */
quartic_value quartic_nn_taylor_attention(quartic_nn *nn, quartic_value x, quartic_value residual,
                                          const quartic_taylor_module_options *options);

typedef struct quartic_axial_options {
    uint32_t heads, dim_head;
    bool causal, diagonal; /* diagonal: also attention among the edges (i, i) */
    quartic_value mask;    /* int32 (b, n) or no value */
} quartic_axial_options;

/* Attention along rows, then along columns, then (if diagonal) among the n edges (i, i), each with its
 * residual: e (b, i, j, De) to the same. */
quartic_value quartic_nn_axial_attention(quartic_nn *nn, quartic_value e,
                                         const quartic_axial_options *options);

#endif
