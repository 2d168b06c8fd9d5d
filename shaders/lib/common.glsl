// common.glsl: what every shader shares. Include it first, right after #version.
//
// Memory is reached through buffer device addresses, never descriptors. Indices have 32 bits. linear_group()
// undoes quartic_dispatch_groups; groups beyond a shader's count must return.
//
// A driver may load above the condition that guards a load, or load for lanes that are idle. So no address
// may be null or leave its operand, whatever the conditions around say: whether an operand is there is a
// specialisation constant, and an index beyond the last is clamped to it (one_of, or min) before it becomes
// an address. That holds for the counter of a loop too: lavapipe loads once more where all lanes have left
// it.
#extension GL_EXT_buffer_reference : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_EXT_scalar_block_layout : require

layout(buffer_reference, std430, buffer_reference_align = 4) buffer Floats {
    float at[];
};
layout(buffer_reference, std430, buffer_reference_align = 4) buffer Ints {
    int at[];
};

#define NOT_A_NUMBER intBitsToFloat(0x7fc00000)

#define QUARTIC_GLSL 1
#include "lib/args.h"

uint linear_group() {
    return gl_WorkGroupID.x + gl_WorkGroupID.y * 65535u;
}

// Whether the number is one of 0 .. count - 1. A number beyond the last becomes the last.
bool one_of(inout uint number, uint count) {
    const bool exists = number < count;
    number = min(number, count - 1u);
    return exists;
}
