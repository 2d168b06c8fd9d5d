#version 460
// triangle_terms.comp: what the adjoint of triangle attention needs of each edge: lse and delta = g . result,
// or LONE.
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "triangle_terms.args.h"
#include "lib/triangle.glsl"

layout(local_size_x = 256) in;

void main() {
    uint index = linear_group() * 256u + gl_LocalInvocationID.x;
    if (!one_of(index, args.count)) return;
    const uint second = index % args.n, first = index / args.n % args.n, unit = index / args.n / args.n;
    const uint i = args.turned != 0 ? second : first, j = args.turned != 0 ? first : second;
    const uint edge = ((unit / args.heads * args.n + i) * args.n + j) * args.heads + unit % args.heads;
    float delta = 0.0;
    for (uint c = 0; c < args.width; ++c) {
        const uint at = edge * args.width + min(c, args.width - 1);
        delta += args.g.at[at] * args.result.at[at];
    }
    const uvec2 pivots = pivots_of(first, first + 1, second, second + 1);
    uint seen = 0;
    for (uint l = pivots.x; l < pivots.y && seen < 2; ++l)
        if (shown(unit, l)) ++seen;
    args.terms.at[2 * index] = args.lse.at[edge];
    args.terms.at[2 * index + 1] = seen == 1 ? LONE : delta;
}
