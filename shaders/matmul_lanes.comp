#version 460
// matmul_lanes.comp: TM x 8 TN results per group of eight lanes, without shared memory.
// For Vulkan devices that run on a CPU: there a load costs as much as many multiplications of the whole
// subgroup, so no lane loads what another one has. A lane loads every eighth row of a and every eighth column
// of b; the rows go round by shuffles.
// Needs subgroups of at least eight invocations with shuffles.
// Constants: 2 BK, 3 TM (a multiple of 8), 4 TN, 7 how results are written.
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_shuffle : require
#include "lib/common.glsl"
#include "matmul.args.h"
#include "lib/matmul.glsl"

layout(local_size_x = 8) in;
layout(constant_id = 2) const uint BK = 16;
layout(constant_id = 3) const uint TM = 8;
layout(constant_id = 4) const uint TN = 2;
layout(constant_id = 7) const uint WRITE = 0;

void main() {
    uint lane = gl_SubgroupInvocationID;
    matmul_place place;
    if (!matmul_place_of(linear_group(), TM, 8 * TN, BK, place)) return;

    // Rows and columns beyond the edge read the last one and are not stored.
    int a_at[TM / 8], b_at[TN];
    [[unroll]] for (uint i = 0; i < TM / 8; ++i)
        a_at[i] = place.a + int(min(place.row + i * 8 + lane, args.m - 1)) * args.a_row;
    [[unroll]] for (uint j = 0; j < TN; ++j)
        b_at[j] = place.b + int(min(place.col + j * 8 + lane, args.n - 1)) * args.b_col;
    float sums[TM * TN];
    [[unroll]] for (uint i = 0; i < TM * TN; ++i) sums[i] = 0.0;

    for (uint step = place.first_step; step < place.end_step; ++step) {
        matmul_step at = matmul_step_at(step, BK);
        uint end = min(at.k + BK, args.k);
        for (uint k = at.k; k < end; ++k) {
            const int inside = int(min(k, args.k - 1));
            int a_k = at.a + inside * args.a_k, b_k = at.b + inside * args.b_k;
            float rows[TM / 8], cols[TN];
            [[unroll]] for (uint i = 0; i < TM / 8; ++i) rows[i] = args.a.at[a_at[i] + a_k];
            [[unroll]] for (uint j = 0; j < TN; ++j) cols[j] = args.b.at[b_at[j] + b_k];
            [[unroll]] for (uint i = 0; i < TM; ++i) {
                float x = subgroupShuffle(rows[i / 8], i % 8);
                [[unroll]] for (uint j = 0; j < TN; ++j) sums[i * TN + j] += x * cols[j];
            }
        }
    }
    [[unroll]] for (uint j = 0; j < TN; ++j) {
        uint col = place.col + j * 8 + lane;
        float bias = matmul_bias(col, WRITE);
        [[unroll]] for (uint i = 0; i < TM; ++i)
            if (place.row + i < args.m && col < args.n)
                matmul_put(place.result, place.row + i, col, sums[i * TN + j], bias, WRITE);
    }
}
