#version 460
// edge_softmax_terms.comp: what the adjoint needs of each query: its log-sum-exp, and delta = g . out.
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "edge_softmax_terms.args.h"

layout(local_size_x = 256) in;

void main() {
    uint row = linear_group() * 256 + gl_LocalInvocationID.x;
    if (!one_of(row, args.count)) return;
    float delta = 0;
    for (uint a = 0; a < args.width; ++a) {
        const uint at = row * args.width + min(a, args.width - 1);
        delta += args.g.at[at] * args.result.at[at];
    }
    args.terms.at[2 * row] = args.lse.at[row];
    args.terms.at[2 * row + 1] = delta;
}
