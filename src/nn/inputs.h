/* inputs.h: from what a model is given to nodes and edges, and from these to what is read out. See model.h.
 */
#ifndef QUARTIC_NN_INPUTS_H
#define QUARTIC_NN_INPUTS_H

#include "nn/layers.h"
#include "nn/models.h"

/* The nodes' first values: tokens' embedding or projected node features, plus positions: (b, n, D). */
quartic_value quartic_nn_nodes(quartic_nn *nn, const quartic_model_config *config,
                               const quartic_model_inputs *inputs);

/* e (b, i, j, De) plus what is given of the edges: types' embedding, projected edge features. */
quartic_value quartic_nn_given_edges(quartic_nn *nn, const quartic_model_config *config,
                                     const quartic_model_inputs *inputs, quartic_value e);

/* What the logits are projected from, before its norm: x (b, n, D), or for an edge read-out e (b, i, j, De).
 */
static inline quartic_value quartic_nn_read_from(const quartic_model_config *config, quartic_value x,
                                                 quartic_value e) {
    return config->readout == QUARTIC_READOUT_EDGE ? e : x;
}

/* The normed value as it is projected: as it is, or for a graph read-out its mean over the real nodes: (b,
 * D). */
quartic_value quartic_nn_read_out(quartic_nn *nn, const quartic_model_config *config, quartic_value normed,
                                  quartic_value mask);

#endif
