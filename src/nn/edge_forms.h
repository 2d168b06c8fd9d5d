/* edge_forms.h: the form of edge attention that each layer of a configuration asks for. The forms: see
 * quartic/model.h and docs/edge-attention.md.
 */
#ifndef QUARTIC_NN_EDGE_FORMS_H
#define QUARTIC_NN_EDGE_FORMS_H

#include "nn/params.h"
#include "quartic/model.h"

/* The form of one layer. The derived values of the configuration must be filled in. */
static inline quartic_edge_attention quartic_nn_edge_form(const quartic_model_config *config,
                                                          uint32_t layer) {
    return config->edge_attention_count == 0 ? config->edge_attention
                                             : (quartic_edge_attention)config->edge_attention_list[layer];
}

/* Whether a layer of the configuration has that form. */
bool quartic_nn_has_edge_form(const quartic_model_config *config, quartic_edge_attention form);

/* INVALID_ARGUMENT for settings of the forms that contradict each other, and for published equations that are
 * not reproduced. */
quartic_status quartic_nn_check_edge_forms(const quartic_model_config *config);

/* e + attention of edges to edges in that form; e (b, i, j, De) to the same. With compatibility "reference",
 * axial attention, which has residuals of its own, is added to e once more. mask int32 (b, n) or no value.
 * logits (b, h, i, j): those of the layer's node attention after its talking heads; only the form routed
 * reads them. */
quartic_value quartic_nn_edge_attention(quartic_nn *nn, const quartic_model_config *config,
                                        quartic_edge_attention form, quartic_value e, quartic_value mask,
                                        quartic_value logits);

#endif
