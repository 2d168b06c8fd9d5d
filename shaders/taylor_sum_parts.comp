#version 460
// taylor_sum_parts.comp: the state of each unit as the sum of its parts' states; `count` = units * size.
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "taylor_sum_parts.args.h"

layout(local_size_x = 256) in;

void main() {
    uint index = linear_group() * 256u + gl_LocalInvocationID.x;
    if (!one_of(index, args.count)) return;
    const uint first = index / args.size * args.size * args.parts + index % args.size;
    float sum = args.state.at[first];
    for (uint part = 1; part < args.parts; ++part)
        sum += args.state.at[first + min(part, args.parts - 1) * args.size];
    args.state.at[first] = sum;
}
