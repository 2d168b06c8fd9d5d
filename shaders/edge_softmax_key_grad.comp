#version 460
// edge_softmax_key_grad.comp: gradients of the keys and values, summed over the queries i that see key j.
//     p_ij = exp(s_ij - lse_i),   ds_ij = p_ij (g_i . v_j - delta_i)
//     dk_j = sum_i ds_ij q_i,     dv_j = sum_i p_ij g_i
//
// A group is one head of one graph and a block of its keys; queries pass through the tiles of
// lib/edge_softmax.glsl.
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "edge_softmax_key_grad.args.h"
#include "lib/edge_softmax.glsl"

shared vec2 terms[TILE]; // lse and delta of a query
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

// Begins where all threads are done with the last tile; ends with a barrier.
void load_queries(Unit unit, uint first) {
    const uint local = gl_LocalInvocationID.x;
    for (uint index = local; index < TILE; index += THREADS) {
        const uint row = row_of(unit, min(first + index, args.tokens - 1));
        sight_tile[index] = limit_of_query(unit, first + index);
        terms[index] = vec2(args.terms.at[2 * row], args.terms.at[2 * row + 1]);
    }
    for (uint index = local; index < TILE * SPLIT * D4; index += THREADS) {
        const uint component = index % (SPLIT * D4) * 4;
        uint token = first + index / (SPLIT * D4);
        x_tile[index] = y_tile[index] = vec4(0);
        if (one_of(token, args.tokens)) {
            x_tile[index] = four_of(args.q, args.q_strides, unit, token, component);
            y_tile[index] = four_at(args.g, int(row_of(unit, token) * D), 1, component);
        }
    }
    barrier();
}

void main() {
    const uint local = gl_LocalInvocationID.x, slice = local % SPLIT, lane = local / SPLIT,
               first_slice = local - slice;
    const uint blocks = (args.tokens + LANES - 1) / LANES;
    uint group = linear_group();
    if (!one_of(group, args.units * blocks)) return; // the whole group
    const Unit unit = unit_at(group / blocks);
    const uint block = group % blocks * LANES, token = block + lane, near = min(token, args.tokens - 1);
    const int key_row = row_of_key(unit, token), block_row = least_row_of_block(unit, block, LANES);

    vec4 k[D4], v[D4], dk[D4], dv[D4];
    [[unroll]] for (uint c = 0; c < D4; ++c) {
        k[c] = four_of(args.k, args.k_strides, unit, near, (slice * D4 + c) * 4);
        v[c] = four_of(args.v, args.v_strides, unit, near, (slice * D4 + c) * 4);
        dk[c] = dv[c] = vec4(0);
    }

    for (uint first = 0; first < args.tokens; first += TILE) {
        if (block_row > greatest_limit(unit, first)) continue; // the whole group
        load_queries(unit, first);
        if (SPLIT != 1) {
            for (uint step = 0; step < TILE; step += UNROLL)
                [[unroll]] for (uint u = 0; u < UNROLL; ++u)
                    parts[(step + u) * THREADS + local] = products(step + u, slice, k, v);
            barrier();
            for (uint query = slice; query < TILE; query += SPLIT) {
                vec2 sum = vec2(0);
                [[unroll]] for (uint other = 0; other < SPLIT; ++other)
                    sum += parts[query * THREADS + first_slice + other];
                parts[query * THREADS + first_slice] = sum;
            }
            barrier();
        }
        for (uint step = 0; step < TILE; step += UNROLL)
            [[unroll]] for (uint u = 0; u < UNROLL; ++u) {
                const uint query = step + u;
                vec2 sum;
                if (SPLIT == 1)
                    sum = products(query, 0, k, v);
                else
                    sum = parts[query * THREADS + first_slice];
                const float p = key_row > sight_tile[query] ? 0.0 : approx_exp(sum.x - terms[query].x);
                const float slope = p * (sum.y - terms[query].y);
                [[unroll]] for (uint c = 0; c < D4; ++c) {
                    dk[c] += slope * x_tile[at_tile(query, slice) + c];
                    dv[c] += p * y_tile[at_tile(query, slice) + c];
                }
            }
        barrier();
    }

    if (token < args.tokens) {
        const uint row = row_of(unit, token);
        [[unroll]] for (uint c = 0; c < D4; ++c) {
            store_four(args.dk, row * D, (slice * D4 + c) * 4, dk[c]);
            store_four(args.dv, row * D, (slice * D4 + c) * 4, dv[c]);
        }
    }
}
