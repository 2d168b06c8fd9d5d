/* inputs.h: from the inputs of a model to nodes and edges, and from these to what is read out. The inputs and
 * read-outs: see quartic/model.h. */
#ifndef QUARTIC_NN_INPUTS_H
#define QUARTIC_NN_INPUTS_H

#include "nn/layers.h"
#include "nn/models.h"

/* The first values of the nodes (b, n, D): the embedding of the tokens or the projected node features, plus
 * the embedding of the positions. */
quartic_value quartic_nn_nodes(quartic_nn *nn, const quartic_model_config *config,
                               const quartic_model_inputs *inputs);

/* e (b, i, j, De) plus the inputs of edges: the embedding of their types, and their projected features. */
quartic_value quartic_nn_given_edges(quartic_nn *nn, const quartic_model_config *config,
                                     const quartic_model_inputs *inputs, quartic_value e);

/* What the logits are made of, before its norm: x (b, n, D), or for an edge read-out e (b, i, j, De). */
static inline quartic_value quartic_nn_read_from(const quartic_model_config *config, quartic_value x,
                                                 quartic_value e) {
    return config->readout == QUARTIC_READOUT_EDGE ? e : x;
}

/* What the logits are projected from: the normed value itself, or for a graph read-out its mean over the real
 * nodes, (b, D). */
quartic_value quartic_nn_read_out(quartic_nn *nn, const quartic_model_config *config, quartic_value normed,
                                  quartic_value mask);

#endif
