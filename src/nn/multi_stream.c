/* multi_stream.c: MultiStreamTransformer, several streams of one sequence whose heads exchange.
 *
 * Streams share the weights of their layers (the default):
 *   x_s = token_emb_s[t] + pos_emb_s, or token_emb[t] + pos_emb + stream_emb_s
 *   per layer, all streams at once: x <- x + attention(x), the S H heads exchanging before and after softmax;
 *                                   x <- x + feedforward(x)
 *   logits = W rms(sum over s of x_s)
 * or each has its own (parallel_streams; Burtsev and Rumshisky 2021):
 *   x = first layer of token_emb[t] + pos_emb;  y_s = x through layers of stream s, exchanging as above
 *   logits = W rms(last layer of (sum over s of y_s, + x with stream_skip))
 * The diversity loss is summed over the layers of the streams.
 */
#include <math.h>

#include "nn/exchange.h"
#include "nn/models.h"

/* ---- what fits together ---- */

/* How many streams exchange among their heads. */
static uint32_t talking_streams(const quartic_model_config *config) {
    if (config->ablate_cross_stream_talking_heads) return 1;
    return config->compatibility == QUARTIC_COMPATIBILITY_REFERENCE ? 2 : config->num_streams;
}

static quartic_status multi_stream_check(const quartic_model_config *config) {
    const uint32_t streams = config->num_streams, talking = talking_streams(config);
    const bool exchanges =
        config->pre_talking_heads || config->post_talking_heads || config->residual_talking_heads;
    if (exchanges && streams % talking != 0)
        return quartic_fail(
            QUARTIC_INVALID_ARGUMENT,
            "compatibility \"reference\" with num_streams %u: in the published package always 2 streams "
            "exchange, so their number must be even; set ablate_cross_stream_talking_heads to true, another "
            "num_streams, or compatibility to \"default\"",
            streams);
    if (exchanges && talking * config->heads > QUARTIC_STREAM_EXCHANGE_MOST_HEADS)
        return quartic_fail(
            QUARTIC_INVALID_ARGUMENT,
            "%u streams of %u heads exchange among %u heads, and at most %d may; take fewer heads or "
            "streams, or set ablate_cross_stream_talking_heads to true",
            talking, config->heads, talking * config->heads, QUARTIC_STREAM_EXCHANGE_MOST_HEADS);
    const double choices = pow(config->heads, streams);
    if (config->diversity_loss > 0.0f && choices > QUARTIC_DIVERSITY_MOST_CHOICES)
        return quartic_fail(QUARTIC_INVALID_ARGUMENT,
                            "diversity_loss %g with %u streams of %u heads: it compares all %u^%u = %.3g "
                            "choices of one head per "
                            "stream, for a sequence of n tokens %.3g n^2 logarithms a layer; at most %d "
                            "choices are taken, so set "
                            "fewer heads or streams, or diversity_loss to 0",
                            (double)config->diversity_loss, streams, config->heads, config->heads, streams,
                            choices, choices, QUARTIC_DIVERSITY_MOST_CHOICES);
    return QUARTIC_OK;
}

/* ---- embeddings ---- */

static const quartic_init stream_init = {QUARTIC_INIT_NORMAL, 0.02f, 0};

/* Shared tables: (b, n, D). */
static quartic_value common_embedding(quartic_nn *nn, const quartic_model_config *config,
                                      quartic_value tokens) {
    const uint32_t n = quartic_graph_shape(nn->graph, tokens).dims[1];
    quartic_value x =
        quartic_nn_token_embedding(nn, "token_emb.weight", tokens, config->num_tokens, config->dim);
    quartic_value positions =
        quartic_nn_position_embedding(nn, "pos_emb.weight", n, config->max_seq_len, config->dim);
    return quartic_add(nn->graph, x, positions);
}

