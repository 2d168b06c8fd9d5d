/* edge_attention.c: attention over all edges of a graph: Taylor, full and routed. See edge_attention.h. */
#include "nn/edge_attention.h"

#include <math.h>

#include "nn/routed_choice.h"
#include "nn/attention.h"

quartic_value quartic_nn_taylor_edge_attention(quartic_nn *nn, quartic_value e, quartic_value residual,
                                               uint32_t heads, uint32_t dim_head, bool causal,
                                               quartic_value mask) {
    quartic_graph *graph = nn->graph;
    const quartic_shape shape = quartic_graph_shape(graph, e);
    const uint32_t b = shape.dims[0], edges = shape.dims[1] * shape.dims[2], dim = shape.dims[3];
    const quartic_shape sequence = QUARTIC_SHAPE(b, 1, edges, dim);
    quartic_taylor_module_options options = {.heads = heads, .dim_head = dim_head, .attention = {.axis = 2}};
    if (mask.id != 0 || causal) {
        const quartic_pair_mask_options pairs = {.causal = causal, .batch = b, .nodes = shape.dims[1]};
        options.mask =
            quartic_reshape(graph, quartic_pair_mask(graph, mask, &pairs), &QUARTIC_SHAPE(b, 1, edges));
    }
    e = quartic_reshape(graph, e, &sequence);
    if (!causal) {
        if (residual.id != 0) residual = quartic_reshape(graph, residual, &sequence);
        return quartic_reshape(graph, quartic_nn_taylor_attention(nn, e, residual, &options), &shape);
    }
    /* The edges of a node i form a block. Causality by blocks lets (i, j) see (k, l) where k <= i; of these
     * the mask leaves l <= k. */
    const quartic_value none = {0};
    options.attention.block = shape.dims[2];
    e = quartic_reshape(graph, quartic_nn_taylor_attention(nn, e, none, &options), &shape);
    e = quartic_edge_keep(graph, e, none, QUARTIC_EDGES_LOWER);
    return residual.id != 0 ? quartic_add(graph, residual, e) : e;
}

/* residual + gated softmax attention among m edges x (b, m, De); residual (b, m, De) or no value. positions
 * int32 (b, m): the index of each edge in its graph, negative for none, whose attention is 0; no value: x are
 * all edges, in order. nodes: n of the graph. */
static quartic_value edge_softmax_module(quartic_nn *nn, quartic_value x, quartic_value residual,
                                         quartic_value positions, uint32_t nodes,
                                         const quartic_full_edge_options *o) {
    quartic_graph *graph = nn->graph;
    const quartic_shape shape = quartic_graph_shape(graph, x);
    const uint32_t b = shape.dims[0], m = shape.dims[1], dim = shape.dims[2], h = o->heads, d = o->dim_head;
    const quartic_shape per_head = QUARTIC_SHAPE(b, m, h, d);
    const quartic_value none = {0};

    /* q, k and v are h d / De times as wide as the edges. They are three separate products, so that their
     * gradients need not be joined into a packed tensor, and the backward pass computes them again instead of
     * keeping them. */
    quartic_graph_begin_recompute(graph);
    quartic_value normed = quartic_nn_rms(nn, x, "norm_scale"); // (b, m, De)
    quartic_graph_end_recompute(graph);
    quartic_value to_qkv = quartic_nn_linear_weight(nn, x, "to_qkv", 3 * h * d); // (3 h d, De)
    quartic_value to_gates = quartic_nn_linear_weight(nn, x, "to_gates", h);     // (h, De)
    quartic_value gate_bias =
        quartic_nn_parameter(nn, "to_gates.bias", QUARTIC_SHAPE(h), quartic_nn_linear_init(dim)); // (h)
    quartic_value to_out = quartic_nn_parameter(nn, "to_out.weight", QUARTIC_SHAPE(dim, h * d),
                                                quartic_nn_linear_init(h * d)); // (De, h d)
    quartic_graph_begin_recompute(graph);
    quartic_value parts[3]; // q, k, v (b, m, h, d)
    for (uint32_t p = 0; p < 3; ++p) {
        quartic_value weight = quartic_slice(graph, to_qkv, 0, p * h * d, h * d); // (h d, De)
        parts[p] =
            quartic_nn_project(nn, normed, weight, p == 0 ? (float)(1.0 / sqrt((double)d)) : 1.0f, none);
        parts[p] = quartic_reshape(graph, parts[p], &per_head);
    }
    quartic_graph_end_recompute(graph);

    const quartic_edge_softmax_options attention = {.nodes = nodes, .causal = o->causal};
    quartic_value out =
        quartic_edge_softmax_attention(graph, parts[0], parts[1], parts[2], positions, o->mask,
                                       &attention); // (b, m, h, d)

    quartic_graph_begin_recompute(graph);
    quartic_value gates = quartic_sigmoid(graph, quartic_linear(graph, normed, to_gates, gate_bias));
    gates = quartic_reshape(graph, gates, &QUARTIC_SHAPE(b, m, h, 1)); // (b, m, h, 1)
    quartic_value gated = quartic_multiply(graph, out, gates);         // (b, m, h, d)
    gated = quartic_reshape(graph, gated, &QUARTIC_SHAPE(b, m, h * d));
    quartic_graph_end_recompute(graph);
    return quartic_nn_project(nn, gated, to_out, 1.0f, residual);
}

