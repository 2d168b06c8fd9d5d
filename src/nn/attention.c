/* attention.c: node attention with edges, Taylor attention, axial edge attention. See attention.h. */
#include "nn/attention.h"

#include <math.h>

/* Part `index` of three packed projections (3, b, h, n, d), with the axis kept so that it stays a view. */
static quartic_value packed_part(quartic_nn *nn, quartic_value packed, uint32_t index) {
    return quartic_slice(nn->graph, packed, 0, index, 1);
}

/* The bias of the logits: rms(e) W_b^T as (b, h, i j), where W_b is (h, De). The module's second bias b_b
 * adds a constant to each row of logits, also after the talking heads. Softmax cancels it, so its gradient is
 * exactly 0. b_b therefore enters with the factor 0: otherwise Adam would turn the rounding noise of that
 * gradient into full steps. out_bias: b_b as (h, 1), for callers that use the logits before softmax. */
static quartic_value edge_bias(quartic_nn *nn, quartic_value edges, uint32_t heads, quartic_value *out_bias) {
    quartic_graph *graph = nn->graph;
    quartic_shape shape = quartic_graph_shape(graph, edges);
    uint32_t b = shape.dims[0], pairs = shape.dims[1] * shape.dims[2], dim_edges = shape.dims[3];
    quartic_graph_begin_recompute(graph);
    quartic_value normed = quartic_nn_rms(nn, edges, "edges_to_attn_bias.0.scale"); // (b, i, j, De)
    quartic_graph_end_recompute(graph);
    quartic_value weight = quartic_nn_linear_weight(nn, edges, "edges_to_attn_bias.1", heads); // (H, De)
    quartic_value bias = quartic_nn_parameter(nn, "edges_to_attn_bias.1.bias", QUARTIC_SHAPE(heads),
                                              quartic_nn_linear_init(dim_edges));
    quartic_value nothing =
        quartic_reshape(graph, quartic_scale(graph, bias, 0.0f, 0.0f), &QUARTIC_SHAPE(heads, 1));
    *out_bias = quartic_reshape(graph, bias, &QUARTIC_SHAPE(heads, 1));
    quartic_matmul_options options = QUARTIC_MATMUL_OPTIONS_INIT;
    options.transpose_b = 1;
    normed = quartic_reshape(graph, normed, &QUARTIC_SHAPE(b, pairs, dim_edges));
    return quartic_matmul(graph, quartic_add(graph, weight, nothing), normed, &options); // (b, h, i j)
}

/* The weight of a 1 x 1 convolution over heads, (out, in, 1, 1), as (out, in). */
static quartic_value heads_weight(quartic_nn *nn, const char *name, uint32_t out, uint32_t in) {
    quartic_value weight =
        quartic_nn_parameter(nn, name, QUARTIC_SHAPE(out, in, 1, 1), quartic_nn_linear_init(in));
    return quartic_reshape(nn->graph, weight, &QUARTIC_SHAPE(out, in));
}

