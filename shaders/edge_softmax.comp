#version 460
// edge_softmax.comp: softmax attention among edges, over the keys j that query i sees.
//     s_ij = q_i . k_j,   lse_i = log sum_j exp(s_ij),   out_i = sum_j exp(s_ij - lse_i) v_j
//
// A group is one head of one graph and a block of its queries; tiles and slices: lib/edge_softmax.glsl. The
// scores of a tile are kept in shared memory until their maximum is known, by which the sums so far are
// scaled down. With SPLIT = 1 a thread may hold several queries (ROWS). No probability is ever stored.
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "edge_softmax.args.h"
#include "lib/edge_softmax.glsl"

layout(constant_id = 5) const uint ROWS = 1;

const float LOWEST = -1e37; // the score of a hidden key

// (TILE, ROWS, THREADS): scores of a thread's queries; with SPLIT > 1 parts of them, whose sum lies at the
// first slice.
shared float scores[TILE * ROWS * THREADS];

uint at_score(uint key, uint r, uint thread) {
    return (key * ROWS + r) * THREADS + thread;
}

void main() {
    const uint local = gl_LocalInvocationID.x, slice = local % SPLIT, lane = local / SPLIT,
               first_slice = local - slice;
    const uint blocks = (args.tokens + LANES * ROWS - 1) / (LANES * ROWS);
    uint group = linear_group();
    if (!one_of(group, args.units * blocks)) return; // the whole group
    const Unit unit = unit_at(group / blocks);
    const uint block = group % blocks * (LANES * ROWS);
    const int block_limit = greatest_limit_of_block(unit, block, LANES * ROWS);

    vec4 q[ROWS * D4], sums[ROWS * D4];
    float top[ROWS], total[ROWS];
    int limit[ROWS];
    [[unroll]] for (uint r = 0; r < ROWS; ++r) {
        const uint token = block + lane + r * LANES;
        const uint near = min(token, args.tokens - 1); // surplus rows see nothing and are not stored
        [[unroll]] for (uint c = 0; c < D4; ++c) {
            q[r * D4 + c] = four_of(args.q, args.q_strides, unit, near, (slice * D4 + c) * 4);
            sums[r * D4 + c] = vec4(0);
        }
        limit[r] = limit_of_query(unit, token);
        top[r] = LOWEST;
        total[r] = 0;
    }

    for (uint first = 0; first < args.tokens; first += TILE) {
        if (least_row(unit, first) > block_limit) continue; // the whole group
        load_keys(unit, first);
        for (uint step = 0; step < TILE; step += UNROLL)
            [[unroll]] for (uint u = 0; u < UNROLL; ++u) {
                const uint key = step + u;
                float part[ROWS];
                [[unroll]] for (uint r = 0; r < ROWS; ++r) part[r] = 0;
                [[unroll]] for (uint c = 0; c < D4; ++c) {
                    const vec4 k = x_tile[at_tile(key, slice) + c];
                    [[unroll]] for (uint r = 0; r < ROWS; ++r) part[r] += dot(q[r * D4 + c], k);
                }
                [[unroll]] for (uint r = 0; r < ROWS; ++r) scores[at_score(key, r, local)] = part[r];
            }
        if (SPLIT != 1) {
            barrier();
            for (uint key = slice; key < TILE; key += SPLIT) {
                float sum = 0;
                [[unroll]] for (uint other = 0; other < SPLIT; ++other)
                    sum += scores[at_score(key, 0, first_slice + other)];
                scores[at_score(key, 0, first_slice)] = sum;
            }
            barrier();
        }
        [[unroll]] for (uint r = 0; r < ROWS; ++r) {
            float largest = top[r];
            for (uint step = 0; step < TILE; step += UNROLL)
                [[unroll]] for (uint u = 0; u < UNROLL; ++u) {
                    const float score = scores[at_score(step + u, r, first_slice)];
                    largest = max(largest, sight_tile[step + u] > limit[r] ? LOWEST : score);
                }
            const float scale = approx_exp(top[r] - largest);
            top[r] = largest;
            total[r] *= scale;
            [[unroll]] for (uint c = 0; c < D4; ++c) sums[r * D4 + c] *= scale;
        }
        for (uint step = 0; step < TILE; step += UNROLL)
            [[unroll]] for (uint u = 0; u < UNROLL; ++u) {
                const uint key = step + u;
                float weight[ROWS];
                [[unroll]] for (uint r = 0; r < ROWS; ++r) {
                    const float score = scores[at_score(key, r, first_slice)];
                    weight[r] = sight_tile[key] > limit[r] ? 0.0 : approx_exp(score - top[r]);
                    total[r] += weight[r];
                }
                [[unroll]] for (uint c = 0; c < D4; ++c) {
                    const vec4 v = y_tile[at_tile(key, slice) + c];
                    [[unroll]] for (uint r = 0; r < ROWS; ++r) sums[r * D4 + c] += weight[r] * v;
                }
            }
        barrier();
    }

    [[unroll]] for (uint r = 0; r < ROWS; ++r) {
        const uint token = block + lane + r * LANES;
        if (token < args.tokens) {
            const uint row = row_of(unit, token);
            float nothing = 0.0; // what a query without a weight gets: NaN if it sees keys, all of -inf
            if (total[r] == 0.0 && least_row_of_block(unit, 0, args.tokens) <= limit[r])
                nothing = NOT_A_NUMBER;
            if (slice == 0) args.lse.at[row] = total[r] == 0.0 ? nothing : top[r] + approx_log(total[r]);
            const float inverse = total[r] == 0.0 ? nothing : 1.0 / total[r]; // a NaN stays one
            [[unroll]] for (uint c = 0; c < D4; ++c)
                store_four(args.result, row * D, (slice * D4 + c) * 4, inverse * sums[r * D4 + c]);
        }
    }
}
