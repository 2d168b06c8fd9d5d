#version 460
// hyper_depth_grad.comp: the adjoint of hyper_depth.comp: dbeta_t = dy_t . branch, dbranch = sum_t beta_t dy_t, and
// dkept = sum_t dy_t where kept is the same for all streams.
//
// LANES invocations share a stream, and a workgroup has as many whole tokens as that allows.
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "hyper_depth_grad.args.h"
#include "lib/reduce.glsl"
#include "lib/hyper.h"

layout(local_size_x = 256) in;
layout(constant_id = 0) const uint LANES = 64; // a power of two, at most 256 / STREAMS
layout(constant_id = 1) const uint STREAMS = 4;
layout(constant_id = 2) const uint WANTS = 7; // QUARTIC_HYPER_WANT_*

const uint TOKENS = 256u / LANES / STREAMS;

void write_beta() {
    const uint lane = gl_LocalInvocationIndex % LANES;
    uint slot = gl_LocalInvocationIndex / LANES;
    bool exists = one_of(slot, TOKENS * STREAMS);
    uint token = linear_group() * TOKENS + slot / STREAMS;
    exists = one_of(token, args.tokens) && exists;
    const uint row = token * STREAMS + slot % STREAMS;
    float sum = 0.0;
    for (uint step = lane; step < args.dim; step += LANES) {
        const uint d = min(step, args.dim - 1u);
        sum += args.dy.at[row * args.dim + d] * args.branch.at[token * args.dim + d];
    }
    sum = reduce_sum(sum, LANES);
    if (exists && lane == 0) args.dbeta.at[row] = sum;
}

void write_branch() {
    const uint width = 256u / TOKENS;
    uint own = gl_LocalInvocationIndex / width;
    bool exists = one_of(own, TOKENS);
    uint token = linear_group() * TOKENS + own;
    exists = one_of(token, args.tokens) && exists;
    if (!exists) return;
    for (uint step = gl_LocalInvocationIndex % width; step < args.dim; step += width) {
        const uint d = min(step, args.dim - 1u);
        float branch = 0.0, kept = 0.0;
        for (uint t = 0; t < STREAMS; ++t) {
            const uint row = token * STREAMS + min(t, STREAMS - 1u);
            const float dy = args.dy.at[row * args.dim + d];
            branch += args.beta.at[row] * dy;
            kept += dy;
        }
        if ((WANTS & QUARTIC_HYPER_WANT_BRANCH) != 0) args.dbranch.at[token * args.dim + d] = branch;
        if ((WANTS & QUARTIC_HYPER_WANT_KEPT) != 0) args.dkept.at[token * args.dim + d] = kept;
    }
}

void main() {
    if ((WANTS & QUARTIC_HYPER_WANT_BETA) != 0) write_beta();
    write_branch();
}
