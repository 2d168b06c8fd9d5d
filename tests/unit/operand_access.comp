#version 460
// operand_access.comp: reaches each operand in another way, for gpu_operand_access_test.c; compiled unoptimised.
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"

layout(buffer_reference, std430, buffer_reference_align = 16) buffer Quads {
    vec4 at[];
};
layout(push_constant, std430) uniform access_args {
    Floats plain;   // 0: loaded
    Ints atomic;    // 1: loaded and stored
    Floats recast;  // 2: loaded as quads
    Floats listed[2]; // 3: loaded by a constant index; 4: stored by one
    Floats passed;  // 5: loaded in a function
    Floats filled;  // 6: stored in a function that gives the reference back
    Floats held;    // 7: loaded through a local struct
    Floats spread;  // 8: stored in a loop
    Floats unread;  // 9: neither; a function that nobody calls reads it
    uint count;
} args;

layout(local_size_x = 1) in;

struct Held {
    uint other;
    Floats reference;
};

float load(Floats from, uint index) {
    return from.at[index];
}
Floats store(Floats to, float number) {
    to.at[0] = number;
    return to;
}
float unused() {
    return args.unread.at[0];
}

void main() {
    Held held;
    held.reference = args.held;
    Floats turn = args.spread;
    float sum = args.plain.at[0] + Quads(args.recast).at[0].x + args.listed[0].at[1] + load(args.passed, 2) +
                held.reference.at[0];
    sum += float(atomicAdd(args.atomic.at[0], 1));
    args.listed[1].at[0] = sum;
    store(args.filled, sum).at[1] = sum;
    for (uint k = 0; k < args.count; ++k) {
        turn.at[k] = sum;
        turn = args.spread;
    }
}
