#version 460
// dropout.comp: zeroes elements at random. A thread makes the 4 elements of one Philox block.
// Constants: 0 whether both arrays begin at 16 bytes.
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "lib/philox.glsl"
#include "lib/quads.glsl"
#include "dropout.args.h"

layout(local_size_x = 256) in;
layout(constant_id = 0) const uint QUADS = 0;

void main() {
    const uint block = linear_group() * 256u + gl_LocalInvocationID.x;
    uvec2 seed = uvec2(args.seed.at[0], args.seed.at[1]);
    vec4 uniforms = random_uniform4(seed, args.stream, block);
    uint quad = block;
    if (QUADS != 0 && one_of(quad, args.count >> 2)) {
        vec4 x = quad_load(args.x, int(4u * quad), QUAD_ONE);
        [[unroll]] for (uint k = 0; k < 4; ++k)
            x[k] = uniforms[k] < args.probability ? 0.0 : x[k] * args.factor;
        quad_store(args.result, 4u * quad, x);
        return;
    }
    [[unroll]] for (uint k = 0; k < 4; ++k) {
        uint index = block * 4u + k;
        if (one_of(index, args.count))
            args.result.at[index] = uniforms[k] < args.probability ? 0.0 : args.x.at[index] * args.factor;
    }
}
