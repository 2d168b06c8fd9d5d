#version 460
// embedding.comp: rows of a table. A thread makes 4 elements.
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "embedding.args.h"

layout(local_size_x = 256) in;

void main() {
    uint start = linear_group() * 1024u + gl_LocalInvocationID.x;
    [[unroll]] for (uint k = 0; k < 4; ++k) {
        uint element = start + k * 256u; // (t, column)
        if (one_of(element, args.count)) {
            uint row = uint(args.indices.at[element / args.width]); // a negative index becomes a large row
            float number = 0.0;
            if (one_of(row, args.rows)) number = args.table.at[row * args.width + element % args.width];
            args.result.at[element] = number;
        }
    }
}
