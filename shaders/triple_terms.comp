#version 460
// triple_terms.comp: what the adjoint of triple attention needs of each edge: lse and delta = g . result, or
// LONE.
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "triple_terms.args.h"
#include "lib/triangle.glsl"

layout(local_size_x = 256) in;

void main() {
    uint index = linear_group() * 256u + gl_LocalInvocationID.x;
    if (!one_of(index, args.count)) return;
    const uint j = index % args.n, i = index / args.n % args.n, unit = index / args.n / args.n;
    const uint edge = ((unit / args.heads * args.n + i) * args.n + j) * args.heads + unit % args.heads;
    float delta = 0.0;
    for (uint c = 0; c < args.width; ++c) {
        const uint at = edge * args.width + min(c, args.width - 1);
        delta += args.g.at[at] * args.result.at[at];
    }
    // One visible pivot makes one pair.
    const uvec2 pivots = pivots_of(i, i + 1, j, j + 1);
    uint seen = 0;
    for (uint l = pivots.x; l < pivots.y && seen < 2; ++l)
        if (shown(unit, l)) ++seen;
    args.terms.at[2 * index] = args.lse.at[edge];
    args.terms.at[2 * index + 1] = seen == 1 ? LONE : delta;
}