quartic_value quartic_nn_full_edge_attention(quartic_nn *nn, quartic_value e,
                                             const quartic_full_edge_options *options) {
    const quartic_shape shape = quartic_graph_shape(nn->graph, e);
    const uint32_t n = shape.dims[1];
    const quartic_value all = {0};
    e = quartic_reshape(nn->graph, e, &QUARTIC_SHAPE(shape.dims[0], n * shape.dims[2], shape.dims[3]));
    return quartic_reshape(nn->graph, edge_softmax_module(nn, e, e, all, n, options), &shape);
}

quartic_value quartic_nn_routed_edge_attention(quartic_nn *nn, quartic_value e, quartic_value sim,
                                               const quartic_routed_edge_options *o,
                                               quartic_value *out_weights, quartic_value *out_indices) {
    quartic_graph *graph = nn->graph;
    const quartic_shape shape = quartic_graph_shape(graph, e), logits = quartic_graph_shape(graph, sim);
    const uint32_t b = shape.dims[0], n = shape.dims[1], edges = n * n, h = logits.dims[1];
    const quartic_value none = {0};

    quartic_value to_route =
        quartic_nn_parameter(nn, "to_route", QUARTIC_SHAPE(h),
                             (quartic_init){QUARTIC_INIT_CONSTANT, h == 0 ? 0 : 1.0f / (float)h, 0});
    to_route = quartic_reshape(graph, to_route, &QUARTIC_SHAPE(1, h)); // (1, h)
    sim = quartic_reshape(graph, sim, &QUARTIC_SHAPE(b, h, edges));    // (b, h, n^2)
    quartic_value r = quartic_matmul(graph, to_route, sim, NULL);      // (b, 1, n^2)
    quartic_value seen = o->mask;
    if (o->causal) {
        const quartic_pair_mask_options visible = {.causal = 1, .batch = b, .nodes = n};
        seen = quartic_pair_mask(graph, o->mask, &visible); // (b, i, j)
    }
    r = quartic_reshape(graph, r, &QUARTIC_SHAPE(b, n, n)); // (b, i, j)
    const quartic_routed_choice_options options = {
        .routed = o->routed, .ratio = o->ratio, .by_row = o->causal, .descent = o->descent};
    const quartic_routed_choice choice = quartic_choose_routed(graph, r, o->mask, seen, &options);
    const quartic_value weights = choice.weights, indices = choice.indices; // (b, n^2), (b, places)

    const quartic_full_edge_options attention = {
        .heads = o->heads, .dim_head = o->dim_head, .causal = o->causal, .mask = o->mask};
    quartic_value all = quartic_reshape(graph, e, &QUARTIC_SHAPE(b, edges, shape.dims[3])); // (b, n^2, De)
    quartic_value chosen = quartic_gather_rows(graph, all, indices);                        // (b, places, De)
    quartic_nn_push(nn, "attn");
    quartic_value update = edge_softmax_module(nn, chosen, none, choice.positions, n, &attention);
    quartic_nn_pop(nn);
    quartic_value gate = quartic_reshape(graph, weights, &QUARTIC_SHAPE(b, edges, 1)); // (b, n^2, 1)
    gate = quartic_straight_through(graph, quartic_gather_rows(graph, gate, indices)); // (b, places, 1)
    update = quartic_multiply(graph, update, gate);                                    // (b, places, De)
    if (out_weights) *out_weights = weights;
    if (out_indices) *out_indices = indices;
    return quartic_reshape(graph, quartic_scatter_add_rows(graph, all, update, indices), &shape);
}
