/* edge_triple.h: edges that learn from all six edges among four nodes. See docs/models.md. */
#ifndef QUARTIC_NN_EDGE_TRIPLE_H
#define QUARTIC_NN_EDGE_TRIPLE_H

#include "nn/layers.h"

typedef struct quartic_triple_module_options {
    uint32_t heads, dim_head;
    bool causal;        /* edge (i, j) has the pairs j <= m <= l <= i; edges with j > i stay unchanged */
    quartic_value mask; /* int32 (b, n) or no value: masked nodes are no pivots */
} quartic_triple_module_options;

/* e + gated attention of each edge (i, j) over pairs of pivots (l, m): e (b, i, j, De) to the same. */
quartic_value quartic_nn_triple_attention(quartic_nn *nn, quartic_value e,
                                          const quartic_triple_module_options *options);

#endif
