#version 460
// cross_entropy_grad.comp: dlogits = (softmax(logits) - onehot(target)) * g / count, zeros where the target is
// ignored. Rows and lanes as in cross_entropy.comp; a lane writes only what it read, so dlogits may lie where
// logits lies.
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "cross_entropy_grad.args.h"
#include "lib/reduce.glsl"
#include "lib/softmax.glsl"

layout(local_size_x = 256) in;
layout(constant_id = 0) const uint LANES = 256; // a power of two

void main() {
    uint lane = gl_LocalInvocationIndex % LANES;
    uint row = linear_group() * (256u / LANES) + gl_LocalInvocationIndex / LANES;
    bool exists = one_of(row, args.rows);
    uint base = row * args.classes;
    int target = exists ? args.targets.at[row] : -1;
    bool counts = target >= 0 && uint(target) < args.classes;

    RunningSum running = RunningSum(LOWEST, 0.0);
    for (uint c = lane; counts && c < args.classes; c += LANES)
        running_add(running, args.logits.at[base + min(c, args.classes - 1)]);
    running = running_reduce(running, LANES);
    float factor = args.g.at[0] / args.count.at[0];

    for (uint c = lane; exists && c < args.classes; c += LANES) {
        float d = 0.0;
        if (counts) {
            float p =
                approx_exp(args.logits.at[base + min(c, args.classes - 1)] - running.largest) / running.sum;
            d = (c == uint(target) ? p - 1.0 : p) * factor;
        }
        args.dlogits.at[base + c] = d;
    }
}
