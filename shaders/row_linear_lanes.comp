#version 460
// row_linear_lanes.comp: row_linear.comp for Vulkan on a CPU, without shared memory: TM rows by 8 TN columns
// at once by a group of eight lanes, as matmul_lanes.comp. A lane loads every eighth row and every eighth
// column; the rows go round by shuffles, and so do their norms' factors, which the lanes sum up on the first
// way over their rows. The columns of all weights are counted through, each weight starting a new column of
// lanes.
// Needs subgroups of at least eight invocations with shuffles.
// Constants: 0 form, 1 TM (a multiple of 8), 2 TN, 3 weights, 4 those that take the row as it is, 5 flags, 6
// tiles of columns of a group.
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_shuffle : require
#include "lib/common.glsl"
#include "row_linear.args.h"
#include "lib/functions.h"
#include "lib/norm_squares.glsl"
#include "lib/row_linear.h"

layout(local_size_x = 8) in;
layout(constant_id = 0) const uint FORM = 0;
layout(constant_id = 1) const uint TM = 16;
layout(constant_id = 2) const uint TN = 4;
layout(constant_id = 3) const uint PARTS = 1;
layout(constant_id = 4) const uint RAW = 0;
layout(constant_id = 5) const uint FLAGS = 0;
layout(constant_id = 6) const uint TILES = 1;

const bool NORMS = FORM == QUARTIC_ROW_RMS || FORM == QUARTIC_ROW_L2;

// Eight columns of lanes, counted through all weights: which weight, and its first column; part = PARTS
// beyond the last.
uvec2 column_of(uint eight) {
    [[unroll]] for (uint part = 0; part < PARTS; ++part) {
        uint eights = (args.n[part] + 7) / 8;
        if (eight < eights) return uvec2(part, eight * 8);
        eight -= eights;
    }
    return uvec2(PARTS, 0);
}

void main() {
    const uint lane = gl_SubgroupInvocationID;
    uint eights = 0;
    [[unroll]] for (uint part = 0; part < PARTS; ++part) eights += (args.n[part] + 7) / 8;
    const uint tiles = (eights + TN - 1) / TN, splits = (tiles + TILES - 1) / TILES;
    uint row0 = linear_group() / splits * TM;
    if (!one_of(row0, args.rows)) return;
    const uint first = linear_group() % splits * TILES;

    // Rows beyond the last read the last one and are not stored; so do columns.
    uint own[TM / 8];
    vec2 squares[TM / 8];
    float gates[TM / 8];
    [[unroll]] for (uint i = 0; i < TM / 8; ++i) {
        own[i] = min(row0 + i * 8 + lane, args.rows - 1);
        squares[i] = vec2(0.0);
        gates[i] = 1.0;
    }
    const uint head = args.k / args.heads;

    for (uint tile = first; tile < min(first + TILES, tiles); ++tile) {
        uvec2 columns[TN];
        Floats w[TN];
        uint w_at[TN];
        [[unroll]] for (uint j = 0; j < TN; ++j) {
            columns[j] = column_of(tile * TN + j);
            w[j] = args.w[0];
            uint part = min(columns[j].x, PARTS - 1);
            [[unroll]] for (uint p = 1; p < PARTS; ++p)
                if (part == p) w[j] = args.w[p];
            w_at[j] = min(columns[j].y + lane, args.n[part] - 1) * args.k;
        }
        float sums[TM * TN];
        [[unroll]] for (uint i = 0; i < TM * TN; ++i) sums[i] = 0.0;
        for (uint step = 0; step < args.k; ++step) {
            const uint k = min(step, args.k - 1);
            float rows[TM / 8], cols[TN];
            float scale = 1.0;
            if (NORMS && (FLAGS & QUARTIC_ROW_HAS_SCALE) != 0) scale = args.side.at[k] + args.offset;
            if (FORM == QUARTIC_ROW_GATE && k % head == 0)
                [[unroll]] for (uint i = 0; i < TM / 8; ++i)
                    gates[i] = approx_sigmoid(args.side.at[own[i] * args.heads + k / head]);
            [[unroll]] for (uint i = 0; i < TM / 8; ++i) {
                float x = args.x.at[own[i] * args.k + k];
                if (NORMS && tile == first) squares[i] += both_squares(x);
                if (FORM == QUARTIC_ROW_GATE) x *= gates[i];
                if (FORM == QUARTIC_ROW_GELU) x *= approx_normal_cdf(x, approx_normal_bell(x));
                rows[i] = x;
            }
            [[unroll]] for (uint j = 0; j < TN; ++j) {
                cols[j] = w[j].at[w_at[j] + k];
                if (NORMS && (RAW == 0 || (RAW >> columns[j].x & 1u) == 0)) cols[j] *= scale;
            }
            [[unroll]] for (uint i = 0; i < TM; ++i) {
                float x = subgroupShuffle(rows[i / 8], i % 8);
                [[unroll]] for (uint j = 0; j < TN; ++j) sums[i * TN + j] += x * cols[j];
            }
        }
        float factors[TM / 8];
        [[unroll]] for (uint i = 0; i < TM / 8; ++i) {
            factors[i] = 1.0;
            if (NORMS)
                factors[i] = factor_of_squares(squares[i], float(args.k), args.eps, FORM == QUARTIC_ROW_L2);
        }
        [[unroll]] for (uint i = 0; i < TM; ++i) {
            float factor = NORMS ? subgroupShuffle(factors[i / 8], i % 8) : 1.0;
            [[unroll]] for (uint j = 0; j < TN; ++j) {
                uint part = columns[j].x, col = columns[j].y + lane;
                if (part == PARTS || row0 + i >= args.rows) continue;
                if (col >= args.n[part]) continue;
                Floats to = args.y[0];
                [[unroll]] for (uint p = 1; p < PARTS; ++p)
                    if (part == p) to = args.y[p];
                float y = sums[i * TN + j];
                if (RAW == 0 || (RAW >> part & 1u) == 0) y *= factor;
                if (part == 0) y *= args.alpha;
                uint at = (row0 + i) * args.n[part] + col;
                if ((FLAGS & QUARTIC_ROW_HAS_ADDEND) != 0) y += args.addend.at[at];
                to.at[at] = y;
            }
        }
    }
}
