#version 460
// matmul_reduce.comp: adds the partial results of a split contraction, in order, and applies the epilogue.
// Constants: 0 with bias, 1 with addend.
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "matmul_reduce.args.h"

layout(local_size_x = 64) in;
layout(constant_id = 0) const uint WITH_BIAS = 0;
layout(constant_id = 1) const uint WITH_ADDEND = 0;

void main() {
    uint index = linear_group() * 64u + gl_LocalInvocationID.x;
    if (!one_of(index, args.count)) return;
    float sum = 0.0;
    for (uint split = 0; split < args.splits; ++split)
        sum += args.partial.at[min(split, args.splits - 1) * args.count + index];
    sum *= args.alpha;
    if (WITH_BIAS != 0) sum += args.bias.at[index % args.n];
    if (WITH_ADDEND != 0) sum += args.addend.at[index];
    args.result.at[index] = sum;
}
