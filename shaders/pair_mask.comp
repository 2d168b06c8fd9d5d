#version 460
// pair_mask.comp: 1 where both nodes of an edge are real, else 0.
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "pair_mask.args.h"

layout(local_size_x = 256) in;

void main() {
    const uint element = linear_group() * 256 + gl_LocalInvocationID.x; // (b, i, j)
    if (element >= args.count) return;
    const uint j = element % args.nodes, i = element / args.nodes % args.nodes;
    const uint first = element / args.nodes / args.nodes * args.nodes;
    args.result.at[element] = args.mask.at[first + i] != 0 && args.mask.at[first + j] != 0 ? 1 : 0;
}
