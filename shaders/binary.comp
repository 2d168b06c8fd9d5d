#version 460
// binary.comp: elementwise add, subtract, multiply, divide with broadcasting (strides 0).
// Constants: 0 the function (order of QUARTIC_BINARY_LIST), 1 whether both operands are contiguous.
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "binary.args.h"

layout(local_size_x = 256) in;
layout(constant_id = 0) const uint FUNCTION = 0;
layout(constant_id = 1) const uint CONTIGUOUS = 0;

float evaluate(float a, float b) {
    switch (FUNCTION) {
    case 0:
        return a + b;
    case 1:
        return a - b;
    case 2:
        return a * b;
    default:
        return a / b;
    }
}

void main() {
    uint index = linear_group() * 256u + gl_LocalInvocationID.x;
    if (!one_of(index, args.count)) return;
    int at_a = int(index), at_b = int(index);
    if (CONTIGUOUS == 0) {
        at_a = 0;
        at_b = 0;
        uint rest = index;
        for (int axis = int(args.rank) - 1; axis >= 0; --axis) {
            uint within = rest % args.dims[axis];
            rest /= args.dims[axis];
            at_a += int(within) * args.a_strides[axis];
            at_b += int(within) * args.b_strides[axis];
        }
    }
    args.result.at[index] = evaluate(args.a.at[at_a], args.b.at[at_b]);
}
