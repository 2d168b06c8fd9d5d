#version 460
// unary_grad.comp: adjoints of the elementwise functions. s is f(x) for exp, sqrt, relu, sigmoid and tanh,
// else x. A thread makes 4 elements.
// Constants: 0 the function (lib/unary_list.h), 1 whether both operands are contiguous.
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "lib/functions.h"
#include "lib/strided.glsl"
#include "lib/unary_list.h"
#include "unary_grad.args.h"

layout(local_size_x = 256) in;
layout(constant_id = 0) const uint FUNCTION = 0;
layout(constant_id = 1) const uint CONTIGUOUS = 0;

STRIDED_POSITION(position_in_g, 0, args.rank, args.dims, args.g_strides)
STRIDED_POSITION(position_in_s, 0, args.rank, args.dims, args.s_strides)

float evaluate(float g, float s) {
    switch (FUNCTION) {
    case UNARY_EXP:
        return g * s;
    case UNARY_LOG:
        return g / s;
    case UNARY_SQRT:
        return 0.5 * g / s;
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
    uint first = linear_group() * 1024u + gl_LocalInvocationID.x;
    [[unroll]] for (uint k = 0; k < 4; ++k) {
        uint index = first + k * 256u;
        if (one_of(index, args.count)) {
            int at_g = CONTIGUOUS != 0 ? int(index) : position_in_g(index);
            int at_s = CONTIGUOUS != 0 ? int(index) : position_in_s(index);
            args.result.at[index] = evaluate(args.g.at[at_g], args.s.at[at_s]);
        }
    }
}
