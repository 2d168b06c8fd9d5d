#version 460
// fill.comp: one 32-bit word, float or integer, into every element.
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "fill.args.h"

layout(local_size_x = 256) in;

void main() {
    uint i = linear_group() * 256u + gl_LocalInvocationID.x;
    if (one_of(i, args.count)) args.target.at[i] = args.bits;
}
