#version 460
// matmul_dot.comp: TM x TN results per group, the contraction spread over its invocations.
// For few results and a long contraction. Each invocation sums every THREADS-th product; the partial sums are
// then added in a tree, always in the same order.
// Constants: 0 TM, 1 TN, 2 BK (elements of the contraction in a step), 7 how results are written, 8
// invocations (a power of 2).
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "matmul.args.h"
#include "lib/matmul.glsl"

layout(local_size_x_id = 8) in;
layout(constant_id = 0) const uint TM = 4;
layout(constant_id = 1) const uint TN = 4;
layout(constant_id = 2) const uint BK = 512;
layout(constant_id = 7) const uint WRITE = 0;
layout(constant_id = 8) const uint THREADS = 64;

shared float partial[TM * TN * THREADS]; // (results, invocations)

void main() {
    matmul_place place;
    if (!matmul_place_of(linear_group(), TM, TN, BK, place)) return; // the whole group
    uint thread = gl_LocalInvocationID.x;

    // Rows and columns beyond the edge read the last one and are not stored.
    int a_at[TM], b_at[TN];
    [[unroll]] for (uint i = 0; i < TM; ++i)
        a_at[i] = place.a + int(min(place.row + i, args.m - 1)) * args.a_row;
    [[unroll]] for (uint j = 0; j < TN; ++j)
        b_at[j] = place.b + int(min(place.col + j, args.n - 1)) * args.b_col;
    float sums[TM * TN];
    [[unroll]] for (uint i = 0; i < TM * TN; ++i) sums[i] = 0.0;

    for (uint step = place.first_step; step < place.end_step; ++step) {
        matmul_step at = matmul_step_at(step, BK);
        uint end = min(at.k + BK, args.k);
        for (uint k = at.k + thread; k < end; k += THREADS) {
            const int inside = int(min(k, args.k - 1));
            int a_k = at.a + inside * args.a_k, b_k = at.b + inside * args.b_k;
            float rows[TM], cols[TN];
            [[unroll]] for (uint i = 0; i < TM; ++i) rows[i] = args.a.at[a_at[i] + a_k];
            [[unroll]] for (uint j = 0; j < TN; ++j) cols[j] = args.b.at[b_at[j] + b_k];
            [[unroll]] for (uint i = 0; i < TM; ++i)
                [[unroll]] for (uint j = 0; j < TN; ++j) sums[i * TN + j] += rows[i] * cols[j];
        }
    }

    [[unroll]] for (uint i = 0; i < TM * TN; ++i) partial[i * THREADS + thread] = sums[i];
    barrier();
    for (uint width = THREADS / 2; width > 0; width /= 2) {
        for (uint at = thread; at < TM * TN * width; at += THREADS) {
            uint slot = at / width * THREADS + at % width;
            partial[slot] += partial[slot + width];
        }
        barrier();
    }
    for (uint at = thread; at < TM * TN; at += THREADS) {
        uint row = place.row + at / TN, col = place.col + at % TN;
        if (row < args.m && col < args.n)
            matmul_put(place.result, row, col, partial[at * THREADS], matmul_bias(col, WRITE), WRITE);
    }
}
