#version 460
// taylor_query_grad.comp: gradient of the queries in the quadratic form.
//     s_ij = q_i . k_j,   a_i = g_i / z_i,   ds_ij = (a_i . v_j - D_i)(1 + s_ij),   dq_i = sum_j ds_ij k_j
//
// A group is one head of one sequence and a block of its queries; tiles and slices: lib/taylor_pairs.glsl. A
// hidden key is a row of zeros, which adds nothing.
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "taylor_query_grad.args.h"
#include "lib/taylor.glsl"
#include "lib/taylor_pairs.glsl"

shared vec2 parts[SPLIT == 1 ? 1 : THREADS * TILE]; // of s and of a . v

void main() {
    const uint local = gl_LocalInvocationID.x, slice = local % SPLIT, lane = local / SPLIT;
    const uint blocks = (args.tokens + LANES - 1) / LANES;
    uint group = linear_group();
    if (!one_of(group, args.units * blocks)) return; // the whole group
    const Unit unit = unit_at(group / blocks);
    const uint position = group % blocks * LANES + lane;
    const uint row = row_of(unit, min(position, args.tokens - 1)); // surplus rows are computed, not stored
    const int place = place_of(unit, min(position, args.tokens - 1), args.q_strides);
    const uint last = min(group % blocks * LANES + LANES, args.tokens) - 1;
    const uint key_end = min(key_end_of(unit), block_end(last));
    const uint end = block_end(min(position, args.tokens - 1)); // of this query's keys
    const float inverse = args.terms.at[2 * row], delta = args.terms.at[2 * row + 1];

    vec4 q[Q4], dq[Q4], a[V4];
    [[unroll]] for (uint c = 0; c < Q4; ++c) {
        q[c] = load4(args.q, place, Q_COMPONENT, (slice * Q4 + c) * 4, D);
        dq[c] = vec4(0);
    }
    [[unroll]] for (uint e = 0; e < V4; ++e)
        a[e] = inverse * load4(args.g, int(row * DV), 1, (slice * V4 + e) * 4, DV);

    for (uint first = 0; first < key_end; first += TILE) {
        load_keys(unit, first, key_end);
        const uint count = min(TILE, key_end - first);
        if (SPLIT != 1) {
            for (uint key = 0; key < count; ++key) {
                vec2 part = vec2(0);
                [[unroll]] for (uint c = 0; c < Q4; ++c) part.x += dot(q[c], x_tile[at_x(key, slice) + c]);
                [[unroll]] for (uint e = 0; e < V4; ++e) part.y += dot(a[e], y_tile[at_y(key, slice) + e]);
                parts[key * THREADS + local] = part;
            }
            barrier();
        }
        for (uint key = 0; key < count; ++key) {
            vec2 sum = vec2(0);
            if (SPLIT == 1) {
                [[unroll]] for (uint c = 0; c < Q4; ++c) sum.x += dot(q[c], x_tile[at_x(key, 0) + c]);
                [[unroll]] for (uint e = 0; e < V4; ++e) sum.y += dot(a[e], y_tile[at_y(key, 0) + e]);
            } else {
                for (uint other = 0; other < SPLIT; ++other)
                    sum += parts[key * THREADS + lane * SPLIT + other];
            }
            float slope = (sum.y - delta) * (1 + sum.x);
            if (BLOCK != 0 && first + key >= end) slope = 0;
            [[unroll]] for (uint c = 0; c < Q4; ++c) dq[c] += slope * x_tile[at_x(key, slice) + c];
        }
        barrier();
    }

    if (position < args.tokens)
        [[unroll]] for (uint c = 0; c < Q4; ++c) store4(args.dq, row * D, (slice * Q4 + c) * 4, D, dq[c]);
}
