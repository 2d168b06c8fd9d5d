/* inputs.c: tokens or node features, given edges, read-outs. See inputs.h. */
#include "nn/inputs.h"

quartic_value quartic_nn_nodes(quartic_nn *nn, const quartic_model_config *config,
                               const quartic_model_inputs *inputs) {
    quartic_value x;
    if (config->dim_node_features == 0)
        x = quartic_nn_token_embedding(nn, "token_emb.weight", inputs->tokens, config->num_tokens,
                                       config->dim);
    else
        x = quartic_nn_linear(nn, inputs->node_features, "node_feature_emb", config->dim, true);
    if (!config->positions) return x;
    const uint32_t n = quartic_graph_shape(nn->graph, x).dims[1];
    return quartic_add(nn->graph, x,
                       quartic_nn_position_embedding(nn, "pos_emb.weight", n, config->max_seq_len,
                                                     config->dim)); // (b, n, D)
}

quartic_value quartic_nn_given_edges(quartic_nn *nn, const quartic_model_config *config,
                                     const quartic_model_inputs *inputs, quartic_value e) {
    if (config->num_edge_types != 0)
        e = quartic_add(nn->graph, e,
                        quartic_nn_token_embedding(nn, "edge_type_emb.weight", inputs->edge_types,
                                                   config->num_edge_types, config->dim_edges));
    if (config->dim_edge_features != 0)
        e = quartic_add(
            nn->graph, e,
            quartic_nn_linear(nn, inputs->edge_features, "edge_feature_emb", config->dim_edges, true));
    return e;
}

/* The mask as numbers, (b, 1, n): the rows 0 and 1 of a table. */
static quartic_value mask_numbers(quartic_graph *graph, quartic_value mask) {
    const quartic_shape shape = quartic_graph_shape(graph, mask);
    quartic_value table = quartic_reshape(graph, quartic_range(graph, 2, 0.0f, 1.0f), &QUARTIC_SHAPE(2, 1));
    return quartic_reshape(graph, quartic_embedding(graph, table, mask),
                           &QUARTIC_SHAPE(shape.dims[0], 1, shape.dims[1]));
}

quartic_value quartic_nn_read_out(quartic_nn *nn, const quartic_model_config *config, quartic_value normed,
                                  quartic_value mask) {
    if (config->readout != QUARTIC_READOUT_GRAPH) return normed;
    quartic_graph *graph = nn->graph;
    const quartic_shape shape = quartic_graph_shape(graph, normed);
    const uint32_t b = shape.dims[0], n = shape.dims[1], dim = shape.dims[2];
    if (mask.id == 0)
        return quartic_scale(graph, quartic_sum(graph, normed, 1u << 1, 0), 1.0f / (float)n, 0.0f); // (b, D)
    const quartic_value real = mask_numbers(graph, mask);             // (b, 1, n)
    const quartic_value count = quartic_sum(graph, real, 1u << 2, 1); // (b, 1, 1)
    const quartic_value mean = quartic_divide(graph, quartic_matmul(graph, real, normed, NULL), count);
    return quartic_reshape(graph, mean, &QUARTIC_SHAPE(b, dim));
}
