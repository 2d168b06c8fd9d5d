#version 460
// taylor_apply.comp: Taylor attention in the linear form, from the states of the keys.
//     (numerator, sum)_i = sum_f f(q_i) state_f,   z_i = max(sum_i, 1e-5),   out_i = numerator_i / z_i
//
// A group is one head of one sequence and THREADS * ROWS queries of one span, whose extended vectors it keeps
// in shared memory; the state passes through shared memory, TILE features at a time. A thread holds ROWS
// queries and V4 vec4s of their numerators; wider values take several walks over the state.
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "taylor_apply.args.h"
#include "lib/taylor.glsl"

layout(constant_id = 6) const uint V4 = 4;
layout(constant_id = 7) const uint TILE = 32;
layout(constant_id = 8) const int Q_COMPONENT = 1;
layout(constant_id = 9) const uint ROWS = 1;

#include "lib/taylor_features.glsl"

shared float x_rows[THREADS * ROWS * WIDTH];
shared vec4 state_tile[TILE * V4];
shared float ones[TILE];

void main() {
    const uint local = gl_LocalInvocationID.x;
    const uint slices = (DV + 4 * V4 - 1) / (4 * V4);
    const uint spans = (args.tokens + args.span - 1) / args.span;
    const uint blocks = (args.span + THREADS * ROWS - 1) / (THREADS * ROWS); // of a span
    uint group = linear_group();
    if (!one_of(group, args.unit_count * spans * blocks)) return; // the whole group
    const uint span = group / blocks % spans, index_of_unit = group / blocks / spans;
    const Unit unit = unit_at(args.first_unit + index_of_unit);
    const uint begin = span * args.span + group % blocks * THREADS * ROWS;
    const uint end = min((span + 1) * args.span, args.tokens);
    const uint state = (index_of_unit * args.parts + span) * STATE;

    for (uint index = local; index < THREADS * ROWS; index += THREADS) x_rows[index * WIDTH] = 1;
    for (uint index = local; index < THREADS * ROWS * FOURS; index += THREADS) {
        const uint token = index / FOURS, component = index % FOURS * 4;
        const vec4 four = load4(args.q, place_of(unit, min(begin + token, args.tokens - 1), args.q_strides),
                                Q_COMPONENT, component, D);
        [[unroll]] for (uint k = 0; k < 4; ++k)
            if (component + k < D) x_rows[token * WIDTH + 1 + component + k] = four[k];
    }

    for (uint slice = 0; slice < slices; ++slice) {
        vec4 sums[ROWS * V4];
        float total[ROWS];
        [[unroll]] for (uint r = 0; r < ROWS; ++r) {
            total[r] = 0;
            [[unroll]] for (uint e = 0; e < V4; ++e) sums[r * V4 + e] = vec4(0);
        }
        uvec2 pair = uvec2(0);
        for (uint first = 0; first < F; first += TILE) {
            const uint count = min(TILE, F - first);
            barrier();
            for (uint index = local; index < count * V4; index += THREADS)
                state_tile[index] =
                    state_quad(args.state, state, min(first + index / V4, F - 1), slice * V4 + index % V4);
            for (uint index = local; index < count; index += THREADS)
                ones[index] = args.state.at[state + ONES + min(first + index, F - 1)];
            barrier();
            for (uint f = 0; f < count; ++f) {
                float feature[ROWS];
                [[unroll]] for (uint r = 0; r < ROWS; ++r) {
                    const uint row = (r * THREADS + local) * WIDTH;
                    feature[r] = x_rows[row + pair.x] * x_rows[row + pair.y];
                    total[r] += feature[r] * ones[f];
                }
                [[unroll]] for (uint e = 0; e < V4; ++e) {
                    const vec4 s = state_tile[f * V4 + e];
                    [[unroll]] for (uint r = 0; r < ROWS; ++r) sums[r * V4 + e] += feature[r] * s;
                }
                pair = next_pair(pair);
            }
        }
        [[unroll]] for (uint r = 0; r < ROWS; ++r) {
            const uint position = begin + r * THREADS + local;
            if (position < end) {
                const uint row = row_of(unit, position);
                const float z = max(total[r], 1e-5);
                if (slice == 0) args.z.at[row] = z;
                [[unroll]] for (uint e = 0; e < V4; ++e)
                    store_row4(args.result, row, (slice * V4 + e) * 4, DV, sums[r * V4 + e] / z);
            }
        }
    }
}
