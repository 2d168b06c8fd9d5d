#version 460
// binary.comp: elementwise add, subtract, multiply, divide with broadcasting (strides 0). A thread makes 4
// elements: neighbours by 16 bytes where both operands have quads, else 256 apart.
// Constants: 0 the function (order of QUARTIC_BINARY_LIST), 1 and 2 the quads of a and b (lib/quads.glsl).
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "lib/divide.glsl"
#include "lib/quads.glsl"
#include "lib/strided.glsl"
#include "binary.args.h"

layout(local_size_x = 256) in;
layout(constant_id = 0) const uint FUNCTION = 0;
layout(constant_id = 1) const uint A_QUAD = 0;
layout(constant_id = 2) const uint B_QUAD = 0;

vec4 evaluate(vec4 a, vec4 b) {
    switch (FUNCTION) {
    case 0:
        return a + b;
    case 1:
        return a - b;
    case 2:
        return a * b;
    default:
        return vec4(divide(a.x, b.x), divide(a.y, b.y), divide(a.z, b.z), divide(a.w, b.w));
    }
}

#define ADD_AXIS(axis, within)                                                                               \
    at.x += int(within) * args.a_strides[axis];                                                              \
    at.y += int(within) * args.b_strides[axis];

// Where the element lies in a and in b.
ivec2 places_of(uint index) {
    ivec2 at = ivec2(0);
    STRIDED_WALK(index, args.rank, args.dims, args.divide, ADD_AXIS)
    return at;
}

void main() {
    if (A_QUAD != QUAD_NONE && B_QUAD != QUAD_NONE) {
        uint quad = linear_group() * 256u + gl_LocalInvocationID.x;
        if (!one_of(quad, args.count >> 2)) return;
        const ivec2 at = places_of(4u * quad);
        quad_store(args.result, 4u * quad,
                   evaluate(quad_load(args.a, at.x, A_QUAD), quad_load(args.b, at.y, B_QUAD)));
        return;
    }
    const uint first = linear_group() * 1024u + gl_LocalInvocationID.x;
    [[unroll]] for (uint k = 0; k < 4; ++k) {
        uint index = first + k * 256u;
        if (!one_of(index, args.count)) continue;
        const ivec2 at = places_of(index);
        args.result.at[index] = evaluate(vec4(args.a.at[at.x]), vec4(args.b.at[at.y])).x;
    }
}
