#version 460
// unary.comp: elementwise functions of one operand, strided in, contiguous out. A thread makes 4 elements:
// neighbours by 16 bytes where the operand has quads, else 256 apart.
// Constants: 0 the function (lib/unary_list.h), 1 the quads of the operand (lib/quads.glsl).
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "lib/functions.h"
#include "lib/quads.glsl"
#include "lib/strided.glsl"
#include "lib/unary_list.h"
#include "unary.args.h"

layout(local_size_x = 256) in;
layout(constant_id = 0) const uint FUNCTION = 0;
layout(constant_id = 1) const uint QUAD = 0;

#define ADD_AXIS(axis, within) at += int(within) * args.strides[axis];

int position_of(uint index) {
    int at = 0;
    STRIDED_WALK(index, args.rank, args.dims, args.divide, ADD_AXIS)
    return at;
}

float evaluate(float x) {
    switch (FUNCTION) {
    case UNARY_NEGATE:
        return -x;
    case UNARY_EXP:
        return approx_exp(x);
    case UNARY_LOG:
        return approx_log(x);
    case UNARY_SQRT:
        return sqrt(x);
    case UNARY_SQUARE:
        return x * x;
    case UNARY_RELU:
        return x <= 0.0 ? 0.0 : x;
    case UNARY_SIGMOID:
        return approx_sigmoid(x);
    case UNARY_TANH:
        return approx_tanh(x);
    case UNARY_SILU:
        return x * approx_sigmoid(x);
    case UNARY_GELU:
        return x * approx_normal_cdf(x, approx_normal_bell(x));
    default:
        return x * args.factor + args.offset;
    }
}

void main() {
    if (QUAD != QUAD_NONE) {
        uint quad = linear_group() * 256u + gl_LocalInvocationID.x;
        if (!one_of(quad, args.count >> 2)) return;
        vec4 four = quad_load(args.x, position_of(4u * quad), QUAD);
        [[unroll]] for (uint k = 0; k < 4; ++k) four[k] = evaluate(four[k]);
        quad_store(args.result, 4u * quad, four);
        return;
    }
    const uint first = linear_group() * 1024u + gl_LocalInvocationID.x;
    [[unroll]] for (uint k = 0; k < 4; ++k) {
        uint index = first + k * 256u;
        if (one_of(index, args.count)) args.result.at[index] = evaluate(args.x.at[position_of(index)]);
    }
}
