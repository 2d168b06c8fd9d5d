#version 460
// taylor_apply_grad.comp: gradients of one side of the linear form, from the states of the other side.
//     P_f = state_f . (y, last);   for every feature f = (a, b): dx_a += P_f x_b,  dx_b += P_f x_a
//     for keys also dy = sum_f f(x) state_f
// (y, last) is (v, 1) of a key, (g / z, -D) of a query.
//
// A group is one head of one sequence and THREADS tokens of one span, whose extended vectors and their
// gradients it keeps in shared memory; the state passes through shared memory, TILE features at a time. A
// thread holds a token and V4 vec4s of its y and dy; P is linear in y, so wider values take several walks
// over the state.
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "taylor_apply_grad.args.h"
#include "lib/taylor.glsl"

layout(constant_id = 6) const uint SIDE = 0;
layout(constant_id = 7) const uint V4 = 4;
layout(constant_id = 8) const uint TILE = 32;
layout(constant_id = 9) const int X_COMPONENT = 1;
layout(constant_id = 10) const int Y_COMPONENT = 1;

#include "lib/taylor_features.glsl"

shared float x_rows[THREADS * WIDTH];
shared float dx_rows[THREADS * WIDTH];
shared vec4 state_tile[TILE * V4];
shared float ones[TILE];

void main() {
    const uint local = gl_LocalInvocationID.x;
    const uint slices = (DV + 4 * V4 - 1) / (4 * V4);
    const uint spans = (args.tokens + args.span - 1) / args.span;
    const uint blocks = (args.span + THREADS - 1) / THREADS; // of a span
    uint group = linear_group();
    if (!one_of(group, args.unit_count * spans * blocks)) return; // the whole group
    const uint span = group / blocks % spans, index_of_unit = group / blocks / spans;
    const Unit unit = unit_at(args.first_unit + index_of_unit);
    const uint begin = span * args.span + group % blocks * THREADS, position = begin + local;
    const uint end = min((span + 1) * args.span, args.tokens);
    const uint state = (index_of_unit * args.parts + span) * F * STATE_ROW;

    bool seen = position < end;
    if (SIDE == KEYS) {
        seen = position < min(end, key_end_of(unit));
        if (seen) seen = is_visible(unit, min(position, args.tokens - 1));
    }
    x_rows[local * WIDTH] = seen ? 1.0 : 0.0;
    for (uint component = 0; component < WIDTH; ++component) dx_rows[local * WIDTH + component] = 0;
    barrier();
    for (uint index = local; index < THREADS * D; index += THREADS) {
        const uint token = index / D, component = index % D;
        float number = 0;
        if (x_rows[token * WIDTH] != 0)
            number = args.x.at[place_of(unit, min(begin + token, args.tokens - 1), args.x_strides) +
                               int(component) * X_COMPONENT];
        x_rows[token * WIDTH + 1 + component] = number;
    }
    const uint row = row_of(unit, min(position, args.tokens - 1));
    float scale = 1, last = 1;
    if (SIDE == QUERIES) {
        scale = args.terms.at[2 * row];
        last = -args.terms.at[2 * row + 1];
    }

    const uint own = local * WIDTH;
    for (uint slice = 0; slice < slices; ++slice) {
        vec4 y[V4], dy[V4];
        [[unroll]] for (uint e = 0; e < V4; ++e) {
            y[e] = vec4(0);
            if (seen)
                y[e] = scale * load4(args.y, place_of(unit, min(position, args.tokens - 1), args.y_strides),
                                     Y_COMPONENT, (slice * V4 + e) * 4, DV);
            dy[e] = vec4(0);
        }
        uvec2 pair = uvec2(0);
        for (uint first = 0; first < F; first += TILE) {
            const uint count = min(TILE, F - first);
            barrier();
            for (uint index = local; index < count * V4; index += THREADS)
                state_tile[index] = load4(args.state, int(state + min(first + index / V4, F - 1) * STATE_ROW),
                                          1, (slice * V4 + index % V4) * 4, DV);
            for (uint index = local; index < count; index += THREADS) {
                ones[index] = 0; // the last column counts once, in the first walk
                if (slice == 0)
                    ones[index] = args.state.at[state + min(first + index, F - 1) * STATE_ROW + DV];
            }
            barrier();
            for (uint f = 0; f < count; ++f) {
                const float xa = x_rows[own + pair.x], xb = x_rows[own + pair.y];
                float product = ones[f] * last;
                [[unroll]] for (uint e = 0; e < V4; ++e) {
                    const vec4 s = state_tile[f * V4 + e];
                    product += dot(s, y[e]);
                    if (SIDE == KEYS) dy[e] += xa * xb * s;
                }
                dx_rows[own + pair.x] += product * xb;
                dx_rows[own + pair.y] += product * xa;
                pair = next_pair(pair);
            }
        }
        if (SIDE == KEYS && position < end)
            [[unroll]] for (uint e = 0; e < V4; ++e)
                store4(args.dy, row * DV, (slice * V4 + e) * 4, DV, dy[e]);
    }

    barrier();
    for (uint index = local; index < THREADS * D; index += THREADS) {
        const uint token = index / D, component = index % D;
        if (begin + token < end)
            args.dx.at[row_of(unit, begin + token) * D + component] = dx_rows[token * WIDTH + 1 + component];
    }
}
