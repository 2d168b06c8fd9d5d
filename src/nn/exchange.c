/* exchange.c: attention of all streams, with exchange among their heads, and their feedforward. See
 * exchange.h.
 *
 * A training step keeps two tensors (b, S H, i, j) per layer: the logits of queries and keys, which the
 * gradient of the first exchange needs, and the maps after softmax. It computes the others again in the
 * backward pass. Without gradients each op works in place, in the memory of the op before.
 */
#include "nn/exchange.h"

#include <math.h>
#include <stdio.h>

/* ---- weights with or without an axis of streams ---- */

/* The weight (S, out, in) or (out, in). */
static quartic_value stream_matrix(quartic_nn *nn, const quartic_streams *s, const char *name, uint32_t out,
                                   uint32_t in) {
    const quartic_shape shape = s->own_weights ? QUARTIC_SHAPE(s->streams, out, in) : QUARTIC_SHAPE(out, in);
    return quartic_nn_parameter(nn, name, shape, quartic_nn_linear_init(in));
}

/* A vector in the shape that adds to and multiplies rows: (S, 1, D), or (D). */
static quartic_value stream_vector(quartic_nn *nn, const quartic_streams *s, const char *name, uint32_t width,
                                   quartic_init init) {
    if (!s->own_weights) return quartic_nn_parameter(nn, name, QUARTIC_SHAPE(width), init);
    quartic_value weight = quartic_nn_parameter(nn, name, QUARTIC_SHAPE(s->streams, width), init);
    return quartic_reshape(nn->graph, weight, &QUARTIC_SHAPE(s->streams, 1, width));
}

/* x / root mean square * scale: x (w, r, D). */
static quartic_value stream_rms(quartic_nn *nn, const quartic_streams *s, quartic_value x, const char *name,
                                uint32_t dim) {
    const quartic_value none = {0};
    quartic_value scale = stream_vector(nn, s, name, dim, (quartic_init){QUARTIC_INIT_CONSTANT, 1.0f, 0});
    if (!s->own_weights) return quartic_rms_norm(nn->graph, x, scale, QUARTIC_NORM_EPS);
    return quartic_multiply(nn->graph, quartic_rms_norm(nn->graph, x, none, QUARTIC_NORM_EPS), scale);
}

/* x W^T + addend: x (w, r, K), W (w, N, K) or (N, K); addend (w, r, N) or no value. */
static quartic_value stream_project(quartic_nn *nn, quartic_value x, quartic_value weight,
                                    quartic_value addend) {
    quartic_matmul_options options = QUARTIC_MATMUL_OPTIONS_INIT;
    options.transpose_b = 1;
    options.addend = addend;
    return quartic_matmul(nn->graph, x, weight, &options);
}

quartic_value quartic_nn_streams_feedforward(quartic_nn *nn, const quartic_streams *s, quartic_value x,
                                             uint32_t mult) {
    const uint32_t dim = quartic_graph_shape(nn->graph, x).dims[2];
    const quartic_value none = {0};
    quartic_value normed = stream_rms(nn, s, x, "0.scale", dim); // (w, r, D)
    quartic_value hidden =
        stream_project(nn, normed, stream_matrix(nn, s, "1.weight", mult * dim, dim), none); // (w, r, mult D)
    hidden = quartic_nn_dropout(nn, quartic_gelu(nn->graph, hidden));
    return stream_project(nn, hidden, stream_matrix(nn, s, "4.weight", dim, mult * dim), x);
}

/* ---- exchange ---- */

/* x (b, S H, i, j) in the shape of the exchange ops, (groups, C, i, j): the C heads of a group exchange. */
static quartic_value group_exchanging_heads(quartic_nn *nn, const quartic_streams *s,
                                            const quartic_exchange_options *o, quartic_value x) {
    const uint32_t groups = s->batch * (s->streams / o->talking), heads = o->talking * o->heads;
    return quartic_reshape(nn->graph, x, &QUARTIC_SHAPE(groups, heads, s->length, s->length));
}

/* The weight (C, C) of a linear exchange. */
static quartic_value exchange_matrix(quartic_nn *nn, const quartic_exchange_options *o, const char *name) {
    const uint32_t heads = o->talking * o->heads;
    quartic_value weight = quartic_nn_parameter(nn, name, QUARTIC_SHAPE(heads, heads, 1, 1),
                                                (quartic_init){QUARTIC_INIT_IDENTITY, 0.0f, 0});
    return quartic_reshape(nn->graph, weight, &QUARTIC_SHAPE(heads, heads));
}

/* x (b, S H, i, j), the heads of each `talking` neighbouring streams mixed by the weights below `name`. */
static quartic_value exchange_heads(quartic_nn *nn, const quartic_streams *s,
                                    const quartic_exchange_options *o, quartic_value x, const char *name) {
    quartic_graph *graph = nn->graph;
    const quartic_shape maps = quartic_graph_shape(graph, x);
    const uint32_t heads = o->talking * o->heads;
    quartic_nn_push(nn, "%s", name);
    x = group_exchanging_heads(nn, s, o, x);
    if (o->feedforward) {
        quartic_value scale = quartic_nn_parameter(nn, "fn.0.scale", QUARTIC_SHAPE(heads),
                                                   (quartic_init){QUARTIC_INIT_CONSTANT, 1.0f, 0});
        quartic_value w1 = quartic_nn_parameter(nn, "fn.1.weight", QUARTIC_SHAPE(2 * heads, heads, 1, 1),
                                                quartic_nn_linear_init(heads));
        quartic_value w2 = quartic_nn_parameter(nn, "fn.4.weight", QUARTIC_SHAPE(heads, 2 * heads, 1, 1),
                                                (quartic_init){QUARTIC_INIT_CONSTANT, 0.0f, 0});
        w1 = quartic_reshape(graph, w1, &QUARTIC_SHAPE(2 * heads, heads));
        w2 = quartic_reshape(graph, w2, &QUARTIC_SHAPE(heads, 2 * heads));
        /* x (groups, C, i, j), scale (C), w1 (2 C, C), w2 (C, 2 C) */
        x = quartic_stream_feedforward(graph, x, scale, w1, w2, QUARTIC_NORM_EPS);
    } else {
        x = quartic_stream_exchange(graph, x, exchange_matrix(nn, o, "weight"));
    }
    quartic_nn_pop(nn);
    return quartic_reshape(graph, x, &maps);
}

