#version 460
// relative_bias.comp: a table over i - j spread over all pairs. A thread makes 4 elements.
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "relative_bias.args.h"

layout(local_size_x = 256) in;

void main() {
    uint start = linear_group() * 1024u + gl_LocalInvocationID.x;
    [[unroll]] for (uint k = 0; k < 4; ++k) {
        uint element = start + k * 256u; // (i, j, column)
        if (one_of(element, args.count)) {
            uint pair = element / args.width;
            uint row = pair / args.n + args.n - 1u - pair % args.n;
            args.result.at[element] = args.table.at[row * args.width + element % args.width];
        }
    }
}
