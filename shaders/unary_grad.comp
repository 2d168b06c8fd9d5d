#version 460
// unary_grad.comp: adjoints of the elementwise functions. s is f(x) for exp, sqrt, relu, sigmoid and tanh,
// else x. A thread makes 4 elements: neighbours by 16 bytes where both operands have quads, else 256 apart.
// Constants: 0 the function (lib/unary_list.h), 1 and 2 the quads of g and s (lib/quads.glsl).
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "lib/divide.glsl"
#include "lib/functions.h"
#include "lib/quads.glsl"
#include "lib/strided.glsl"
#include "lib/unary_list.h"
#include "unary_grad.args.h"

layout(local_size_x = 256) in;
layout(constant_id = 0) const uint FUNCTION = 0;
layout(constant_id = 1) const uint G_QUAD = 0;
layout(constant_id = 2) const uint S_QUAD = 0;

#define ADD_AXIS(axis, within)                                                                               \
    at.x += int(within) * args.g_strides[axis];                                                              \
    at.y += int(within) * args.s_strides[axis];

// Where the element lies in g and in s.
ivec2 places_of(uint index) {
    ivec2 at = ivec2(0);
    STRIDED_WALK(index, args.rank, args.dims, args.divide, ADD_AXIS)
    return at;
}

float evaluate(float g, float s) {
    switch (FUNCTION) {
    case UNARY_EXP:
        return g * s;
    case UNARY_LOG:
        return divide(g, s);
    case UNARY_SQRT:
        return divide(0.5 * g, s);
    case UNARY_SQUARE:
        return 2.0 * g * s;
    case UNARY_RELU:
        return s <= 0.0 ? 0.0 : g;
    case UNARY_SIGMOID:
        return g * s * (1.0 - s);
    case UNARY_TANH:
        return g * (1.0 - s * s);
    case UNARY_SILU: {
        float y = approx_sigmoid(s);
        return g * y * (1.0 + s * (1.0 - y));
    }
    default: { // gelu: Phi(x) + x times the normal density
        float bell = approx_normal_bell(s);
        return g * (approx_normal_cdf(s, bell) + s * (bell * 0.3989422804));
    }
    }
}

void main() {
    if (G_QUAD != QUAD_NONE && S_QUAD != QUAD_NONE) {
        uint quad = linear_group() * 256u + gl_LocalInvocationID.x;
        if (!one_of(quad, args.count >> 2)) return;
        const ivec2 at = places_of(4u * quad);
        const vec4 s = quad_load(args.s, at.y, S_QUAD);
        vec4 four = quad_load(args.g, at.x, G_QUAD);
        [[unroll]] for (uint k = 0; k < 4; ++k) four[k] = evaluate(four[k], s[k]);
        quad_store(args.result, 4u * quad, four);
        return;
    }
    const uint first = linear_group() * 1024u + gl_LocalInvocationID.x;
    [[unroll]] for (uint k = 0; k < 4; ++k) {
        uint index = first + k * 256u;
        if (!one_of(index, args.count)) continue;
        const ivec2 at = places_of(index);
        args.result.at[index] = evaluate(args.g.at[at.x], args.s.at[at.y]);
    }
}
