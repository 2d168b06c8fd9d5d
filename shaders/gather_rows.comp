#version 460
// gather_rows.comp: rows of each graph by index; an index out of range gives zeros. A thread makes 4
// elements.
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "gather_rows.args.h"

layout(local_size_x = 256) in;

void main() {
    const uint start = linear_group() * 1024 + gl_LocalInvocationID.x;
    [[unroll]] for (uint r = 0; r < 4; ++r) {
        uint element = start + r * 256; // (b, k, column)
        if (one_of(element, args.count)) {
            const uint place = element / args.width;
            uint row = uint(args.indices.at[place]); // a negative index becomes a large row
            float number = 0;
            if (one_of(row, args.m))
                number = args.x.at[(place / args.k * args.m + row) * args.width + element % args.width];
            args.result.at[element] = number;
        }
    }
}
