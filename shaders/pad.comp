#version 460
// pad.comp: zeros with a strided tensor placed among them. A thread makes 4 elements.
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "lib/strided.glsl"
#include "pad.args.h"

layout(local_size_x = 256) in;

STRIDED_POSITION(position_of, 0, args.rank, args.dims, args.strides)

void main() {
    uint start = linear_group() * 1024u + gl_LocalInvocationID.x;
    [[unroll]] for (uint k = 0; k < 4; ++k) {
        uint index = start + k * 256u;
        if (one_of(index, args.count)) {
            // A place before the first wraps around to a large number.
            uint within = index % args.block - args.first;
            int number = 0;
            if (one_of(within, args.width))
                number = args.x.at[position_of(index / args.block * args.width + within)];
            args.result.at[index] = number;
        }
    }
}
