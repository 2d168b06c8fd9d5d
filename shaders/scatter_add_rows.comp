#version 460
// scatter_add_rows.comp: base (zeros if HAS_BASE is 0) plus the rows whose index is this row. Indices ascend, so they
// are found by bisection and added in their order, without atomics. The result may lie where base lies.
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "scatter_add_rows.args.h"

layout(local_size_x = 256) in;
layout(constant_id = 0) const uint HAS_BASE = 1;

void main() {
    const uint element = linear_group() * 256 + gl_LocalInvocationID.x; // (b, m, column)
    if (element >= args.count) return;
    const uint place = element / args.width, first = place / args.m * args.k, end = first + args.k;
    const int row = int(place % args.m);
    uint low = first, high = end; // where the first index >= row lies
    while (low < high) {
        const uint middle = (low + high) / 2;
        if (args.indices.at[middle] < row)
            low = middle + 1;
        else
            high = middle;
    }
    float sum = 0;
    if (HAS_BASE != 0) sum = args.base.at[element];
    for (; low < end; ++low) {
        if (args.indices.at[low] != row) break;
        sum += args.rows.at[low * args.width + element % args.width];
    }
    args.result.at[element] = sum;
}
