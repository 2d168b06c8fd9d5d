/* streams.h: what the exchange ops share. They see a tensor (b, h, ..) as columns: all h heads at one place
 * of the other axes, of which there are b * positions. A column is read as a whole before it is written.
 *
 * On the GPU a workgroup takes a tile of neighbouring columns of one batch: COLUMNS of them, a power of two,
 * by 256 / COLUMNS lanes; lane l works on heads l, l + lanes, .. (shaders/lib/streams.glsl).
 */
#ifndef QUARTIC_OPS_STREAMS_H
#define QUARTIC_OPS_STREAMS_H

#include "ops/ops.h"
#include "quartic/graph.h"

enum {
    /* Elements of a tile: 4 KiB, so that a shader can hold three. It has at least two columns. */
    QUARTIC_STREAM_TILE = 2 * QUARTIC_STREAM_EXCHANGE_MOST_HEADS,
    QUARTIC_STREAM_INVOCATIONS = 256
};

typedef struct stream_exchange_attrs {
    uint32_t transpose; /* the weight's */
} stream_exchange_attrs;

typedef struct quartic_stream_extents {
    uint32_t batch, heads, positions; /* positions: product of all axes after the heads' */
} quartic_stream_extents;

static inline quartic_stream_extents quartic_stream_extents_of(const quartic_layout *x) {
    uint32_t batch = x->shape.dims[0], heads = x->shape.dims[1];
    return (quartic_stream_extents){batch, heads,
                                    (uint32_t)(quartic_layout_elements(x) / ((uint64_t)batch * heads))};
}

/* Columns of a tile. */
static inline uint32_t quartic_stream_columns(uint32_t heads) {
    uint32_t columns = 64;
    while (columns > 2 && columns * heads > QUARTIC_STREAM_TILE) columns /= 2;
    return columns;
}

/* Refuses an input that is not float32 (b, h, ..) with 1 to QUARTIC_STREAM_EXCHANGE_MOST_HEADS heads (in
 * stream_exchange.c). */
quartic_status quartic_stream_expect(const char *op, const quartic_op_call *call, uint32_t input);

/* Elements of a column that one lane works on. */
static inline uint32_t quartic_stream_steps(uint32_t heads) {
    const uint32_t lanes = QUARTIC_STREAM_INVOCATIONS / quartic_stream_columns(heads);
    return (heads + lanes - 1) / lanes;
}

/* The constants of lib/streams.glsl, for QUARTIC_SPEC. */
#define QUARTIC_STREAM_CONSTANTS(heads) (heads), quartic_stream_columns(heads), quartic_stream_steps(heads)

#endif
