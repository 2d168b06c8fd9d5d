#version 460
// accumulate.comp: target += factor * x, in place.
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "accumulate.args.h"

layout(local_size_x = 256) in;

void main() {
    uint i = linear_group() * 256u + gl_LocalInvocationID.x;
    if (one_of(i, args.count)) args.target.at[i] += args.factor * args.x.at[i];
}
