/* layers.c: projections, norms, feedforward and embeddings. See layers.h. */
#include "nn/layers.h"

#include <math.h>
#include <stdio.h>

/* The last extent of a value, 1 for a scalar. */
static uint32_t last_dim(const quartic_nn *nn, quartic_value x) {
    quartic_shape shape = quartic_graph_shape(nn->graph, x);
    return shape.rank == 0 ? 1 : shape.dims[shape.rank - 1];
}

quartic_init quartic_nn_linear_init(uint32_t fan_in) {
    return (quartic_init){QUARTIC_INIT_UNIFORM, (float)(1.0 / sqrt((double)fan_in)), 0};
}

quartic_value quartic_nn_project(quartic_nn *nn, quartic_value x, quartic_value weight, float alpha,
                                 quartic_value addend) {
    quartic_shape shape = quartic_graph_shape(nn->graph, x);
    if (shape.rank == 0) return x; /* after an error, which the graph keeps */
    uint32_t in = last_dim(nn, x), out = quartic_graph_shape(nn->graph, weight).dims[0];
    uint32_t rows = (uint32_t)(quartic_shape_elements(&shape) / in);
    quartic_matmul_options options = QUARTIC_MATMUL_OPTIONS_INIT;
    options.transpose_b = 1;
    options.alpha = alpha;
    if (addend.id != 0) options.addend = quartic_reshape(nn->graph, addend, &QUARTIC_SHAPE(rows, out));
    quartic_value flat = quartic_reshape(nn->graph, x, &QUARTIC_SHAPE(rows, in));
    quartic_value y = quartic_matmul(nn->graph, flat, weight, &options); // (rows, out)
    shape.dims[shape.rank - 1] = out;
    return quartic_reshape(nn->graph, y, &shape);
}

quartic_value quartic_nn_linear_weight(quartic_nn *nn, quartic_value x, const char *name, uint32_t out) {
    char path[QUARTIC_PARAMETER_NAME];
    uint32_t in = last_dim(nn, x);
    snprintf(path, sizeof path, "%s.weight", name);
    return quartic_nn_parameter(nn, path, QUARTIC_SHAPE(out, in), quartic_nn_linear_init(in));
}

quartic_value quartic_nn_linear(quartic_nn *nn, quartic_value x, const char *name, uint32_t out,
                                bool biased) {
    quartic_value weight = quartic_nn_linear_weight(nn, x, name, out), bias = {0};
    if (biased) {
        char path[QUARTIC_PARAMETER_NAME];
        snprintf(path, sizeof path, "%s.bias", name);
        bias = quartic_nn_parameter(nn, path, QUARTIC_SHAPE(out), quartic_nn_linear_init(last_dim(nn, x)));
    }
    return quartic_linear(nn->graph, x, weight, bias);
}

quartic_value quartic_nn_rms(quartic_nn *nn, quartic_value x, const char *name) {
    quartic_value scale = quartic_nn_parameter(nn, name, QUARTIC_SHAPE(last_dim(nn, x)),
                                               (quartic_init){QUARTIC_INIT_CONSTANT, 1.0f, 0});
    return quartic_rms_norm(nn->graph, x, scale, nn->norm_eps);
}

quartic_value quartic_nn_feedforward(quartic_nn *nn, quartic_value x, quartic_value residual, uint32_t mult,
                                     bool recompute) {
    uint32_t dim = last_dim(nn, x);
    char norm[QUARTIC_PARAMETER_NAME];
    snprintf(norm, sizeof norm, "0.%s", nn->norm_weight);
    if (recompute && nn->dropout_seed.id == 0) {
        quartic_norm_linear_options options = {.eps = nn->norm_eps, .alpha = 1.0f};
        quartic_value scale = quartic_nn_parameter(nn, norm, QUARTIC_SHAPE(dim),
                                                   (quartic_init){QUARTIC_INIT_CONSTANT, 1.0f, 0});
        quartic_value expand = quartic_nn_linear_weight(nn, x, "1", mult * dim), inner; // (.., mult D)
        quartic_graph_begin_recompute(nn->graph);
        quartic_norm_linear(nn->graph, x, scale, &expand, 1, &options, &inner);
        quartic_graph_end_recompute(nn->graph);
        return quartic_gelu_linear(nn->graph, inner, quartic_nn_linear_weight(nn, inner, "4", dim), residual);
    }
    if (recompute) quartic_graph_begin_recompute(nn->graph);
    quartic_value normed = quartic_nn_rms(nn, x, norm);                           // (.., D)
    quartic_value hidden = quartic_nn_linear(nn, normed, "1", mult * dim, false); // (.., mult D)
    hidden = quartic_nn_dropout(nn, quartic_gelu(nn->graph, hidden));
    if (recompute) quartic_graph_end_recompute(nn->graph);
    return quartic_nn_project(nn, hidden, quartic_nn_linear_weight(nn, hidden, "4", dim), 1.0f, residual);
}

