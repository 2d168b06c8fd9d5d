#version 460
// taylor_key_grad.comp: gradients of the keys and values in the quadratic form.
//     w_ij = 1 + s_ij + s_ij^2/2,   a_i = g_i / z_i,   ds_ij = (a_i . v_j - D_i)(1 + s_ij)
//     dk_j = sum_i ds_ij q_i,       dv_j = sum_i w_ij a_i
//
// A group is one head of one sequence and a block of its keys; the queries that see one of them pass through
// the tiles of lib/taylor_pairs.glsl. The gradients of hidden keys are zero.
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "taylor_key_grad.args.h"
#include "lib/taylor.glsl"
#include "lib/taylor_pairs.glsl"

shared float delta[TILE];                           // D of a query
shared vec2 parts[SPLIT == 1 ? 1 : THREADS * TILE]; // of s and of a . v

void load_queries(Unit unit, uint first) {
    const uint local = gl_LocalInvocationID.x;
    for (uint index = local; index < TILE; index += THREADS) {
        delta[index] = 0;
        uint position = first + index;
        if (one_of(position, args.tokens)) delta[index] = args.terms.at[2 * row_of(unit, position) + 1];
    }
    for (uint index = local; index < TILE * SPLIT * Q4; index += THREADS) {
        uint position = first + index / (SPLIT * Q4);
        x_tile[index] = vec4(0);
        if (one_of(position, args.tokens))
            x_tile[index] = load4(args.q, place_of(unit, position, args.q_strides), Q_COMPONENT,
                                  index % (SPLIT * Q4) * 4, D);
    }
    for (uint index = local; index < TILE * SPLIT * V4; index += THREADS) {
        uint position = first + index / (SPLIT * V4);
        y_tile[index] = vec4(0);
        if (one_of(position, args.tokens)) {
            const uint row = row_of(unit, position);
            y_tile[index] =
                args.terms.at[2 * row] * load4(args.g, int(row * DV), 1, index % (SPLIT * V4) * 4, DV);
        }
    }
    barrier();
}

void main() {
    const uint local = gl_LocalInvocationID.x, slice = local % SPLIT, lane = local / SPLIT;
    const uint blocks = (args.tokens + LANES - 1) / LANES;
    uint group = linear_group();
    if (!one_of(group, args.units * blocks)) return; // the whole group
    const Unit unit = unit_at(group / blocks);
    const uint block = group % blocks * LANES, position = block + lane;
    const uint key_end = key_end_of(unit);
    const uint query_end = block < key_end ? args.tokens : 0; // a block of hidden keys sums over no query
    const uint begin = block_begin(position);                 // of the queries that see this key
    bool visible = false;
    const uint near = min(position, args.tokens - 1);
    if (position < key_end) visible = is_visible(unit, near);

    vec4 k[Q4], dk[Q4], v[V4], dv[V4];
    [[unroll]] for (uint c = 0; c < Q4; ++c) {
        k[c] = vec4(0);
        if (visible)
            k[c] = load4(args.k, place_of(unit, near, args.k_strides), K_COMPONENT, (slice * Q4 + c) * 4, D);
        dk[c] = vec4(0);
    }
    [[unroll]] for (uint e = 0; e < V4; ++e) {
        v[e] = vec4(0);
        if (visible)
            v[e] = load4(args.v, place_of(unit, near, args.v_strides), V_COMPONENT, (slice * V4 + e) * 4, DV);
        dv[e] = vec4(0);
    }

    for (uint first = block_begin(block); first < query_end; first += TILE) {
        load_queries(unit, first);
        const uint count = min(TILE, query_end - first);
        if (SPLIT != 1) {
            for (uint query = 0; query < count; ++query) {
                vec2 part = vec2(0);
                [[unroll]] for (uint c = 0; c < Q4; ++c) part.x += dot(k[c], x_tile[at_x(query, slice) + c]);
                [[unroll]] for (uint e = 0; e < V4; ++e) part.y += dot(v[e], y_tile[at_y(query, slice) + e]);
                parts[query * THREADS + local] = part;
            }
            barrier();
        }
        for (uint query = 0; query < count; ++query) {
            vec2 sum = vec2(0);
            if (SPLIT == 1) {
                [[unroll]] for (uint c = 0; c < Q4; ++c) sum.x += dot(k[c], x_tile[at_x(query, 0) + c]);
                [[unroll]] for (uint e = 0; e < V4; ++e) sum.y += dot(v[e], y_tile[at_y(query, 0) + e]);
            } else {
                for (uint other = 0; other < SPLIT; ++other)
                    sum += parts[query * THREADS + lane * SPLIT + other];
            }
            float w = 1 + sum.x * (1 + 0.5 * sum.x);
            float slope = (sum.y - delta[query]) * (1 + sum.x);
            if (BLOCK != 0 && first + query < begin) w = slope = 0;
            [[unroll]] for (uint c = 0; c < Q4; ++c) dk[c] += slope * x_tile[at_x(query, slice) + c];
            [[unroll]] for (uint e = 0; e < V4; ++e) dv[e] += w * y_tile[at_y(query, slice) + e];
        }
        barrier();
    }

    if (position < args.tokens) {
        const uint row = row_of(unit, position);
        const float kept = visible ? 1.0 : 0.0;
        [[unroll]] for (uint c = 0; c < Q4; ++c)
            store4(args.dk, row * D, (slice * Q4 + c) * 4, D, kept * dk[c]);
        [[unroll]] for (uint e = 0; e < V4; ++e)
            store4(args.dv, row * DV, (slice * V4 + e) * 4, DV, kept * dv[e]);
    }
}
