/* exchange.h: layers of several streams computed together, and the exchange among their heads. See
 * docs/models.md.
 *
 * All streams are rows of one tensor x (w, r, D), so that a layer is one matrix product per weight:
 *     shared weights           w = 1, r = b S n, rows in the order (b, s, n)
 *     own weights per stream   w = S, r = b n, and each weight has a leading axis S
 * Logits and maps of attention are (b, S H, i, j), stream by stream.
 */
#ifndef QUARTIC_NN_EXCHANGE_H
#define QUARTIC_NN_EXCHANGE_H

#include "nn/layers.h"

typedef struct quartic_streams {
    uint32_t batch, streams, length;
    bool own_weights;
} quartic_streams;

typedef struct quartic_exchange_options {
    uint32_t heads, dim_head;
    float scale; /* of the queries */
    bool causal;
    quartic_value mask; /* int32 (b, n), for every stream, or no value */
    uint32_t talking;   /* streams whose heads exchange with each other: all, 1 (none) or some in between */
    bool before, after; /* softmax: whether heads exchange there */
    bool feedforward;   /* the exchange is a feedforward instead of a matrix */
    bool residual;      /* the mixed logits of the layer before are added to the logits */
    quartic_value previous; /* logits of the layer before (b, S H, i, j), or no value */
} quartic_exchange_options;

/* x + attention(x), x (w, r, D). out_map (may be NULL): the maps (b, S H, i, j) after softmax, before dropout
 * and exchange. out_logits (may be NULL): the logits (b, S H, i, j) after their exchange. */
quartic_value quartic_nn_exchange_attention(quartic_nn *nn, const quartic_streams *streams, quartic_value x,
                                            const quartic_exchange_options *options, quartic_value *out_map,
                                            quartic_value *out_logits);

/* x + W2 drop(gelu(W1 rms(x))), x (w, r, D). */
quartic_value quartic_nn_streams_feedforward(quartic_nn *nn, const quartic_streams *streams, quartic_value x,
                                             uint32_t mult);

#endif
