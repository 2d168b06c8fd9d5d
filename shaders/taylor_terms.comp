#version 460
// taylor_terms.comp: what the adjoint of Taylor attention needs of a query besides g: terms = (1 / z, D) with
// D = g . out / z, or 0 where the denominator z is clamped and passes no gradient.
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "taylor_terms.args.h"

layout(local_size_x = 256) in;

void main() {
    uint row = linear_group() * 256u + gl_LocalInvocationID.x;
    if (!one_of(row, args.count)) return;
    const float z = args.z.at[row];
    float sum = 0;
    for (uint e = 0; e < args.width; ++e) {
        const uint at = row * args.width + min(e, args.width - 1);
        sum += args.g.at[at] * args.result.at[at];
    }
    args.terms.at[2 * row] = 1 / z;
    args.terms.at[2 * row + 1] = z > 1e-5 ? sum / z : 0.0;
}
