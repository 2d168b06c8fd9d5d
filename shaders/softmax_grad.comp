#version 460
// softmax_grad.comp: adjoint of softmax from its output, with a refined mean (see src/ops/softmax.c). Hidden
// entries have p = 0 and so get 0; causal ones are not even read. Rows and lanes as in softmax.comp; dsim may
// lie where p or dp lies.
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "softmax_grad.args.h"
#include "lib/reduce.glsl"

layout(local_size_x = 256) in;
layout(constant_id = 0) const uint LANES = 256; // a power of two
layout(constant_id = 1) const uint CAUSAL = 0;

void main() {
    uint lane = gl_LocalInvocationIndex % LANES;
    uint row = linear_group() * (256u / LANES) + gl_LocalInvocationIndex / LANES;
    bool exists = one_of(row, args.rows);
    uint base = row * args.keys;
    uint end = CAUSAL != 0 ? min(row % args.queries + 1u, args.keys) : args.keys;
    if (!exists) end = 0;

    vec2 sums = vec2(0.0); // of p, of dp p
    for (uint j = lane; j < end; j += LANES) {
        const uint at = base + min(j, args.keys - 1);
        float p = args.p.at[at];
        sums += vec2(p, args.dp.at[at] * p);
    }
    sums = reduce_sum(sums, LANES);
    float factor = sums.x != 0.0 ? 1.0 / sums.x : 0.0;
    float mean = sums.y * factor, rest = 0.0;
    for (uint j = lane; j < end; j += LANES) {
        const uint at = base + min(j, args.keys - 1);
        rest += (args.dp.at[at] - mean) * args.p.at[at];
    }
    rest = reduce_sum(rest, LANES) * factor;

    for (uint j = lane; exists && j < args.keys; j += LANES) {
        const uint at = base + min(j, args.keys - 1);
        args.dsim.at[at] = j < end ? args.p.at[at] * ((args.dp.at[at] - mean) - rest) : 0.0;
    }
}
