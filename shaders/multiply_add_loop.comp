#version 460
// multiply_add_loop.comp: rounds of y * factor + offset on independent elements, all in registers.
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "lib/multiply_add_loop.h"
#include "multiply_add_loop.args.h"

const uint ROUNDS = 8;

layout(local_size_x = QUARTIC_MULTIPLY_ADD_GROUP) in;

void main() {
    const uint first =
        linear_group() * QUARTIC_MULTIPLY_ADD_GROUP * QUARTIC_MULTIPLY_ADD_CHAINS + gl_LocalInvocationID.x;
    float y[QUARTIC_MULTIPLY_ADD_CHAINS];
    [[unroll]] for (uint k = 0; k < QUARTIC_MULTIPLY_ADD_CHAINS; ++k) {
        uint i = first + k * QUARTIC_MULTIPLY_ADD_GROUP;
        y[k] = 0.0;
        if (one_of(i, args.elements)) y[k] = args.x.at[i];
    }
    // Several rounds a turn, so that the loop itself costs little.
    uint round = 0;
    for (; round + ROUNDS <= args.count; round += ROUNDS) {
        [[unroll]] for (uint r = 0; r < ROUNDS; ++r) {
            [[unroll]] for (uint k = 0; k < QUARTIC_MULTIPLY_ADD_CHAINS; ++k)
                y[k] = fma(y[k], args.factor, args.offset);
        }
    }
    for (; round < args.count; ++round) {
        [[unroll]] for (uint k = 0; k < QUARTIC_MULTIPLY_ADD_CHAINS; ++k)
            y[k] = fma(y[k], args.factor, args.offset);
    }
    [[unroll]] for (uint k = 0; k < QUARTIC_MULTIPLY_ADD_CHAINS; ++k) {
        const uint i = first + k * QUARTIC_MULTIPLY_ADD_GROUP;
        if (i < args.elements) args.y.at[i] = y[k];
    }
}
