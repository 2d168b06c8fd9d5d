#version 460
// routed_counts.comp: how many edges routed attention chooses in each graph; formulas:
// src/ops/routed_counts.c.
//
// A workgroup counts the real nodes of a graph. Sums of ones are exact in float up to 2^24.
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "routed_counts.args.h"
#include "lib/reduce.glsl"

layout(local_size_x = 256) in;

void main() {
    uint batch = linear_group();
    if (!one_of(batch, args.batches)) return; // the whole group
    const uint local = gl_LocalInvocationIndex;
    float seen = 0;
    for (uint i = local; i < args.nodes; i += 256)
        seen += args.mask.at[batch * args.nodes + min(i, args.nodes - 1)] != 0 ? 1.0 : 0.0;
    const uint real = uint(reduce_sum(seen, 256));
    if (local != 0) return;
    uint m = real, k = args.routed != 0 ? args.routed : real;
    if (args.by_row == 0)
        m = real < 65536 ? real * real : 0xffffffffu;
    else
        k = (k + max(real, 1u) - 1) / max(real, 1u);
    args.counts.at[batch] = int(min(k, m));
    args.wanted.at[batch] = max(min(args.ratio * float(k), float(m)), 1.0);
}
