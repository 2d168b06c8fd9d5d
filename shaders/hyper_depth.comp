#version 460
// hyper_depth.comp: y_t = kept_t + beta_t * branch, for all streams t. An invocation has one element of the branch and
// walks over the streams.
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "hyper_depth.args.h"

layout(local_size_x = 256) in;
layout(constant_id = 0) const uint STREAMS = 4;
layout(constant_id = 1) const uint EQUAL = 0; // kept is the same for all streams

void main() {
    uint index = linear_group() * 256u + gl_LocalInvocationIndex;
    if (!one_of(index, args.count)) return;
    const uint token = index / args.dim, d = index - token * args.dim;
    const float branch = args.branch.at[index];
    float kept = EQUAL != 0 ? args.kept.at[index] : 0.0;
    for (uint t = 0; t < STREAMS; ++t) {
        const uint row = token * STREAMS + min(t, STREAMS - 1u), at = row * args.dim + d;
        if (EQUAL == 0) kept = args.kept.at[at];
        args.y.at[at] = kept + args.beta.at[row] * branch;
    }
}
