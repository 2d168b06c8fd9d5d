#version 460
// edge_softmax_query_grad.comp: dq_i = sum_j ds_ij k_j, ds_ij = p_ij (g_i . v_j - delta_i), p_ij = exp(s_ij - lse_i).
//
// A group is one head of one graph and a block of its queries; tiles and slices: lib/edge_softmax.glsl.
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "edge_softmax_query_grad.args.h"
#include "lib/edge_softmax.glsl"

shared vec2 parts[SPLIT == 1 ? 1 : THREADS * TILE]; // of s and of g . v

void main() {
    const uint local = gl_LocalInvocationID.x, slice = local % SPLIT, lane = local / SPLIT;
    const uint blocks = (args.tokens + LANES - 1) / LANES;
    const uint group = linear_group();
    if (group >= args.units * blocks) return; // the whole group
    const Unit unit = unit_at(group / blocks);
    const uint block = group % blocks * LANES, token = block + lane;
    const uint row = row_of(unit, min(token, args.tokens - 1)); // surplus rows see nothing and are not stored
    const int place = place_of(unit, min(token, args.tokens - 1), args.q_strides);
    const int limit = limit_of_query(unit, token), block_limit = greatest_limit_of_block(unit, block, LANES);
    const float lse = args.terms.at[2 * row], delta = args.terms.at[2 * row + 1];

    vec4 q[D4], g[D4], dq[D4];
    [[unroll]] for (uint c = 0; c < D4; ++c) {
        q[c] = load4(args.q, place, component_of(args.q_strides), (slice * D4 + c) * 4, D);
        g[c] = load4(args.g, int(row * D), 1, (slice * D4 + c) * 4, D);
        dq[c] = vec4(0);
    }

    for (uint first = 0; first < args.tokens; first += TILE) {
        if (least_row(unit, first) > block_limit) continue; // the whole group
        load_keys(unit, first);
        if (SPLIT != 1) {
            for (uint key = 0; key < TILE; ++key) {
                vec2 part = vec2(0);
                [[unroll]] for (uint c = 0; c < D4; ++c) {
                    part.x += dot(q[c], x_tile[at_tile(key, slice) + c]);
                    part.y += dot(g[c], y_tile[at_tile(key, slice) + c]);
                }
                parts[key * THREADS + local] = part;
            }
            barrier();
        }
        for (uint key = 0; key < TILE; ++key) {
            vec2 sum = vec2(0);
            if (SPLIT == 1) {
                [[unroll]] for (uint c = 0; c < D4; ++c) {
                    sum.x += dot(q[c], x_tile[at_tile(key, 0) + c]);
                    sum.y += dot(g[c], y_tile[at_tile(key, 0) + c]);
                }
            } else {
                for (uint other = 0; other < SPLIT; ++other) sum += parts[key * THREADS + lane * SPLIT + other];
            }
            const float p = sight_tile[key] > limit ? 0.0 : approx_exp(sum.x - lse);
            const float slope = p * (sum.y - delta);
            [[unroll]] for (uint c = 0; c < D4; ++c) dq[c] += slope * x_tile[at_tile(key, slice) + c];
        }
        barrier();
    }

    if (token < args.tokens)
        [[unroll]] for (uint c = 0; c < D4; ++c) store4(args.dq, row * D, (slice * D4 + c) * 4, D, dq[c]);
}
