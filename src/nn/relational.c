/* relational.c: RelationalTransformer, nodes whose attention sees their edges, and edges that see their
 * nodes.
 *
 *   x = token_emb[t] + pos_emb;  e_ij = LayerNorm(W (R x_i + C x_j))
 * per layer:
 *   x <- x + relational attention(x, e)
 *   x <- x + feedforward(x)
 *   e_ij <- e_ij + proj [x_i, x_j, e_ij, e_ji], of the normed values (causal: without e_ji)
 *   edges attend to edges, if the configuration asks for it (edge_forms.h)
 *   e <- e + feedforward(e)
 * logits = W rms(x)
 *
 * Other inputs and read-outs: inputs.h.
 *
 * All norms have eps 2^-23. compatibility "reference": q comes from node j, the scale is dh^(1/2), and there
 * is no final norm.
 */
#include <math.h>

#include "nn/edge_forms.h"
#include "nn/inputs.h"
#include "nn/models.h"

static quartic_status relational_check(const quartic_model_config *config) {
    return quartic_nn_check_edge_forms(config);
}

/* Part 0, 1, 2 (query, key, value) of a packed weight (3 h d, in): (h d, in). */
static quartic_value packed_weight_part(quartic_nn *nn, quartic_value packed, uint32_t part, uint32_t rows) {
    return quartic_slice(nn->graph, packed, 0, part * rows, rows);
}

/* x (b, n, D) and e (b, i, j, De) to x plus attention. out_logits: (b, h, i, j) before the mask; out_map (may
 * be NULL): the same after softmax. */
static quartic_value relational_attention(quartic_nn *nn, const quartic_model_config *config, quartic_value x,
                                          quartic_value e, quartic_value mask, quartic_value *out_logits,
                                          quartic_value *out_map) {
    quartic_graph *graph = nn->graph;
    const quartic_shape shape = quartic_graph_shape(graph, x);
    const uint32_t b = shape.dims[0], n = shape.dims[1], h = config->heads, d = config->dim_head;
    const bool reference = config->compatibility == QUARTIC_COMPATIBILITY_REFERENCE;
    const quartic_relational_options options = {
        .scale = (float)(reference ? sqrt((double)d) : 1.0 / sqrt((double)d)),
        .query_from_sender = reference};

    quartic_value normed = quartic_nn_rms(nn, x, "norm.weight"); // (b, n, D)
    quartic_graph_begin_recompute(graph);
    quartic_value edges = quartic_nn_rms(nn, e, "edges_norm.weight"); // (b, i, j, De)
    quartic_graph_end_recompute(graph);
    const quartic_value to_qkv = quartic_nn_linear_weight(nn, normed, "to_qkv.0", 3 * h * d);
    const quartic_value to_edges_qkv = quartic_nn_linear_weight(nn, edges, "to_edges_qkv.0", 3 * h * d);
    const quartic_value none = {0};
    quartic_value node[3], edge[3]; // (b, n, h, d) and (h, d, De)
    for (uint32_t part = 0; part < 3; ++part) {
        node[part] = quartic_nn_project(nn, normed, packed_weight_part(nn, to_qkv, part, h * d), 1.0f, none);
        node[part] = quartic_reshape(graph, node[part], &QUARTIC_SHAPE(b, n, h, d));
        edge[part] = quartic_reshape(graph, packed_weight_part(nn, to_edges_qkv, part, h * d),
                                     &QUARTIC_SHAPE(h, d, config->dim_edges));
    }
    /* map (b, h, i, j) */
    quartic_value map = quartic_relational_scores(graph, node[0], node[1], edges, edge[0], edge[1], &options);
    *out_logits = map;
    map = quartic_softmax(graph, map, mask, config->causal); // (b, h, i, j)
    if (out_map) *out_map = map;
    map = quartic_nn_dropout(nn, map);
    quartic_value out = quartic_relational_values(graph, map, node[2], edges, edge[2]); // (b, n, h, d)
    out = quartic_reshape(graph, out, &QUARTIC_SHAPE(b, n, h * d));
    return quartic_nn_project(nn, out, quartic_nn_linear_weight(nn, out, "to_out.1", config->dim), 1.0f, x);
}

/* e_ij + proj [x_i, x_j, e_ij, e_ji]: e (b, i, j, De), x (b, n, D). The projection of a concatenation is a
 * sum of projections: the parts of the nodes are computed once per node, and nothing is concatenated. */
