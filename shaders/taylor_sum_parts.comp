#version 460
// taylor_sum_parts.comp: the state of each unit as the sum of its parts' states; `count` = units * size, in fours.
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "taylor_sum_parts.args.h"
#include "lib/quads.glsl"

layout(local_size_x = 256) in;

void main() {
    uint index = linear_group() * 256u + gl_LocalInvocationID.x;
    if (!one_of(index, args.count >> 2)) return;
    index *= 4u;
    const uint first = index / args.size * args.size * args.parts + index % args.size;
    vec4 sum = quad_load(args.state, int(first), QUAD_ONE);
    for (uint part = 1; part < args.parts; ++part)
        sum += quad_load(args.state, int(first + min(part, args.parts - 1) * args.size), QUAD_ONE);
    quad_store(args.state, first, sum);
}
