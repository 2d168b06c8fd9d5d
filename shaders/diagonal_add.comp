#version 460
// diagonal_add.comp: edges with a node tensor added at (i, i). Where e and the result are the same memory,
// only the diagonal is read and written. A thread makes 4 elements.
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#extension GL_EXT_buffer_reference_uvec2 : require
#include "diagonal_add.args.h"

layout(local_size_x = 256) in;

void main() {
    bool in_place = uvec2(args.e) == uvec2(args.result);
    uint start = linear_group() * 1024u + gl_LocalInvocationID.x;
    [[unroll]] for (uint k = 0; k < 4; ++k) {
        uint index = start + k * 256u;
        if (one_of(index, args.count)) {
            uint row = index / args.width, node = row / args.n; // (.., i, j) and (.., i)
            bool diagonal = node % args.n == row % args.n;
            if (diagonal || !in_place) {
                float number = args.e.at[index];
                if (diagonal) number += args.d.at[node * args.width + index % args.width];
                args.result.at[index] = number;
            }
        }
    }
}
