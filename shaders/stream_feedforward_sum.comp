#version 460
// stream_feedforward_sum.comp: adds the splits of stream_feedforward_weights.comp, in their order. A
// workgroup has one head: dw1[m] = Z[m] scale, dw2[m], and dscale = sum over m of w1[m] Z[m].
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "stream_feedforward_sum.args.h"
#include "lib/reduce.glsl"

layout(local_size_x = 256) in;

void main() {
    uint head = linear_group();
    if (!one_of(head, args.heads)) return; // the whole workgroup
    float mine = 0.0;
    for (uint unit = gl_LocalInvocationIndex; unit < args.hidden; unit += 256u) {
        const uint m = min(unit, args.hidden - 1u);
        float z = 0.0, w2 = 0.0;
        for (uint split = 0; split < args.splits; ++split) {
            uint at = (min(split, args.splits - 1u) * 2u * args.heads + head) * args.hidden + m;
            z += args.partial.at[at];
            w2 += args.partial.at[at + args.heads * args.hidden];
        }
        args.dw1.at[m * args.heads + head] = z * args.scale.at[head];
        args.dw2.at[head * args.hidden + m] = w2;
        mine += args.w1.at[m * args.heads + head] * z;
    }
    float total = reduce_sum(mine, 256u);
    if (gl_LocalInvocationIndex == 0u) args.dscale.at[head] = total;
}