quartic_value quartic_nn_node_attention(quartic_nn *nn, quartic_value x,
                                        const quartic_node_attention_options *o, quartic_value *out_attention,
                                        quartic_value *out_edges) {
    quartic_graph *graph = nn->graph;
    quartic_shape shape = quartic_graph_shape(graph, x);
    const uint32_t b = shape.dims[0], n = shape.dims[1], dim = shape.dims[2], h = o->heads, d = o->dim_head;
    const float scale = o->scale != 0.0f ? o->scale : (float)(1.0 / sqrt((double)d));

    const quartic_init one = {QUARTIC_INIT_CONSTANT, 1.0f, 0};
    quartic_value normed = // (b, n, D)
        o->normed
            ? quartic_multiply(graph, x, quartic_nn_parameter(nn, "rmsnorm.scale", QUARTIC_SHAPE(dim), one))
            : quartic_nn_rms(nn, x, "rmsnorm.scale");
    quartic_value packed = quartic_nn_linear(nn, normed, "to_qkv.0", 3 * h * d, false); // (b, n, 3 h d)
    packed = quartic_reshape(graph, packed, &QUARTIC_SHAPE(b, n, 3, h, d));
    packed = quartic_permute(graph, packed, (const uint32_t[]){2, 0, 3, 1, 4}); // (3, b, h, n, d)
    quartic_value gates = quartic_nn_linear(nn, normed, "to_gates.0", h, true); // (b, n, h)
    gates = quartic_sigmoid(graph, gates);

    quartic_matmul_options score = QUARTIC_MATMUL_OPTIONS_INIT;
    score.transpose_b = 1;
    score.alpha = scale;
    quartic_value bias_term = {0}; // (h, 1)
    if (o->edges.id != 0) {
        quartic_value bias = edge_bias(nn, o->edges, h, &bias_term); // (b, h, i j)
        if (!o->ablate_edges) score.addend = quartic_reshape(graph, bias, &QUARTIC_SHAPE(1, b, h, n, n));
    }
    quartic_value sim = quartic_matmul(graph, packed_part(nn, packed, 0), packed_part(nn, packed, 1), &score);
    sim = quartic_reshape(graph, sim, &QUARTIC_SHAPE(b, h, n * n));
    const quartic_value talk = heads_weight(nn, "pre_talking_heads.weight", h, h); // (h, h)
    sim = quartic_matmul(graph, talk, sim, NULL);
    sim = quartic_reshape(graph, sim, &QUARTIC_SHAPE(b, h, n, n)); // (b, h, i, j)
    if (o->logits) {
        *o->logits = sim;
        if (bias_term.id != 0 && !o->ablate_edges) {
            const quartic_value mixed_bias = quartic_matmul(graph, talk, bias_term, NULL); // (h, 1)
            *o->logits = quartic_add(graph, sim, quartic_reshape(graph, mixed_bias, &QUARTIC_SHAPE(h, 1, 1)));
        }
    }
    quartic_value map = quartic_softmax(graph, sim, o->mask, o->causal); // (b, h, i, j)
    if (out_attention) *out_attention = map;
    map = quartic_nn_dropout(nn, map);

    if (o->edges.id != 0 && out_edges != NULL) {
        /* (b, i j, h) times (h, De), plus the edges */
        uint32_t dim_edges = quartic_graph_shape(graph, o->edges).dims[3];
        quartic_matmul_options mix = QUARTIC_MATMUL_OPTIONS_INIT;
        mix.transpose_a = mix.transpose_b = 1;
        mix.addend = quartic_reshape(graph, o->edges, &QUARTIC_SHAPE(b, n * n, dim_edges));
        quartic_value flat = quartic_reshape(graph, map, &QUARTIC_SHAPE(b, h, n * n)); // (b, h, i j)
        quartic_value edges = quartic_matmul(
            graph, flat, heads_weight(nn, "to_edges_out.0.weight", dim_edges, h), &mix); // (b, i j, De)
        *out_edges =
            o->ablate_edges ? o->edges : quartic_reshape(graph, edges, &QUARTIC_SHAPE(b, n, n, dim_edges));
    }

    map = quartic_reshape(graph, map, &QUARTIC_SHAPE(1, b, h, n, n));
    quartic_value mixed = quartic_matmul(graph, map, packed_part(nn, packed, 2), NULL); // (1, b, h, n, d)
    mixed = quartic_reshape(graph, mixed, &QUARTIC_SHAPE(b, h, n, d));
    mixed = quartic_permute(graph, mixed, (const uint32_t[]){0, 2, 1, 3}); // (b, n, h, d)
    quartic_value gated =
        quartic_multiply(graph, mixed, quartic_reshape(graph, gates, &QUARTIC_SHAPE(b, n, h, 1)));
    gated = quartic_reshape(graph, gated, &QUARTIC_SHAPE(b, n, h * d)); // (b, n, h d)
    return quartic_nn_project(nn, gated, quartic_nn_linear_weight(nn, gated, "to_out.1", dim), 1.0f,
                              o->residual);
}

