#version 460
// relational_form_grad_lanes.comp: relational_form_grad.comp by groups of eight lanes, without shared memory,
// for Vulkan on a CPU (see lib/relational_lanes.glsl). A lane holds every eighth column of TILE x TILE of
// dG_h and loads every eighth component of an edge; the rows' components and ds go round by shuffles.
// Needs subgroups of at least eight invocations with shuffles.
// Constants 0, 1: De, TILE (a multiple of 8).
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_shuffle : require
#include "lib/common.glsl"
#include "relational_form_grad.args.h"

layout(local_size_x = 8) in;
layout(constant_id = 0) const uint DIM = 8;
layout(constant_id = 1) const uint TILE = 8;

const uint EIGHTS = TILE / 8;

void main() {
    uint group = linear_group();
    if (!one_of(group, args.groups)) return; // the whole group
    const uint lane = gl_SubgroupInvocationID;
    const uint tiles = (DIM + TILE - 1) / TILE;
    const uint column = group % tiles * TILE, row = group / tiles % tiles * TILE;
    const uint head = group / tiles / tiles % args.heads, split = group / tiles / tiles / args.heads;
    const uint begin = split * args.rows, end = min(begin + args.rows, args.edges);

    float sums[TILE * EIGHTS]; // (row, eight columns)
    [[unroll]] for (uint eight = 0; eight < EIGHTS; ++eight)
        [[unroll]] for (uint index = 0; index < 8 * EIGHTS; ++index) sums[eight * 8 * EIGHTS + index] = 0.0;
    for (uint first = begin; first < end; first += 8) {
        const uint own = min(first + lane, end - 1), batch = own / args.pairs;
        float ds = args.ds.at[own + (batch * (args.heads - 1) + head) * args.pairs]; // (b, h, i j)
        if (first + lane >= end) ds = 0.0;
        [[unroll]] for (uint u = 0; u < 8; ++u) {
            const uint edge = min(first + u, end - 1) * DIM;
            const float scale = subgroupShuffle(ds, u);
            float rows[EIGHTS], columns[EIGHTS];
            [[unroll]] for (uint c = 0; c < EIGHTS; ++c) {
                columns[c] = args.e.at[edge + min(column + c * 8 + lane, DIM - 1)];
                rows[c] =
                    scale * (tiles == 1 ? columns[c] : args.e.at[edge + min(row + c * 8 + lane, DIM - 1)]);
            }
            [[unroll]] for (uint eight = 0; eight < EIGHTS; ++eight)
                [[unroll]] for (uint v = 0; v < 8; ++v) {
                    const float x = subgroupShuffle(rows[eight], v);
                    [[unroll]] for (uint c = 0; c < EIGHTS; ++c)
                        sums[(eight * 8 + v) * EIGHTS + c] += x * columns[c];
                }
        }
    }
    const uint to = (split * args.heads + head) * DIM;
    [[unroll]] for (uint eight = 0; eight < EIGHTS; ++eight)
        [[unroll]] for (uint v = 0; v < 8; ++v)
            [[unroll]] for (uint c = 0; c < EIGHTS; ++c)
                if (row + eight * 8 + v < DIM && column + c * 8 + lane < DIM)
                    args.parts.at[(to + row + eight * 8 + v) * DIM + column + c * 8 + lane] =
                        sums[(eight * 8 + v) * EIGHTS + c];
}
