#version 460
// stream_feedforward.comp: y = x + W2 gelu(W1 t) over the heads at every position, t = rms of the column. A
// tile is read before any of it is written, so y may lie where x lies.
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "stream_feedforward.args.h"
#include "lib/streams.glsl"
#include "lib/stream_feedforward.glsl"

void main() {
    uint group = linear_group();
    if (!one_of(group, args.groups)) return; // the whole workgroup
    Place place = place_of(group, args.tiles, args.positions);
    load_normed(place);
    float sums[STEPS];
    [[unroll]] for (uint k = 0; k < STEPS; ++k) sums[k] = 0.0;
    for (uint first = 0; first < args.hidden; first += UNITS) {
        float s[CHUNK];
        [[unroll]] for (uint k = 0; k < CHUNK; ++k) s[k] = 0.0;
        for (uint h = 0; h < HEADS; ++h) {
            float t = tile[h * COLUMNS + own_column()];
            [[unroll]] for (uint k = 0; k < CHUNK; ++k)
                s[k] +=
                    args.w1.at[min(first + chunk_place(k), args.hidden - 1u) * HEADS + min(h, HEADS - 1u)] *
                    t;
        }
        [[unroll]] for (uint k = 0; k < CHUNK; ++k)
            hidden[chunk_place(k) * COLUMNS + own_column()] =
                s[k] * approx_normal_cdf(s[k], approx_normal_bell(s[k]));
        barrier();
        uint units = min(UNITS, args.hidden - first);
        for (uint m = 0; m < units; ++m) {
            float a = hidden[m * COLUMNS + own_column()];
            [[unroll]] for (uint k = 0; k < STEPS; ++k)
                sums[k] +=
                    args.w2
                        .at[min(own_head(k), HEADS - 1u) * args.hidden + min(first + m, args.hidden - 1u)] *
                    a;
        }
        barrier(); // the chunk has been read
    }
    [[unroll]] for (uint k = 0; k < STEPS; ++k)
        if (place.inside && own_head(k) < HEADS)
            args.y.at[place.base + own_head(k) * args.positions] = x_own[k] + sums[k];
}
