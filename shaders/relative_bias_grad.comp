#version 460
// relative_bias_grad.comp: sums along the diagonals of (n, n, width). A workgroup makes 32 columns of one
// diagonal; its 8 lanes take every eighth entry and are added at the end.
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "relative_bias_grad.args.h"

layout(local_size_x = 256) in;

shared float sums[8][32]; // (lane, column)

void main() {
    uint within = gl_LocalInvocationID.x % 32u, lane = gl_LocalInvocationID.x / 32u;
    uint blocks = (args.width + 31u) / 32u, group = linear_group();
    uint row = group / blocks, column = group % blocks * 32u + within;
    bool inside = one_of(row, 2u * args.n - 1u);
    inside = one_of(column, args.width) && inside;
    // The diagonal starts on the top edge (row < n) or the left edge, at i0 or j0, and has entries many.
    uint i0 = row < args.n ? 0u : row - (args.n - 1u), j0 = row < args.n ? args.n - 1u - row : 0u;
    uint entries = args.n - i0 - j0;
    float sum = 0.0;
    if (inside)
        for (uint entry = lane; entry < entries; entry += 8u) {
            const uint k = min(entry, entries - 1);
            sum += args.g.at[((i0 + k) * args.n + j0 + k) * args.width + column];
        }
    sums[lane][within] = sum;
    barrier();
    if (inside && lane == 0u) {
        for (uint l = 1; l < 8u; ++l) sum += sums[l][within];
        args.result.at[row * args.width + column] = sum;
    }
}
