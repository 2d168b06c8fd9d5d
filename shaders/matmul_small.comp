#version 460
// matmul_small.comp: one result per invocation, read straight from memory. For very many tiny products.
// Constants: 2 BK (elements of the contraction in a step), 7 how results are written.
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "matmul.args.h"
#include "lib/matmul.glsl"

layout(local_size_x = 256) in;
layout(constant_id = 2) const uint BK = 64;
layout(constant_id = 7) const uint WRITE = 0;

void main() {
    uint index = linear_group() * 256u + gl_LocalInvocationID.x, results = args.m * args.n;
    uint batch = index / results, row = index % results / args.n, col = index % args.n;
    if (!one_of(batch, matmul_batches())) return;
    ivec2 at = matmul_axes_at(batch, 0, batch_axes());
    at += ivec2(row, col) * ivec2(args.a_row, args.b_col);
    uint steps = matmul_steps(BK);
    float sum = 0.0;
    for (uint step = 0; step < steps; ++step) {
        matmul_step inner = matmul_step_at(step, BK);
        uint end = min(inner.k + BK, args.k);
        for (uint k = inner.k; k < end; ++k) {
            const int inside = int(min(k, args.k - 1));
            sum +=
                args.a.at[at.x + inner.a + inside * args.a_k] * args.b.at[at.y + inner.b + inside * args.b_k];
        }
    }
    matmul_put(batch * results, row, col, sum, matmul_bias(col, WRITE), WRITE);
}
