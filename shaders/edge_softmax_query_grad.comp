#version 460
// edge_softmax_query_grad.comp: gradient of the queries, summed over the keys j that query i sees.
//     p_ij = exp(s_ij - lse_i),   ds_ij = p_ij (g_i . v_j - delta_i),   dq_i = sum_j ds_ij k_j
//
// A group is one head of one graph and a block of its queries; tiles and slices: lib/edge_softmax.glsl.
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "edge_softmax_query_grad.args.h"
#include "lib/edge_softmax.glsl"

// Parts of s and of g . v; their sum lies at the first slice of a row.
shared vec2 parts[SPLIT == 1 ? 1 : THREADS * TILE];

// A slice's part of s and of g . v.
vec2 products(uint token, uint slice, vec4 x[D4], vec4 y[D4]) {
    vec2 sum = vec2(0);
    [[unroll]] for (uint c = 0; c < D4; ++c) {
        sum.x += dot(x[c], x_tile[at_tile(token, slice) + c]);
        sum.y += dot(y[c], y_tile[at_tile(token, slice) + c]);
    }
    return sum;
}

void main() {
    const uint local = gl_LocalInvocationID.x, slice = local % SPLIT, lane = local / SPLIT,
               first_slice = local - slice;
    const uint blocks = (args.tokens + LANES - 1) / LANES;
    uint group = linear_group();
    if (!one_of(group, args.units * blocks)) return; // the whole group
    const Unit unit = unit_at(group / blocks);
    const uint block = group % blocks * LANES, token = block + lane;
    const uint near = min(token, args.tokens - 1), row = row_of(unit, near); // surplus rows are not stored
    const int limit = limit_of_query(unit, token), block_limit = greatest_limit_of_block(unit, block, LANES);
    const float lse = args.terms.at[2 * row], delta = args.terms.at[2 * row + 1];

    vec4 q[D4], g[D4], dq[D4];
    [[unroll]] for (uint c = 0; c < D4; ++c) {
        q[c] = four_of(args.q, args.q_strides, unit, near, (slice * D4 + c) * 4);
        g[c] = four_at(args.g, int(row * D), 1, (slice * D4 + c) * 4);
        dq[c] = vec4(0);
    }

    for (uint first = 0; first < args.tokens; first += TILE) {
        if (least_row(unit, first) > block_limit) continue; // the whole group
        load_keys(unit, first);
        if (SPLIT != 1) {
            for (uint step = 0; step < TILE; step += UNROLL)
                [[unroll]] for (uint u = 0; u < UNROLL; ++u)
                    parts[(step + u) * THREADS + local] = products(step + u, slice, q, g);
            barrier();
            for (uint key = slice; key < TILE; key += SPLIT) {
                vec2 sum = vec2(0);
                [[unroll]] for (uint other = 0; other < SPLIT; ++other)
                    sum += parts[key * THREADS + first_slice + other];
                parts[key * THREADS + first_slice] = sum;
            }
            barrier();
        }
        for (uint step = 0; step < TILE; step += UNROLL)
            [[unroll]] for (uint u = 0; u < UNROLL; ++u) {
                const uint key = step + u;
                vec2 sum;
                if (SPLIT == 1)
                    sum = products(key, 0, q, g);
                else
                    sum = parts[key * THREADS + first_slice];
                const float p = sight_tile[key] > limit ? 0.0 : approx_exp(sum.x - lse);
                const float slope = p * (sum.y - delta);
                [[unroll]] for (uint c = 0; c < D4; ++c) dq[c] += slope * x_tile[at_tile(key, slice) + c];
            }
        barrier();
    }

    if (token < args.tokens)
        [[unroll]] for (uint c = 0; c < D4; ++c) store_four(args.dq, row * D, (slice * D4 + c) * 4, dq[c]);
}
