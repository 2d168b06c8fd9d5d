#version 460
// pair_mask.comp: 1 where an edge (i, j) has two real nodes and, if causal, j <= i; else 0.
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "pair_mask.args.h"

layout(local_size_x = 256) in;
layout(constant_id = 0) const uint HAS_MASK = 0;
layout(constant_id = 1) const uint CAUSAL = 0;

void main() {
    uint element = linear_group() * 256 + gl_LocalInvocationID.x; // (b, i, j)
    if (!one_of(element, args.count)) return;
    const uint j = element % args.nodes, i = element / args.nodes % args.nodes;
    const uint first = element / args.nodes / args.nodes * args.nodes;
    bool seen = CAUSAL == 0 || j <= i;
    if (HAS_MASK != 0) seen = seen && args.mask.at[first + i] != 0 && args.mask.at[first + j] != 0;
    args.result.at[element] = seen ? 1 : 0;
}
