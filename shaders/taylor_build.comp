#version 460
// taylor_build.comp: the states of the linear form.
//     state_f = sum over the tokens of a part of c_f f(x) (y, last),   c_f = 1/2 for squares, else 1
// (y, last) is (v, 1) of a key, (g / z, -D) of a query.
//
// A group is one head of one sequence, a part of its tokens, THREADS * ROWS features and a slice of V4 vec4s
// of y. Tokens pass through shared memory, TILE at a time; a thread sums ROWS features in registers.
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "taylor_build.args.h"
#include "lib/taylor.glsl"

layout(constant_id = 6) const uint SIDE = 0;
layout(constant_id = 7) const uint V4 = 4;
layout(constant_id = 8) const uint TILE = 16;
layout(constant_id = 9) const int X_COMPONENT = 1;
layout(constant_id = 10) const int Y_COMPONENT = 1;
layout(constant_id = 11) const uint ROWS = 1;

#include "lib/taylor_features.glsl"

shared float x_tile[TILE * WIDTH];
shared vec4 y_tile[TILE * V4];
shared float last[TILE];

void load_tile(Unit unit, uint first, uint end, uint slice) {
    const uint local = gl_LocalInvocationID.x;
    for (uint index = local; index < TILE; index += THREADS) {
        const uint position = min(first + index, args.tokens - 1);
        bool seen = false;
        if (first + index < end) seen = SIDE == QUERIES || is_visible(unit, position);
        x_tile[index * WIDTH] = seen ? 1.0 : 0.0;
        last[index] = seen ? 1.0 : 0.0;
        if (SIDE == QUERIES && seen) last[index] = -args.terms.at[2 * row_of(unit, position) + 1];
    }
    barrier();
    for (uint index = local; index < TILE * FOURS; index += THREADS) {
        const uint token = index / FOURS, component = index % FOURS * 4;
        vec4 four = vec4(0);
        if (x_tile[token * WIDTH] != 0)
            four = load4(args.x, place_of(unit, min(first + token, args.tokens - 1), args.x_strides),
                         X_COMPONENT, component, D);
        [[unroll]] for (uint k = 0; k < 4; ++k)
            if (component + k < D) x_tile[token * WIDTH + 1 + component + k] = four[k];
    }
    for (uint index = local; index < TILE * V4; index += THREADS) {
        const uint token = index / V4, position = min(first + token, args.tokens - 1);
        y_tile[index] = vec4(0);
        if (x_tile[token * WIDTH] != 0) {
            y_tile[index] = load4(args.y, place_of(unit, position, args.y_strides), Y_COMPONENT,
                                  (slice * V4 + index % V4) * 4, DV);
            if (SIDE == QUERIES) y_tile[index] *= args.terms.at[2 * row_of(unit, position)];
        }
    }
    barrier();
}

void main() {
    const uint local = gl_LocalInvocationID.x;
    const uint slices = (DV + 4 * V4 - 1) / (4 * V4), blocks = (F + THREADS * ROWS - 1) / (THREADS * ROWS);
    uint group = linear_group();
    if (!one_of(group, args.unit_count * args.parts * blocks * slices)) return; // the whole group
    const uint slice = group % slices, block = group / slices % blocks, piece = group / slices / blocks;
    const Unit unit = unit_at(args.first_unit + piece / args.parts);
    const uint begin = piece % args.parts * args.part_tokens;
    uint end = min(begin + args.part_tokens, args.tokens);
    if (SIDE == KEYS) end = min(end, key_end_of(unit));

    uint a[ROWS], b[ROWS];
    float weight[ROWS], ones[ROWS];
    vec4 sums[ROWS * V4];
    [[unroll]] for (uint r = 0; r < ROWS; ++r) {
        const uint feature = block * THREADS * ROWS + r * THREADS + local;
        const uvec2 pair = pair_of(min(feature, F - 1));
        a[r] = pair.x;
        b[r] = pair.y;
        weight[r] = pair.x == pair.y && pair.x > 0 ? 0.5 : 1.0;
        ones[r] = 0;
        [[unroll]] for (uint e = 0; e < V4; ++e) sums[r * V4 + e] = vec4(0);
    }

    for (uint first = begin; first < end; first += TILE) {
        load_tile(unit, first, end, slice);
        const uint count = min(TILE, end - first);
        for (uint token = 0; token < count; ++token) {
            float product[ROWS];
            [[unroll]] for (uint r = 0; r < ROWS; ++r) {
                product[r] = weight[r] * x_tile[token * WIDTH + a[r]] * x_tile[token * WIDTH + b[r]];
                ones[r] += product[r] * last[token];
            }
            [[unroll]] for (uint e = 0; e < V4; ++e) {
                const vec4 y = y_tile[token * V4 + e];
                [[unroll]] for (uint r = 0; r < ROWS; ++r) sums[r * V4 + e] += product[r] * y;
            }
        }
        barrier();
    }

    [[unroll]] for (uint r = 0; r < ROWS; ++r) {
        const uint feature = block * THREADS * ROWS + r * THREADS + local;
        if (feature < F) {
            if (slice == 0) args.state.at[piece * STATE + ONES + feature] = ones[r];
            [[unroll]] for (uint e = 0; e < V4; ++e) {
                const uint four = slice * V4 + e;
                if (four < VALUES)
                    quad_store(args.state, piece * STATE + (feature * VALUES + four) * 4, sums[r * V4 + e]);
            }
        }
    }
}
