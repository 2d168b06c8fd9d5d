/* quartic.c: QuarticTransformer, nodes and all their n^2 directed edges, layer by layer.
 *
 * x = token_emb[t] + pos_emb;  e_ij = LayerNorm(W (R x_i + C x_j)) + MLP(i - j)
 * per layer: hyper-connected node attention with edges, whose maps are mixed into e
 *            hyper-connected feedforward
 *            edges attend to edges (edge_forms.h)
 *            e <- e + feedforward(e)
 * logits = W rms(sum of streams); the other read-outs: inputs.h
 *
 * static_edges: a quadratic transformer with edges. The embedded edges bias every node attention, and no
 * layer changes them. An edge read-out then combines them with their nodes after the last layer:
 *   p_ij = e_ij + LayerNorm(W' (R' x_i + C' x_j));  p <- p + feedforward(p)
 */
#include <math.h>

#include "nn/attention.h"
#include "nn/edge_forms.h"
#include "nn/inputs.h"
#include "nn/models.h"

static quartic_status quartic_check(const quartic_model_config *config) {
    QUARTIC_TRY(quartic_nn_check_edge_forms(config));
    if (config->ablate_edges && config->readout == QUARTIC_READOUT_EDGE)
        return quartic_fail(
            QUARTIC_INVALID_ARGUMENT,
            "ablate_edges with readout \"edge\": ablated edges learn nothing of the nodes, so there "
            "is nothing to read out; set one of them otherwise");
    for (uint32_t layer = 0; config->static_edges && layer < config->depth; ++layer)
        if (quartic_nn_edge_form(config, layer) != QUARTIC_EDGE_ATTENTION_NONE)
            return quartic_fail(
                QUARTIC_INVALID_ARGUMENT,
                "static_edges with edge attention in layer %u: edges that no layer changes do not "
                "attend; leave edge_attention out, or set it to \"none\" or static_edges to false",
                layer);
    return QUARTIC_OK;
}

/* Edge attention and feedforward of a layer: e (b, i, j, De) to the same. logits (b, h, i, j): of the layer's
 * node attention. */
static quartic_value edge_layer(quartic_nn *nn, const quartic_model_config *config, uint32_t layer,
                                quartic_value e, quartic_value mask, quartic_value logits) {
    quartic_nn_push(nn, "1.0");
    e = quartic_nn_edge_attention(nn, config, quartic_nn_edge_form(config, layer), e, mask, logits);
    quartic_nn_pop(nn);
    quartic_nn_push(nn, "1.1");
    e = quartic_nn_feedforward(nn, e, e, config->ff_mult, true);
    quartic_nn_pop(nn);
    return e;
}

/* Static edges e (b, i, j, De) combined with their nodes x (b, n, D) after the last layer: see the file's
 * head. */
static quartic_value pairs_of_nodes(quartic_nn *nn, const quartic_model_config *config, quartic_value x,
                                    quartic_value e) {
    quartic_nn_push(nn, "to_pair_emb");
    e = quartic_add(nn->graph, e, quartic_nn_edge_embedding(nn, x, config->dim_edges)); // (b, i, j, De)
    quartic_nn_pop(nn);
    quartic_nn_push(nn, "to_pair_ff");
    e = quartic_nn_feedforward(nn, e, e, config->ff_mult, true);
    quartic_nn_pop(nn);
    return e;
}

static quartic_value quartic_build(quartic_nn *nn, const quartic_model_config *config,
                                   const quartic_model_inputs *inputs, const quartic_model_taps *taps) {
    quartic_graph *graph = nn->graph;
    const uint32_t streams = config->num_residual_streams;
    const bool mixes = config->hyper_connections == QUARTIC_HYPER_CONNECTIONS_MIXED;

    quartic_value x = quartic_nn_nodes(nn, config, inputs); // (b, n, D)
    quartic_nn_push(nn, "to_edge_emb");
    quartic_value e = quartic_nn_edge_embedding(nn, x, config->dim_edges); // (b, i, j, De)
    quartic_nn_pop(nn);
    if (config->positions) {
        const uint32_t n = quartic_graph_shape(graph, x).dims[1];
        quartic_nn_push(nn, "dynamic_rel_pos_bias");
        e = quartic_add(graph, e, quartic_nn_position_bias(nn, n, config->dim, config->dim_edges));
        quartic_nn_pop(nn);
    }
    e = quartic_nn_given_edges(nn, config, inputs, e);

    quartic_value residuals = quartic_nn_expand_streams(nn, x, streams); // (b, n, S, D)
    for (uint32_t layer = 0; layer < config->depth; ++layer) {
        quartic_node_attention_options node = {.heads = config->heads,
                                               .dim_head = config->dim_head,
                                               .causal = config->causal,
                                               .mask = inputs->mask,
                                               .edges = e,
                                               .ablate_edges = config->ablate_edges};
        if (config->compatibility == QUARTIC_COMPATIBILITY_REFERENCE)
            node.scale = (float)sqrt((double)config->dim_head);
        quartic_value logits = {0}; // (b, h, i, j), for routed only
        if (quartic_nn_edge_form(config, layer) == QUARTIC_EDGE_ATTENTION_ROUTED) node.logits = &logits;
        quartic_hyper hyper;
        quartic_nn_push(nn, "layers.%u", layer);

        quartic_nn_push(nn, "0.0");
        node.normed = layer == 0 && streams > 1; /* all streams still equal x */
        quartic_value input = node.normed
                                  ? quartic_nn_hyper_begin_equal(nn, x, streams, 0, mixes, &hyper)
                                  : quartic_nn_hyper_begin(nn, residuals, streams, 2 * layer, mixes, &hyper);
        node.residual = hyper.residual;
        /* input and output (b, n, D) */
        quartic_value output = quartic_nn_node_attention(
            nn, input, &node, taps && taps->attention ? &taps->attention[layer] : NULL,
            config->static_edges ? NULL : &e);
        residuals = quartic_nn_hyper_end(nn, &hyper, output);
        quartic_nn_pop(nn);

        quartic_nn_push(nn, "0.1");
        input = quartic_nn_hyper_begin(nn, residuals, streams, 2 * layer + 1, mixes, &hyper);
        output = quartic_nn_feedforward(nn, input, hyper.residual, config->ff_mult, false);
        residuals = quartic_nn_hyper_end(nn, &hyper, output);
        quartic_nn_pop(nn);

        /* Ablated edges keep their weights in the model, but their values are not used. */
        if (!config->static_edges) {
            quartic_value updated = edge_layer(nn, config, layer, e, inputs->mask, logits);
            if (!config->ablate_edges) e = updated;
        }
        if (taps && taps->edges) taps->edges[layer] = e;
        quartic_nn_pop(nn);
    }
    x = quartic_nn_reduce_streams(nn, residuals, streams);
    if (config->static_edges && config->readout == QUARTIC_READOUT_EDGE) e = pairs_of_nodes(nn, config, x, e);
    x = quartic_nn_read_from(config, x, e);
    x = quartic_nn_read_out(nn, config, quartic_nn_rms(nn, x, "to_logits.0.scale"), inputs->mask);
    return quartic_nn_linear(nn, x, "to_logits.1", config->num_classes, false);
}

const quartic_family quartic_family_quartic = {
    .takes_graphs = true, .check = quartic_check, .build = quartic_build};
