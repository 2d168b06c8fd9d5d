/* edge_forms.h: the form of edge attention that each layer of a configuration asks for. See model.h and
 * docs/edge-attention.md.
 */
#ifndef QUARTIC_NN_EDGE_FORMS_H
#define QUARTIC_NN_EDGE_FORMS_H

#include "nn/params.h"
#include "quartic/model.h"

/* The form of one layer; the configuration has its derived values filled in. */
static inline quartic_edge_attention quartic_nn_edge_form(const quartic_model_config *config,
                                                          uint32_t layer) {
    return config->edge_attention_count == 0 ? config->edge_attention
                                             : (quartic_edge_attention)config->edge_attention_list[layer];
}

/* Whether a layer of the configuration has that form. */
bool quartic_nn_has_edge_form(const quartic_model_config *config, quartic_edge_attention form);

/* Refuses what a form cannot do: causality without a causal form, published equations that are not
 * reproduced. */
quartic_status quartic_nn_check_edge_forms(const quartic_model_config *config);

/* e (b, i, j, De) with the edges' attention to edges added, once (compatibility "reference": axial, which has
 * residuals of its own, is added to e as well). mask int32 (b, n) or no value. logits: those of the layer's
 * node attention after its talking heads, (b, h, i, j), of which only routed makes use. */
quartic_value quartic_nn_edge_attention(quartic_nn *nn, const quartic_model_config *config,
                                        quartic_edge_attention form, quartic_value e, quartic_value mask,
                                        quartic_value logits);

#endif
