#version 460
// taylor_scan_parts.comp: from the states of a sequence's blocks the sums up to each block, in place: forward
// for the keys that a block's queries see, backward for the queries that see a block's keys.
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "taylor_scan_parts.args.h"
#include "lib/quads.glsl"

layout(local_size_x = 256) in;

void main() {
    uint index = linear_group() * 256u + gl_LocalInvocationID.x;
    if (!one_of(index, args.count >> 2)) return;
    index *= 4u;
    const uint first = index / args.size * args.size * args.parts + index % args.size;
    vec4 sum = vec4(0);
    for (uint next = 0; next < args.parts; ++next) {
        const uint part = min(next, args.parts - 1);
        const uint at = first + (args.back != 0 ? args.parts - 1 - part : part) * args.size;
        sum += quad_load(args.state, int(at), QUAD_ONE);
        quad_store(args.state, at, sum);
    }
}
