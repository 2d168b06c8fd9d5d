// stream_feedforward.glsl: what the feedforward over heads' shaders share on top of streams.glsl: hidden
// units are computed UNITS at a time, CHUNK by each lane, and lie in shared memory as (UNITS, COLUMNS) until
// all lanes of the column have added them up.
#include "lib/functions.h"
#include "lib/norm_squares.glsl"

const uint CHUNK = 4u;
const uint UNITS = CHUNK * LANES;

shared float tile[HEADS * COLUMNS];   // t
shared float hidden[UNITS * COLUMNS]; // of the chunk at hand

float x_own[STEPS]; // the invocation's own heads of x

// Fills x_own and leaves t = x factor scale in the tile; returns factor = 1 / sqrt(mean x^2 + eps). Barriers
// inside.
float load_normed(Place place) {
    [[unroll]] for (uint k = 0; k < STEPS; ++k) {
        uint head = own_head(k);
        x_own[k] = place.inside && head < HEADS
                       ? args.x.at[place.base + min(head, HEADS - 1u) * args.positions]
                       : 0.0;
        if (head < HEADS) tile[head * COLUMNS + own_column()] = x_own[k];
    }
    barrier();
    vec2 squares = vec2(0.0);
    for (uint h = 0; h < HEADS; ++h) {
        squares += both_squares(tile[h * COLUMNS + own_column()]);
    }
    float factor = factor_of_squares(squares, float(HEADS), args.eps, false);
    barrier(); // every lane has the sum
    [[unroll]] for (uint k = 0; k < STEPS; ++k) {
        uint head = own_head(k);
        if (head < HEADS)
            tile[head * COLUMNS + own_column()] = x_own[k] * factor * args.scale.at[min(head, HEADS - 1u)];
    }
    barrier();
    return factor;
}

// Where unit number k of the lane lies in its chunk.
uint chunk_place(uint k) {
    return own_lane() + k * LANES;
}
