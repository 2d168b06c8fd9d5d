#version 460
// unary.comp: elementwise functions of one operand, strided in, contiguous out. A thread makes 4 elements.
// Constants: 0 the function (lib/unary_list.h), 1 whether the operand is contiguous.
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "lib/functions.h"
#include "lib/strided.glsl"
#include "lib/unary_list.h"
#include "unary.args.h"

layout(local_size_x = 256) in;
layout(constant_id = 0) const uint FUNCTION = 0;
layout(constant_id = 1) const uint CONTIGUOUS = 0;

STRIDED_POSITION(position_of, 0, args.rank, args.dims, args.strides)

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
    uint first = linear_group() * 1024u + gl_LocalInvocationID.x;
    [[unroll]] for (uint k = 0; k < 4; ++k) {
        uint index = first + k * 256u;
        if (one_of(index, args.count))
            args.result.at[index] = evaluate(args.x.at[CONTIGUOUS != 0 ? int(index) : position_of(index)]);
    }
}