quartic_value quartic_nn_taylor_attention(quartic_nn *nn, quartic_value x, quartic_value residual,
                                          const quartic_taylor_module_options *o) {
    quartic_graph *graph = nn->graph;
    quartic_shape shape = quartic_graph_shape(graph, x);
    const uint32_t b = shape.dims[0], r = shape.dims[1], c = shape.dims[2], dim = shape.dims[3];
    const uint32_t h = o->heads, d = o->dim_head;
    const quartic_shape per_head = QUARTIC_SHAPE(b, r, c, h, d);
    quartic_value gamma = quartic_nn_parameter(nn, "norm.gamma", QUARTIC_SHAPE(dim),
                                               (quartic_init){QUARTIC_INIT_CONSTANT, 1.0f, 0}); // (D)
    quartic_value to_q = quartic_nn_linear_weight(nn, x, "to_q.0", h * d);                      // (h d, D)
    quartic_value to_kv = quartic_nn_linear_weight(nn, x, "to_kv.0", 2 * h * d);                // (2 h d, D)
    quartic_value to_gates = quartic_nn_linear_weight(nn, x, "to_v_gates.0", h);                // (h, D)
    quartic_value to_out = quartic_nn_parameter(nn, "to_out.0.weight", QUARTIC_SHAPE(dim, h * d),
                                                quartic_nn_linear_init(h * d)); // (D, h d)

    /* q, k and v are h d / D times as wide as the edges. They have three separate weights, so that their
     * gradients need not be joined into a packed tensor, and the backward pass computes them again instead of
     * keeping them. One pass over the edges computes q, k, v and the gates; the gates read the edges without
     * the norm. */
    quartic_norm_linear_options project = {.l2 = 1, .raw = 1u << 3, .alpha = (float)(1.0 / sqrt((double)d))};
    const quartic_value weights[] = {to_q, quartic_slice(graph, to_kv, 0, 0, h * d),
                                     quartic_slice(graph, to_kv, 0, h * d, h * d), to_gates};
    quartic_value projected[4]; // q, k, v (b, r, c, h d), gates (b, r, c, h)
    quartic_graph_begin_recompute(graph);
    quartic_norm_linear(graph, x, gamma, weights, 4, &project, projected);
    for (uint32_t part = 0; part < 3; ++part)
        projected[part] = quartic_reshape(graph, projected[part], &per_head);
    quartic_graph_end_recompute(graph);

    quartic_value out = quartic_taylor_attention(graph, projected[0], projected[1], projected[2], o->mask,
                                                 &o->attention);       // (b, r, c, h, d)
    out = quartic_reshape(graph, out, &QUARTIC_SHAPE(b, r, c, h * d)); // (b, r, c, h d)
    return quartic_gated_linear(graph, out, projected[3], to_out, residual);
}

quartic_value quartic_nn_axial_attention(quartic_nn *nn, quartic_value e, const quartic_axial_options *o) {
    quartic_taylor_module_options taylor = {.heads = o->heads, .dim_head = o->dim_head, .mask = o->mask};
    taylor.attention.pair_mask = 1;
    taylor.attention.causal = o->causal;
    taylor.attention.axis = 2; /* along j for every row i */
    quartic_nn_push(nn, "row_attn");
    e = quartic_nn_taylor_attention(nn, e, e, &taylor);
    quartic_nn_pop(nn);
    taylor.attention.axis = 1; /* along i for every column j */
    quartic_nn_push(nn, "col_attn");
    e = quartic_nn_taylor_attention(nn, e, e, &taylor);
    quartic_nn_pop(nn);
    if (!o->diagonal) return e;
    quartic_node_attention_options node = {
        .heads = o->heads, .dim_head = o->dim_head, .causal = o->causal, .mask = o->mask};
    quartic_nn_push(nn, "diagonal_attn");
    quartic_value diagonal = quartic_diagonal(nn->graph, e, 1); // (b, n, De)
    e = quartic_diagonal_add(nn->graph, e, quartic_nn_node_attention(nn, diagonal, &node, NULL, NULL));
    quartic_nn_pop(nn);
    return e;
}
