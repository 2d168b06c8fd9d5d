#version 460
// edge_keep.comp: edges with zeros at (i, j) unless both nodes are real and the edge lies in the kept
// triangle. An invocation writes what it read, so the result may lie where x lies.
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "edge_keep.args.h"

layout(local_size_x = 256) in;
layout(constant_id = 0) const uint HAS_MASK = 0;
layout(constant_id = 1) const uint PART = 0; // 0 all, 1 j <= i, 2 j >= i

void main() {
    uint index = linear_group() * 256u + gl_LocalInvocationID.x;
    if (!one_of(index, args.count)) return;
    const uint edge = index / args.width, j = edge % args.n, i = edge / args.n % args.n;
    bool kept = PART == 0 || (PART == 1 ? j <= i : j >= i);
    if (HAS_MASK != 0) {
        const uint graph = edge / args.n / args.n * args.n;
        kept = kept && args.mask.at[graph + i] != 0 && args.mask.at[graph + j] != 0;
    }
    args.result.at[index] = kept ? args.x.at[index] : 0.0;
}
