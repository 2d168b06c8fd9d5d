#version 460
// range.comp: numbers at equal distances.
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "range.args.h"

layout(local_size_x = 256) in;

void main() {
    uint index = linear_group() * 256u + gl_LocalInvocationID.x;
    if (!one_of(index, args.count)) return;
    args.result.at[index] = args.start + float(index) * args.step;
}
