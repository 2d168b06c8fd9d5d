#version 460
// dropout.comp: zeroes elements at random. A thread makes the 4 elements of one Philox block.
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "lib/philox.glsl"
#include "dropout.args.h"

layout(local_size_x = 256) in;

void main() {
    uint block = linear_group() * 256u + gl_LocalInvocationID.x;
    uvec2 seed = uvec2(args.seed.at[0], args.seed.at[1]);
    vec4 uniforms = random_uniform4(seed, args.stream, block);
    [[unroll]] for (uint k = 0; k < 4; ++k) {
        uint index = block * 4u + k;
        if (one_of(index, args.count))
            args.result.at[index] = uniforms[k] < args.probability ? 0.0 : args.x.at[index] * args.factor;
    }
}
