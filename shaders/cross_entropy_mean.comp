#version 460
// cross_entropy_mean.comp: the mean of the row losses over the targets that count, in one workgroup.
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "cross_entropy_mean.args.h"
#include "lib/reduce.glsl"

layout(local_size_x = 256) in;

void main() {
    float sum = 0.0;
    for (uint row = gl_LocalInvocationIndex; row < args.rows; row += 256u)
        sum += args.row_losses.at[min(row, args.rows - 1)];
    sum = reduce_sum(sum, 256u);
    if (gl_LocalInvocationIndex == 0) args.loss.at[0] = sum / args.count.at[0];
}
