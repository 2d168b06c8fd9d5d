#version 460
// taylor_quadratic.comp: Taylor attention in the quadratic form.
//     s_ij = q_i . k_j,   w_ij = 1 + s_ij + s_ij^2/2
//     z_i = max(sum_j w_ij, 1e-5),   out_i = sum_j w_ij v_j / z_i
//
// A group is one head of one sequence and a block of its queries; tiles and slices: lib/taylor_pairs.glsl.
// With SPLIT = 1 a thread holds ROWS queries, which halves what it reads of shared memory. No weight is ever
// stored.
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "taylor_quadratic.args.h"
#include "lib/taylor.glsl"
#include "lib/taylor_pairs.glsl"

layout(constant_id = 12) const uint ROWS = 1;

shared float parts[SPLIT == 1 ? 1 : THREADS * TILE];

void main() {
    const uint local = gl_LocalInvocationID.x, slice = local % SPLIT, lane = local / SPLIT;
    const uint blocks = (args.tokens + LANES * ROWS - 1) / (LANES * ROWS);
    uint group = linear_group();
    if (!one_of(group, args.units * blocks)) return; // the whole group
    const Unit unit = unit_at(group / blocks);
    const uint begin = group % blocks * (LANES * ROWS) + lane;
    const uint last = min(group % blocks * (LANES * ROWS) + LANES * ROWS, args.tokens) - 1;
    const uint key_end = min(key_end_of(unit), block_end(last));

    vec4 q[ROWS * Q4], sums[ROWS * V4];
    float total[ROWS];
    uint end[ROWS]; // of a query's keys
    [[unroll]] for (uint r = 0; r < ROWS; ++r) {
        const uint position =
            min(begin + r * LANES, args.tokens - 1); // surplus rows are computed, not stored
        end[r] = block_end(position);
        const int place = place_of(unit, position, args.q_strides);
        [[unroll]] for (uint c = 0; c < Q4; ++c)
            q[r * Q4 + c] = load4(args.q, place, Q_COMPONENT, (slice * Q4 + c) * 4, D);
        [[unroll]] for (uint e = 0; e < V4; ++e) sums[r * V4 + e] = vec4(0);
        total[r] = 0;
    }

    for (uint first = 0; first < key_end; first += TILE) {
        load_keys(unit, first, key_end);
        const uint count = min(TILE, key_end - first);
        if (SPLIT != 1) {
            for (uint key = 0; key < count; ++key) {
                float part = 0;
                [[unroll]] for (uint c = 0; c < Q4; ++c) part += dot(q[c], x_tile[at_x(key, slice) + c]);
                parts[key * THREADS + local] = part;
            }
            barrier();
        }
        for (uint key = 0; key < count; ++key) {
            float w[ROWS];
            [[unroll]] for (uint r = 0; r < ROWS; ++r) w[r] = 0;
            if (SPLIT == 1) {
                [[unroll]] for (uint c = 0; c < Q4; ++c) {
                    const vec4 k = x_tile[at_x(key, 0) + c];
                    [[unroll]] for (uint r = 0; r < ROWS; ++r) w[r] += dot(q[r * Q4 + c], k);
                }
            } else {
                for (uint other = 0; other < SPLIT; ++other)
                    w[0] += parts[key * THREADS + lane * SPLIT + other];
            }
            [[unroll]] for (uint r = 0; r < ROWS; ++r) {
                w[r] = one[key] + w[r] * (1 + 0.5 * w[r]);
                if (BLOCK != 0 && first + key >= end[r]) w[r] = 0;
                total[r] += w[r];
            }
            [[unroll]] for (uint e = 0; e < V4; ++e) {
                const vec4 v = y_tile[at_y(key, slice) + e];
                [[unroll]] for (uint r = 0; r < ROWS; ++r) sums[r * V4 + e] += w[r] * v;
            }
        }
        barrier();
    }

    [[unroll]] for (uint r = 0; r < ROWS; ++r) {
        const uint position = begin + r * LANES;
        if (position < args.tokens) {
            const uint row = row_of(unit, position);
            const float z = max(total[r], 1e-5);
            if (slice == 0) args.z.at[row] = z;
            [[unroll]] for (uint e = 0; e < V4; ++e)
                store4(args.result, row * DV, (slice * V4 + e) * 4, DV, sums[r * V4 + e] / z);
        }
    }
}
