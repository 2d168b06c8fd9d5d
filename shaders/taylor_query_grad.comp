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

layout(constant_id = 13) const int G_COMPONENT = 1;

shared vec2 parts[SPLIT == 1 ? 1 : THREADS * TILE]; // of s and of a . v

void main() {
    const uint local = gl_LocalInvocationID.x, slice = local % SPLIT, lane = local / SPLIT;
    const uint blocks = (args.tokens + LANES * ROWS - 1) / (LANES * ROWS);
    uint group = linear_group();
    if (!one_of(group, args.units * blocks)) return; // the whole group
    const Unit unit = unit_at(group / blocks);
    const uint begin = group % blocks * (LANES * ROWS) + lane;
    const uint last = min(group % blocks * (LANES * ROWS) + LANES * ROWS, args.tokens) - 1;
    const uint key_end = min(key_end_of(unit), block_end(last));

    vec4 q[ROWS * Q4], dq[ROWS * Q4], a[ROWS * V4];
    float delta[ROWS];
    uint end[ROWS]; // of a query's keys
    [[unroll]] for (uint r = 0; r < ROWS; ++r) {
        const uint position =
            min(begin + r * LANES, args.tokens - 1); // surplus rows are computed, not stored
        const uint row = row_of(unit, position);
        const int place = place_of(unit, position, args.q_strides);
        const float inverse = args.terms.at[2 * row];
        delta[r] = args.terms.at[2 * row + 1];
        end[r] = block_end(position);
        [[unroll]] for (uint c = 0; c < Q4; ++c) {
            q[r * Q4 + c] = load4(args.q, place, Q_COMPONENT, (slice * Q4 + c) * 4, D);
            dq[r * Q4 + c] = vec4(0);
        }
        [[unroll]] for (uint e = 0; e < V4; ++e)
            a[r * V4 + e] = inverse * load4(args.g, int(row * DV), G_COMPONENT, (slice * V4 + e) * 4, DV);
    }

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
            vec2 sum[ROWS];
            [[unroll]] for (uint r = 0; r < ROWS; ++r) sum[r] = vec2(0);
            if (SPLIT ==
                1) { // v first: the registers that hold it are free when k comes, which stays to the end
                [[unroll]] for (uint e = 0; e < V4; ++e) {
                    const vec4 v = y_tile[at_y(key, 0) + e];
                    [[unroll]] for (uint r = 0; r < ROWS; ++r) sum[r].y += dot(a[r * V4 + e], v);
                }
                [[unroll]] for (uint c = 0; c < Q4; ++c) {
                    const vec4 k = x_tile[at_x(key, 0) + c];
                    [[unroll]] for (uint r = 0; r < ROWS; ++r) sum[r].x += dot(q[r * Q4 + c], k);
                }
            } else {
                for (uint other = 0; other < SPLIT; ++other)
                    sum[0] += parts[key * THREADS + lane * SPLIT + other];
            }
            float slope[ROWS];
            [[unroll]] for (uint r = 0; r < ROWS; ++r) {
                slope[r] = (sum[r].y - delta[r]) * (1 + sum[r].x);
                if (BLOCK != 0 && first + key >= end[r]) slope[r] = 0;
            }
            [[unroll]] for (uint c = 0; c < Q4; ++c) {
                const vec4 k = x_tile[at_x(key, slice) + c];
                [[unroll]] for (uint r = 0; r < ROWS; ++r) dq[r * Q4 + c] += slope[r] * k;
            }
        }
        barrier();
    }

    [[unroll]] for (uint r = 0; r < ROWS; ++r) {
        const uint position = begin + r * LANES;
        if (position < args.tokens)
            [[unroll]] for (uint c = 0; c < Q4; ++c)
                store_row4(args.dq, row_of(unit, position), (slice * Q4 + c) * 4, D, dq[r * Q4 + c]);
    }
}
