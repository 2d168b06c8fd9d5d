#version 460
// triangle_pack.comp: one operand of triangle attention from any strides to rows of aligned vec4; see
// lib/triangle.glsl. The other kernels read each row n times, so that this walk over it once is small.
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "triangle_pack.args.h"

layout(local_size_x = 256) in;

void main() {
    uint index = linear_group() * 256u + gl_LocalInvocationID.x;
    if (!one_of(index, args.count)) return;
    const uint row = index / args.lanes;
    uint lane = index % args.lanes;
    const uint second = row % args.n, first = row / args.n % args.n, unit = row / args.n / args.n;
    float number = 0.0;
    if (one_of(lane, args.width))
        number =
            args.factor * args.x.at[int(unit / args.heads) * args.strides[0] + int(first) * args.strides[1] +
                                    int(second) * args.strides[2] + int(unit % args.heads) * args.strides[3] +
                                    int(lane) * args.strides[4]];
    args.packed.at[index] = number;
}