quartic_value quartic_nn_token_embedding(quartic_nn *nn, const char *name, quartic_value tokens,
                                         uint32_t count, uint32_t dim) {
    quartic_value table = quartic_nn_parameter(nn, name, QUARTIC_SHAPE(count, dim),
                                               (quartic_init){QUARTIC_INIT_NORMAL, 1.0f, 0});
    return quartic_embedding(nn->graph, table, tokens);
}

quartic_value quartic_nn_position_embedding(quartic_nn *nn, const char *name, uint32_t n, uint32_t count,
                                            uint32_t dim) {
    quartic_value table = quartic_nn_parameter(nn, name, QUARTIC_SHAPE(count, dim),
                                               (quartic_init){QUARTIC_INIT_NORMAL, 1.0f, 0});
    return quartic_slice(nn->graph, table, 0, 0, n);
}

/* W (R x_i + C x_j) = (W R) x_i + (W C) x_j: two products over n nodes instead of one over n^2 edges. */
quartic_value quartic_nn_edge_embedding(quartic_nn *nn, quartic_value x, uint32_t dim_edges) {
    quartic_graph *graph = nn->graph;
    quartic_shape shape = quartic_graph_shape(graph, x);
    uint32_t b = shape.dims[0], n = shape.dims[1];
    quartic_value to_rows = quartic_nn_linear_weight(nn, x, "to_rows", dim_edges); // (De, D)
    quartic_value to_cols = quartic_nn_linear_weight(nn, x, "to_cols", dim_edges); // (De, D)
    quartic_value to_edges = quartic_nn_parameter(
        nn, "to_edges.0.weight", QUARTIC_SHAPE(dim_edges, dim_edges), quartic_nn_linear_init(dim_edges));
    quartic_value weight = quartic_nn_parameter(nn, "to_edges.1.weight", QUARTIC_SHAPE(dim_edges),
                                                (quartic_init){QUARTIC_INIT_CONSTANT, 1.0f, 0});
    quartic_value bias = quartic_nn_parameter(nn, "to_edges.1.bias", QUARTIC_SHAPE(dim_edges),
                                              (quartic_init){QUARTIC_INIT_CONSTANT, 0.0f, 0});
    const quartic_value none = {0};
    /* rows and cols (b, n, De) */
    quartic_value rows = quartic_linear(graph, x, quartic_matmul(graph, to_edges, to_rows, NULL), none);
    quartic_value cols = quartic_linear(graph, x, quartic_matmul(graph, to_edges, to_cols, NULL), none);
    quartic_value edges =
        quartic_add(graph, quartic_reshape(graph, rows, &QUARTIC_SHAPE(b, n, 1, dim_edges)),
                    quartic_reshape(graph, cols, &QUARTIC_SHAPE(b, 1, n, dim_edges))); // (b, i, j, De)
    return quartic_layer_norm(graph, edges, weight, bias, QUARTIC_NORM_EPS);
}

/* The MLP sees each of the 2n - 1 differences once; the table is then spread over (i, j). */
quartic_value quartic_nn_position_bias(quartic_nn *nn, uint32_t n, uint32_t dim, uint32_t out) {
    quartic_graph *graph = nn->graph;
    quartic_value differences = quartic_range(graph, 2 * n - 1, 1.0f - (float)n, 1.0f); // (2n - 1)
    quartic_value x = quartic_reshape(graph, differences, &QUARTIC_SHAPE(2 * n - 1, 1));
    x = quartic_silu(graph, quartic_nn_linear(nn, x, "mlp.0.0", dim, true)); // (2n - 1, D)
    x = quartic_silu(graph, quartic_nn_linear(nn, x, "mlp.1.0", dim, true)); // (2n - 1, D)
    x = quartic_nn_linear(nn, x, "mlp.2", out, true);                        // (2n - 1, out)
    return quartic_relative_bias(graph, x);                                  // (i, j, out)
}
