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

layout(constant_id = 13) const int G_COMPONENT = 1;

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
            y_tile[index] = args.terms.at[2 * row] *
                            load4(args.g, int(row * DV), G_COMPONENT, index % (SPLIT * V4) * 4, DV);
        }
    }
    barrier();
}

void main() {
    const uint local = gl_LocalInvocationID.x, slice = local % SPLIT, lane = local / SPLIT;
    const uint blocks = (args.tokens + LANES * ROWS - 1) / (LANES * ROWS);
    uint group = linear_group();
    if (!one_of(group, args.units * blocks)) return; // the whole group
    const Unit unit = unit_at(group / blocks);
    const uint block = group % blocks * (LANES * ROWS);
    const uint key_end = key_end_of(unit);
    const uint query_end = block < key_end ? args.tokens : 0; // a block of hidden keys sums over no query

    vec4 k[ROWS * Q4], dk[ROWS * Q4], v[ROWS * V4], dv[ROWS * V4];
    bool visible[ROWS];
    uint begin[ROWS]; // of the queries that see a key
    [[unroll]] for (uint r = 0; r < ROWS; ++r) {
        const uint position = block + r * LANES + lane, near = min(position, args.tokens - 1);
        begin[r] = block_begin(position);
        visible[r] = false;
        if (position < key_end) visible[r] = is_visible(unit, near);
        [[unroll]] for (uint c = 0; c < Q4; ++c) {
            k[r * Q4 + c] = vec4(0);
            if (visible[r])
                k[r * Q4 + c] =
                    load4(args.k, place_of(unit, near, args.k_strides), K_COMPONENT, (slice * Q4 + c) * 4, D);
            dk[r * Q4 + c] = vec4(0);
        }
        [[unroll]] for (uint e = 0; e < V4; ++e) {
            v[r * V4 + e] = vec4(0);
            if (visible[r])
                v[r * V4 + e] = load4(args.v, place_of(unit, near, args.v_strides), V_COMPONENT,
                                      (slice * V4 + e) * 4, DV);
            dv[r * V4 + e] = vec4(0);
        }
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
            vec2 sum[ROWS];
            [[unroll]] for (uint r = 0; r < ROWS; ++r) sum[r] = vec2(0);
            if (SPLIT == 1) {
                [[unroll]] for (uint c = 0; c < Q4; ++c) {
                    const vec4 q = x_tile[at_x(query, 0) + c];
                    [[unroll]] for (uint r = 0; r < ROWS; ++r) sum[r].x += dot(k[r * Q4 + c], q);
                }
                [[unroll]] for (uint e = 0; e < V4; ++e) {
                    const vec4 a = y_tile[at_y(query, 0) + e];
                    [[unroll]] for (uint r = 0; r < ROWS; ++r) sum[r].y += dot(v[r * V4 + e], a);
                }
            } else {
                for (uint other = 0; other < SPLIT; ++other)
                    sum[0] += parts[query * THREADS + lane * SPLIT + other];
            }
            float w[ROWS], slope[ROWS];
            [[unroll]] for (uint r = 0; r < ROWS; ++r) {
                w[r] = 1 + sum[r].x * (1 + 0.5 * sum[r].x);
                slope[r] = (sum[r].y - delta[query]) * (1 + sum[r].x);
                if (BLOCK != 0 && first + query < begin[r]) w[r] = slope[r] = 0;
            }
            [[unroll]] for (uint c = 0; c < Q4; ++c) {
                const vec4 q = x_tile[at_x(query, slice) + c];
                [[unroll]] for (uint r = 0; r < ROWS; ++r) dk[r * Q4 + c] += slope[r] * q;
            }
            [[unroll]] for (uint e = 0; e < V4; ++e) {
                const vec4 a = y_tile[at_y(query, slice) + e];
                [[unroll]] for (uint r = 0; r < ROWS; ++r) dv[r * V4 + e] += w[r] * a;
            }
        }
        barrier();
    }

    [[unroll]] for (uint r = 0; r < ROWS; ++r) {
        const uint position = block + r * LANES + lane;
        if (position < args.tokens) {
            const uint row = row_of(unit, position);
            const float kept = visible[r] ? 1.0 : 0.0;
            [[unroll]] for (uint c = 0; c < Q4; ++c)
                store_row4(args.dk, row, (slice * Q4 + c) * 4, D, kept * dk[r * Q4 + c]);
            [[unroll]] for (uint e = 0; e < V4; ++e)
                store_row4(args.dv, row, (slice * V4 + e) * 4, DV, kept * dv[r * V4 + e]);
        }
    }
}