/* q, k or v of packed (3, b, S, H, n, d). */
static quartic_value packed_stream_part(quartic_nn *nn, quartic_value packed, uint32_t part) {
    return quartic_slice(nn->graph, packed, 0, part, 1);
}

/* Permutations, [0] with shared weights and [1] with own weights per stream:
 *     to_parts  (outer, inner, n, 3, H, d) to (3, b, S, H, n, d)
 *     to_rows   (b, S, H, n, d) to (outer, inner, n, H, d)
 * where (outer, inner) is (b, S) with shared weights, (S, b) with own ones. */
static const uint32_t to_parts[2][6] = {{3, 0, 1, 4, 2, 5}, {3, 1, 0, 4, 2, 5}},
                      to_rows[2][5] = {{0, 1, 3, 2, 4}, {1, 0, 3, 2, 4}};

quartic_value quartic_nn_exchange_attention(quartic_nn *nn, const quartic_streams *s, quartic_value x,
                                            const quartic_exchange_options *o, quartic_value *out_map,
                                            quartic_value *out_logits) {
    quartic_graph *graph = nn->graph;
    const quartic_shape shape = quartic_graph_shape(graph, x); // (w, r, D)
    const uint32_t dim = shape.dims[2], b = s->batch, n = s->length, h = o->heads, d = o->dim_head;
    const uint32_t outer = s->own_weights ? s->streams : b, inner = s->own_weights ? b : s->streams;
    const quartic_shape maps = QUARTIC_SHAPE(b, s->streams * h, n, n),
                        split_maps = QUARTIC_SHAPE(1, b, s->streams, h, n, n);
    const quartic_value none = {0};

    quartic_value normed = stream_rms(nn, s, x, "rmsnorm.scale", dim); // (w, r, D)
    quartic_value packed =
        stream_project(nn, normed, stream_matrix(nn, s, "to_qkv.0.weight", 3 * h * d, dim), none);
    packed = quartic_reshape(graph, packed, &QUARTIC_SHAPE(outer, inner, n, 3, h, d));
    packed = quartic_permute(graph, packed, to_parts[s->own_weights]); // (3, b, S, H, n, d)
    quartic_value gates =
        stream_project(nn, normed, stream_matrix(nn, s, "to_gates.0.weight", h, dim), none); // (w, r, H)
    gates = quartic_sigmoid(
        graph,
        quartic_add(graph, gates, stream_vector(nn, s, "to_gates.0.bias", h, quartic_nn_linear_init(dim))));

    quartic_matmul_options score = QUARTIC_MATMUL_OPTIONS_INIT;
    score.transpose_b = 1;
    score.alpha = o->scale;
    if (o->residual) {
        /* All layers have the same weights, so the first one has this weight too, though it has nothing to
         * mix. */
        const quartic_value weight = exchange_matrix(nn, o, "residual_talking_heads.weight");
        if (o->previous.id != 0) {
            quartic_value before =
                quartic_stream_exchange(graph, group_exchanging_heads(nn, s, o, o->previous), weight);
            score.addend = quartic_reshape(graph, before, &split_maps);
        }
    }
    quartic_value logits =
        quartic_matmul(graph, packed_stream_part(nn, packed, 0), packed_stream_part(nn, packed, 1), &score);
    logits = quartic_reshape(graph, logits, &maps); // (b, S H, i, j)
    if (o->before) {
        quartic_graph_begin_recompute(graph);
        logits = exchange_heads(nn, s, o, logits, "pre_talking_heads");
        quartic_graph_end_recompute(graph);
    }
    if (out_logits != NULL) *out_logits = logits;
    quartic_value map = quartic_softmax(graph, logits, o->mask, o->causal); // (b, S H, i, j)
    if (out_map != NULL) *out_map = map;
    quartic_graph_begin_recompute(graph);
    map = quartic_nn_dropout(nn, map);
    if (o->after) map = exchange_heads(nn, s, o, map, "post_talking_heads");
    quartic_graph_end_recompute(graph);

    map = quartic_reshape(graph, map, &split_maps);
    quartic_value mixed =
        quartic_matmul(graph, map, packed_stream_part(nn, packed, 2), NULL); // (1, b, S, H, n, d)
    mixed = quartic_reshape(graph, mixed, &QUARTIC_SHAPE(b, s->streams, h, n, d));
    mixed = quartic_permute(graph, mixed, to_rows[s->own_weights]); // (outer, inner, n, H, d)
    quartic_value gated =
        quartic_multiply(graph, mixed, quartic_reshape(graph, gates, &QUARTIC_SHAPE(outer, inner, n, h, 1)));
    gated = quartic_reshape(graph, gated, &QUARTIC_SHAPE(shape.dims[0], shape.dims[1], h * d)); // (w, r, H d)
    return stream_project(nn, gated, stream_matrix(nn, s, "to_out.1.weight", dim, h * d), x);
}