static quartic_value nodes_to_edges(quartic_nn *nn, const quartic_model_config *config, quartic_value x,
                                    quartic_value e) {
    quartic_graph *graph = nn->graph;
    const quartic_shape shape = quartic_graph_shape(graph, x);
    const uint32_t b = shape.dims[0], n = shape.dims[1], dim = config->dim, dim_edges = config->dim_edges;
    const uint32_t in = 2 * dim + (config->causal ? 1 : 2) * dim_edges;
    quartic_value nodes = quartic_nn_rms(nn, x, "node_norm.weight"); // (b, n, D)
    quartic_graph_begin_recompute(graph);
    quartic_value edges = quartic_nn_rms(nn, e, "edges_norm.weight"); // (b, i, j, De)
    quartic_graph_end_recompute(graph);
    const quartic_value weight = quartic_nn_parameter(nn, "proj.weight", QUARTIC_SHAPE(dim_edges, in),
                                                      quartic_nn_linear_init(in)); // (De, in)
    const quartic_value bias =
        quartic_nn_parameter(nn, "proj.bias", QUARTIC_SHAPE(dim_edges), quartic_nn_linear_init(in)); // (De)
    const quartic_value none = {0};

    quartic_value receiver = quartic_linear(graph, nodes, quartic_slice(graph, weight, 1, 0, dim), bias);
    quartic_value sender = quartic_linear(graph, nodes, quartic_slice(graph, weight, 1, dim, dim), none);
    receiver = quartic_reshape(graph, receiver, &QUARTIC_SHAPE(b, n, 1, dim_edges)); // (b, i, 1, De)
    sender = quartic_reshape(graph, sender, &QUARTIC_SHAPE(b, 1, n, dim_edges));     // (b, 1, j, De)
    e = quartic_nn_project(nn, edges, quartic_slice(graph, weight, 1, 2 * dim, dim_edges), 1.0f, e);
    e = quartic_add(graph, e, quartic_add(graph, receiver, sender)); // (b, i, j, De)
    if (config->causal) return e;
    quartic_value reverse = quartic_slice(graph, weight, 1, 2 * dim + dim_edges, dim_edges);
    reverse = quartic_nn_project(nn, edges, reverse, 1.0f, none); // (b, j, i, De)
    return quartic_add(graph, e, quartic_permute(graph, reverse, (const uint32_t[]){0, 2, 1, 3}));
}

static quartic_value relational_build(quartic_nn *nn, const quartic_model_config *config,
                                      const quartic_model_inputs *inputs, const quartic_model_taps *taps) {
    nn->norm_weight = "weight";
    nn->norm_eps = 0x1p-23f;

    quartic_value x = quartic_nn_nodes(nn, config, inputs); // (b, n, D)
    quartic_nn_push(nn, "to_edge_emb");
    quartic_value e = quartic_nn_edge_embedding(nn, x, config->dim_edges); // (b, i, j, De)
    quartic_nn_pop(nn);
    e = quartic_nn_given_edges(nn, config, inputs, e);

    for (uint32_t layer = 0; layer < config->depth; ++layer) {
        quartic_nn_push(nn, "layers.%u", layer);
        quartic_nn_push(nn, "0.0");
        quartic_value logits; // (b, h, i, j)
        x = relational_attention(nn, config, x, e, inputs->mask, &logits,
                                 taps && taps->attention ? &taps->attention[layer] : NULL);
        quartic_nn_pop(nn);
        quartic_nn_push(nn, "0.1");
        x = quartic_nn_feedforward(nn, x, x, config->ff_mult, false);
        quartic_nn_pop(nn);
        quartic_nn_push(nn, "1.0");
        e = nodes_to_edges(nn, config, x, e);
        e = quartic_nn_edge_attention(nn, config, quartic_nn_edge_form(config, layer), e, inputs->mask,
                                      logits);
        quartic_nn_pop(nn);
        quartic_nn_push(nn, "1.1");
        e = quartic_nn_feedforward(nn, e, e, config->ff_mult, true);
        quartic_nn_pop(nn);
        if (taps && taps->edges) taps->edges[layer] = e;
        quartic_nn_pop(nn);
    }
    x = quartic_nn_read_from(config, x, e);
    quartic_value normed = quartic_nn_rms(nn, x, "final_norm.weight"); // a weight in both compatibilities
    if (config->compatibility == QUARTIC_COMPATIBILITY_DEFAULT) x = normed;
    x = quartic_nn_read_out(nn, config, x, inputs->mask);
    return quartic_nn_linear(nn, x, "to_logits", config->num_classes, false);
}

const quartic_family quartic_family_relational = {
    .takes_graphs = true, .check = relational_check, .build = relational_build};