/* Tables of each stream, (S, V, D) and (S, L, D): (b, S, n, D). */
static quartic_value separate_embedding(quartic_nn *nn, const quartic_model_config *config,
                                        quartic_value tokens) {
    quartic_graph *graph = nn->graph;
    const quartic_shape shape = quartic_graph_shape(graph, tokens);
    const uint32_t b = shape.dims[0], n = shape.dims[1], count = config->num_tokens, dim = config->dim;
    const uint32_t streams = config->num_streams;
    quartic_value table =
        quartic_nn_parameter(nn, "token_emb", QUARTIC_SHAPE(streams, count, dim), stream_init);
    quartic_value positions =
        quartic_nn_parameter(nn, "pos_emb", QUARTIC_SHAPE(streams, config->max_seq_len, dim), stream_init);
    enum { JOINED = 8 }; /* as many as concat takes at once */
    quartic_value parts[JOINED], x = {0};
    uint32_t held = 0;
    for (uint32_t s = 0; s < streams; ++s) {
        quartic_value own = quartic_slice(graph, table, 0, s, 1); // (1, V, D)
        own = quartic_embedding(graph, quartic_reshape(graph, own, &QUARTIC_SHAPE(count, dim)), tokens);
        parts[held++] = quartic_reshape(graph, own, &QUARTIC_SHAPE(b, 1, n, dim));
        if (held < JOINED && s + 1 < streams) continue;
        x = held == 1 ? parts[0] : quartic_concat(graph, parts, held, 1); // (b, s + 1, n, D)
        parts[0] = x;
        held = 1;
    }
    return quartic_add(graph, x, quartic_slice(graph, positions, 1, 0, n));
}

/* The streams' first values (b, S, n, D). */
static quartic_value stream_embedding(quartic_nn *nn, const quartic_model_config *config,
                                      quartic_value tokens) {
    if (config->separate_stream_emb) return separate_embedding(nn, config, tokens);
    quartic_graph *graph = nn->graph;
    const quartic_shape shape = quartic_graph_shape(graph, tokens);
    const uint32_t streams = config->num_streams, dim = config->dim;
    quartic_value x = common_embedding(nn, config, tokens);
    quartic_value own = quartic_nn_parameter(nn, "stream_emb", QUARTIC_SHAPE(streams, dim), stream_init);
    return quartic_add(graph, quartic_reshape(graph, x, &QUARTIC_SHAPE(shape.dims[0], 1, shape.dims[1], dim)),
                       quartic_reshape(graph, own, &QUARTIC_SHAPE(streams, 1, dim)));
}

/* ---- layers ---- */

static float query_scale(const quartic_model_config *config) {
    const double width = sqrt((double)config->dim_head);
    return (float)(config->compatibility == QUARTIC_COMPATIBILITY_REFERENCE ? width : 1.0 / width);
}

/* The layers of the streams: x (w, r, D) as of exchange.h. */
static quartic_value stream_layers(quartic_nn *nn, const quartic_model_config *config,
                                   const quartic_streams *streams, quartic_value x, quartic_value mask,
                                   const quartic_model_taps *taps) {
    quartic_graph *graph = nn->graph;
    quartic_exchange_options options = {.heads = config->heads,
                                        .dim_head = config->dim_head,
                                        .scale = query_scale(config),
                                        .causal = config->causal,
                                        .mask = mask,
                                        .talking = talking_streams(config),
                                        .before = config->pre_talking_heads,
                                        .after = config->post_talking_heads,
                                        .feedforward = config->non_linear_talking_heads,
                                        .residual = config->residual_talking_heads};
    quartic_value diversity = {0};
    for (uint32_t layer = 0; layer < config->depth; ++layer) {
        quartic_value map, logits; // (b, S H, i, j)
        quartic_nn_push(nn, "layers.%u", layer);
        quartic_nn_push(nn, "0");
        x = quartic_nn_exchange_attention(nn, streams, x, &options, &map, &logits);
        quartic_nn_pop(nn);
        quartic_nn_push(nn, "1");
        x = quartic_nn_streams_feedforward(nn, streams, x, config->ff_mult);
        quartic_nn_pop(nn);
        quartic_nn_pop(nn);
        options.previous = logits;
        if (taps != NULL && taps->attention != NULL) taps->attention[layer] = map;
        if (taps != NULL && taps->diversity != NULL) {
            quartic_value own = quartic_diversity_loss(graph, map, config->num_streams);
            diversity = layer == 0 ? own : quartic_add(graph, diversity, own);
        }
    }
    if (taps != NULL && taps->diversity != NULL) *taps->diversity = diversity;
    return x;
}

