#version 460
// gate.comp: y = x * sigmoid(gates), a gate for each head of a token.
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "lib/functions.h"
#include "gate.args.h"

layout(local_size_x = 256) in;

void main() {
    const uint first = linear_group() * 1024u + gl_LocalInvocationID.x;
    [[unroll]] for (uint k = 0; k < 4; ++k) {
        uint index = first + k * 256u;
        if (!one_of(index, args.count)) continue;
        const uint row = index / args.extents[2], head = row % args.extents[1], token = row / args.extents[1];
        const int at = int(token / args.extents[0]) * args.strides[0] +
                       int(token % args.extents[0]) * args.strides[1] + int(head) * args.strides[2] +
                       int(index % args.extents[2]) * args.strides[3];
        args.y.at[index] = args.x.at[at] * approx_sigmoid(args.gates.at[row]);
    }
}
