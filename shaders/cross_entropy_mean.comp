#version 460
// cross_entropy_mean.comp: divides by the number of targets that count, in one workgroup. MEAN: the numerator
// is the sum of the row losses (rows), and the result the loss; else it is one number, the loss's cotangent.
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "cross_entropy_mean.args.h"
#include "lib/reduce.glsl"

layout(local_size_x = 256) in;
layout(constant_id = 0) const uint MEAN = 1;

void main() {
    float sum = 0.0;
    uint count = 0;
    for (uint step = gl_LocalInvocationIndex; step < args.rows; step += 256u) {
        const uint row = min(step, args.rows - 1);
        int target = args.targets.at[row];
        count += uint(target >= 0 && uint(target) < args.classes);
        if (MEAN != 0) sum += args.numerator.at[row];
    }
    vec2 total = reduce_sum(vec2(sum, float(count)), 256u);
    if (gl_LocalInvocationIndex == 0)
        args.result.at[0] = (MEAN != 0 ? total.x : args.numerator.at[0]) / max(total.y, 1.0);
}