/* A layer of the parallel form that all streams share, without exchange: x (1, b n, D) to the same. */
static quartic_value common_layer(quartic_nn *nn, const quartic_model_config *config, uint32_t b, uint32_t n,
                                  quartic_value x, quartic_value mask, const char *name) {
    const quartic_streams one = {.batch = b, .streams = 1, .length = n};
    const quartic_exchange_options options = {.heads = config->heads,
                                              .dim_head = config->dim_head,
                                              .scale = query_scale(config),
                                              .causal = config->causal,
                                              .mask = mask,
                                              .talking = 1};
    quartic_nn_push(nn, "%s", name);
    quartic_nn_push(nn, "0");
    x = quartic_nn_exchange_attention(nn, &one, x, &options, NULL, NULL);
    quartic_nn_pop(nn);
    quartic_nn_push(nn, "1");
    x = quartic_nn_streams_feedforward(nn, &one, x, config->ff_mult);
    quartic_nn_pop(nn);
    quartic_nn_pop(nn);
    return x;
}

/* ---- the two forms ---- */

/* Shared weights: the sum of the streams (b, n, D). */
static quartic_value shared_form(quartic_nn *nn, const quartic_model_config *config, uint32_t b, uint32_t n,
                                 const quartic_model_inputs *inputs, const quartic_model_taps *taps) {
    const uint32_t count = config->num_streams, dim = config->dim;
    const quartic_streams streams = {.batch = b, .streams = count, .length = n};
    quartic_nn_push(nn, "emb");
    quartic_value x = stream_embedding(nn, config, inputs->tokens); // (b, S, n, D)
    quartic_nn_pop(nn);
    x = quartic_reshape(nn->graph, x, &QUARTIC_SHAPE(1, b * count * n, dim));
    x = stream_layers(nn, config, &streams, x, inputs->mask, taps);
    x = quartic_reshape(nn->graph, x, &QUARTIC_SHAPE(b, count, n, dim));
    return count == 1 ? quartic_reshape(nn->graph, x, &QUARTIC_SHAPE(b, n, dim))
                      : quartic_sum(nn->graph, x, 1u << 1, 0);
}

/* Own weights per stream, between a first and a last layer that are shared: (b, n, D). */
static quartic_value parallel_form(quartic_nn *nn, const quartic_model_config *config, uint32_t b, uint32_t n,
                                   const quartic_model_inputs *inputs, const quartic_model_taps *taps) {
    quartic_graph *graph = nn->graph;
    const uint32_t count = config->num_streams, dim = config->dim;
    const quartic_streams streams = {.batch = b, .streams = count, .length = n, .own_weights = true};
    quartic_nn_push(nn, "emb");
    quartic_value first = common_embedding(nn, config, inputs->tokens); // (b, n, D)
    quartic_nn_pop(nn);
    first = quartic_reshape(graph, first, &QUARTIC_SHAPE(1, b * n, dim));
    first = common_layer(nn, config, b, n, first, inputs->mask, "first");
    quartic_value x = quartic_broadcast(graph, first, &QUARTIC_SHAPE(count, b * n, dim)); // (S, b n, D)
    if (count > 1) x = quartic_copy(graph, x);
    x = stream_layers(nn, config, &streams, x, inputs->mask, taps);
    if (count > 1) x = quartic_sum(graph, x, 1u << 0, 1); // (1, b n, D)
    if (config->stream_skip) x = quartic_add(graph, x, first);
    x = common_layer(nn, config, b, n, x, inputs->mask, "last");
    return quartic_reshape(graph, x, &QUARTIC_SHAPE(b, n, dim));
}

static quartic_value multi_stream_build(quartic_nn *nn, const quartic_model_config *config,
                                        const quartic_model_inputs *inputs, const quartic_model_taps *taps) {
    const quartic_shape shape = quartic_graph_shape(nn->graph, inputs->tokens);
    const uint32_t b = shape.dims[0], n = shape.dims[1];
    quartic_value x = config->parallel_streams ? parallel_form(nn, config, b, n, inputs, taps)
                                               : shared_form(nn, config, b, n, inputs, taps);
    x = quartic_nn_rms(nn, x, "to_logits.1.scale");
    return quartic_nn_linear(nn, x, "to_logits.2", config->num_tokens, false); // (b, n, V)
}

const quartic_family quartic_family_multi_stream = {
    .has_diversity = true, .check = multi_stream_check, .build = multi_stream_build};
