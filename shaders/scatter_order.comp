#version 460
// scatter_order.comp: whether the indices of each graph ascend, for scatter_add_rows.comp, which then finds
// rows by bisection. A workgroup looks at one graph.
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "scatter_order.args.h"

layout(local_size_x = 256) in;

shared uint found;

void main() {
    const uint graph = min(linear_group(), args.graphs - 1), first = graph * args.k;
    if (gl_LocalInvocationID.x == 0) found = 0;
    barrier();
    bool descends = false;
    for (uint r = 1 + gl_LocalInvocationID.x; r < args.k; r += 256) {
        const uint at = min(r, args.k - 1), before = max(at, 1u) - 1;
        descends = descends || args.indices.at[first + at] < args.indices.at[first + before];
    }
    if (descends) atomicOr(found, 1u);
    barrier();
    if (gl_LocalInvocationID.x == 0) args.descends.at[graph] = int(found);
}
