#version 460
// stream_feedforward_grad.comp: the gradient of x.
//     d = (W2^T dy) gelu'(W1 t),   u = scale W1^T d,   dx = dy + (u - xhat mean(u xhat)) factor
// A tile is read before any of it is written, so dx may lie where x or dy lies.
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "stream_feedforward_grad.args.h"
#include "lib/streams.glsl"
#include "lib/stream_feedforward.glsl"

shared float dy_tile[HEADS * COLUMNS];

void main() {
    uint group = linear_group();
    if (!one_of(group, args.groups)) return; // the whole workgroup
    Place place = place_of(group, args.tiles, args.positions);
    float dy_own[STEPS];
    [[unroll]] for (uint k = 0; k < STEPS; ++k) {
        uint head = own_head(k);
        dy_own[k] = place.inside && head < HEADS
                        ? args.dy.at[place.base + min(head, HEADS - 1u) * args.positions]
                        : 0.0;
        if (head < HEADS) dy_tile[head * COLUMNS + own_column()] = dy_own[k];
    }
    float factor = load_normed(place);
    float u[STEPS];
    [[unroll]] for (uint k = 0; k < STEPS; ++k) u[k] = 0.0;
    for (uint first = 0; first < args.hidden; first += UNITS) {
        float s[CHUNK], da[CHUNK];
        [[unroll]] for (uint k = 0; k < CHUNK; ++k) {
            s[k] = 0.0;
            da[k] = 0.0;
        }
        for (uint h = 0; h < HEADS; ++h) {
            float t = tile[h * COLUMNS + own_column()], dy = dy_tile[h * COLUMNS + own_column()];
            [[unroll]] for (uint k = 0; k < CHUNK; ++k) {
                uint m = min(first + chunk_place(k), args.hidden - 1u);
                const uint head = min(h, HEADS - 1u);
                s[k] += args.w1.at[m * HEADS + head] * t;
                da[k] += args.w2.at[head * args.hidden + m] * dy;
            }
        }
        [[unroll]] for (uint k = 0; k < CHUNK; ++k) {
            float bell = approx_normal_bell(s[k]);
            hidden[chunk_place(k) * COLUMNS + own_column()] =
                da[k] * (approx_normal_cdf(s[k], bell) + s[k] * (bell * 0.39894228));
        }
        barrier();
        uint units = min(UNITS, args.hidden - first);
        for (uint m = 0; m < units; ++m) {
            float d = hidden[m * COLUMNS + own_column()];
            [[unroll]] for (uint k = 0; k < STEPS; ++k)
                u[k] +=
                    args.w1.at[min(first + m, args.hidden - 1u) * HEADS + min(own_head(k), HEADS - 1u)] * d;
        }
        barrier(); // the chunk has been read
    }
    // The tile now takes u xhat, to be added up over the column.
    [[unroll]] for (uint k = 0; k < STEPS; ++k) {
        uint head = own_head(k);
        if (!one_of(head, HEADS)) continue;
        u[k] *= args.scale.at[head];
        tile[head * COLUMNS + own_column()] = u[k] * (x_own[k] * factor);
    }
    barrier();
    float mean = 0.0;
    for (uint h = 0; h < HEADS; ++h) mean += tile[h * COLUMNS + own_column()];
    mean /= float(HEADS);
    [[unroll]] for (uint k = 0; k < STEPS; ++k)
        if (place.inside && own_head(k) < HEADS)
            args.dx.at[place.base + own_head(k) * args.positions] =
                dy_own[k] + factor * (u[k] - x_own[k] * factor * mean);
}
