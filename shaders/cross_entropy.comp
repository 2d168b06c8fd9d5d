#version 460
// cross_entropy.comp: first stage of the loss: -log softmax(logits)[target] of each row, 0 where the target
// is ignored (negative or not a class). LANES invocations share a row, 256 / LANES rows a workgroup.
// The first workgroup counts the targets that are not ignored, for the mean and for the adjoint.
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "cross_entropy.args.h"
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
    if (exists && lane == 0)
        args.row_losses.at[row] =
            counts
                ? approx_log(running.sum) +
                      (running.largest - args.logits.at[base + uint(clamp(target, 0, int(args.classes) - 1))])
                : 0.0;

    if (linear_group() != 0) return; // the whole workgroup
    float count = 0.0;
    for (uint step = gl_LocalInvocationIndex; step < args.rows; step += 256u) {
        int other = args.targets.at[min(step, args.rows - 1)];
        count += other >= 0 && uint(other) < args.classes ? 1.0 : 0.0;
    }
    count = reduce_sum(count, 256u);
    if (gl_LocalInvocationIndex == 0) args.count.at[0] = max(count, 1.0);
}
