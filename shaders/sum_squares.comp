#version 460
// sum_squares.comp: sum of squares in two stages: every workgroup sums the elements at a stride, then one
// workgroup sums their results (SQUARE 0). The order is fixed.
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "sum_squares.args.h"
#include "lib/reduce.glsl"

layout(local_size_x = 256) in;
layout(constant_id = 0) const uint SQUARE = 1;

void main() {
    uint group = linear_group();
    if (!one_of(group, args.groups)) return; // the whole workgroup
    float sum = 0.0;
    for (uint i = group * 256u + gl_LocalInvocationIndex; i < args.count; i += args.groups * 256u) {
        float x = args.x.at[min(i, args.count - 1u)];
        sum += SQUARE != 0 ? x * x : x;
    }
    sum = reduce_sum(sum, 256u);
    if (gl_LocalInvocationIndex == 0) args.result.at[group] = sum;
}
