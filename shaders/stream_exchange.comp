#version 460
// stream_exchange.comp: y[o] = sum_h W[o, h] x[h] at every position. The tile is read before any of it is
// written, so y may lie where x lies.
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "stream_exchange.args.h"
#include "lib/streams.glsl"

layout(constant_id = 3) const uint TRANSPOSE = 0;

shared float tile[HEADS * COLUMNS];

void main() {
    uint group = linear_group();
    if (!one_of(group, args.groups)) return; // the whole workgroup
    Place place = place_of(group, args.tiles, args.positions);
    [[unroll]] for (uint k = 0; k < STEPS; ++k) {
        uint head = own_head(k);
        if (head < HEADS)
            tile[head * COLUMNS + own_column()] =
                place.inside ? args.x.at[place.base + min(head, HEADS - 1u) * args.positions] : 0.0;
    }
    barrier();
    float sums[STEPS];
    [[unroll]] for (uint k = 0; k < STEPS; ++k) sums[k] = 0.0;
    for (uint h = 0; h < HEADS; ++h) {
        float x = tile[h * COLUMNS + own_column()];
        [[unroll]] for (uint k = 0; k < STEPS; ++k) {
            uint o = min(own_head(k), HEADS - 1u), from = min(h, HEADS - 1u);
            sums[k] += args.weight.at[TRANSPOSE != 0 ? from * HEADS + o : o * HEADS + from] * x;
        }
    }
    [[unroll]] for (uint k = 0; k < STEPS; ++k)
        if (place.inside && own_head(k) < HEADS)
            args.y.at[place.base + own_head(k) * args.positions] = sums[k];
}
