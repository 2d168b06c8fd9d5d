#version 460
// scatter_add_rows.comp: base (zeros if HAS_BASE is 0) plus the rows whose index is this row, in their order
// and without atomics. Where the indices of a graph ascend they are found by bisection, else by looking at
// all of them, STRIDE a round. The result may lie where base lies.
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "scatter_add_rows.args.h"

layout(local_size_x = 256) in;
layout(constant_id = 0) const uint HAS_BASE = 1;

const uint STRIDE = 8;

void main() {
    uint element = linear_group() * 256 + gl_LocalInvocationID.x; // (b, m, column)
    if (!one_of(element, args.count)) return;
    const uint place = element / args.width, graph = place / args.m, column = element % args.width;
    const uint first = graph * args.k, end = first + args.k;
    const int row = int(place % args.m);
    float sum = 0;
    if (HAS_BASE != 0) sum = args.base.at[element];
    if (args.descends.at[graph] == 0) {
        uint low = first, high = end; // where the first index >= row lies
        while (low < high) {
            const uint middle = min((low + high) / 2, end - 1);
            if (args.indices.at[middle] < row)
                low = middle + 1;
            else
                high = middle;
        }
        for (; low < end; ++low) {
            const uint at = min(low, end - 1);
            if (args.indices.at[at] != row) break;
            sum += args.rows.at[at * args.width + column];
        }
    } else {
        for (uint r = first; r < end; r += STRIDE) {
            [[unroll]] for (uint s = 0; s < STRIDE; ++s) {
                const uint here = min(r + s, end - 1);
                if (r + s < end && args.indices.at[here] == row)
                    sum += args.rows.at[here * args.width + column];
            }
        }
    }
    args.result.at[element] = sum;
}
