#version 460
// gate.comp: y = x * sigmoid(gates), a gate for each head of a token. An invocation makes 4 elements: neighbours by
// 16 bytes where x has quads, else 256 apart.
// Constants: 0 the quads of x (lib/quads.glsl).
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "lib/functions.h"
#include "lib/quads.glsl"
#include "lib/strided.glsl"
#include "gate.args.h"

layout(local_size_x = 256) in;
layout(constant_id = 0) const uint QUAD = 0;

#define ADD_AXIS(axis, within) at += int(within) * args.strides[axis];

int position_of(uint index) {
    int at = 0;
    STRIDED_WALK(index, 4, args.dims, args.divide, ADD_AXIS)
    return at;
}

// The gate of an element: that of its head.
float gate_of(uint index) {
    const uint row = strided_divide(index, args.divide[2], args.divide[5] >> 10 & 31u);
    return approx_sigmoid(args.gates.at[row]);
}

void main() {
    if (QUAD != QUAD_NONE) {
        uint quad = linear_group() * 256u + gl_LocalInvocationID.x;
        if (!one_of(quad, args.count >> 2)) return;
        const uint index = 4u * quad;
        quad_store(args.y, index, quad_load(args.x, position_of(index), QUAD) * gate_of(index));
        return;
    }
    const uint first = linear_group() * 1024u + gl_LocalInvocationID.x;
    [[unroll]] for (uint k = 0; k < 4; ++k) {
        uint index = first + k * 256u;
        if (one_of(index, args.count)) args.y.at[index] = args.x.at[position_of(index)] * gate_of(index);
    }
}
