#version 460
// hyper_width_sum.comp: adds up the partial sums of hyper_width_grad.comp in a fixed order and makes the gradients of
// all seven parameters of them.
//
// A workgroup has COLUMNS neighbouring columns, or after column_groups workgroups COLUMNS of the sums that have none;
// 256 / COLUMNS lanes share one.
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "hyper_width_sum.args.h"
#include "lib/reduce.glsl"

layout(local_size_x = 256) in;
layout(constant_id = 0) const uint COLUMNS = 8; // a power of two
layout(constant_id = 1) const uint STREAMS = 4;
layout(constant_id = 2) const uint ROWS = 4; // STREAMS, or 1 if all streams are equal

const uint SUMS = STREAMS + 2u, ALPHAS = STREAMS + 1u, STATICS = ROWS * ALPHAS + STREAMS + 2u;

// The sum over all workgroups of the partial sum at `first`, `stride` apart; for the lanes below COLUMNS.
float add_up(uint first, uint stride) {
    float sum = 0.0;
    for (uint group = gl_LocalInvocationIndex / COLUMNS; group < args.count; group += 256u / COLUMNS)
        sum += args.partial.at[first + min(group, args.count - 1u) * stride];
    return fold_sum(sum, COLUMNS);
}

void write_columns() {
    uint d = linear_group() * COLUMNS + gl_LocalInvocationIndex % COLUMNS;
    const bool exists = one_of(d, args.dim) && gl_LocalInvocationIndex < COLUMNS;
    const float weight = args.gamma.at[d] + 1.0;
    float dgamma = 0.0;
    for (uint k = 0; k < SUMS; ++k) {
        const uint number = min(k, SUMS - 1u);
        const float sum = add_up(number * args.dim + d, SUMS * args.dim);
        if (number < ALPHAS) {
            const uint at = d * ALPHAS + number;
            dgamma += args.alpha_fn.at[at] * sum;
            if (exists) args.dalpha_fn.at[at] = weight * sum;
        } else {
            dgamma += args.beta_fn.at[d] * sum;
            if (exists) args.dbeta_fn.at[d] = weight * sum;
        }
    }
    if (exists) args.dgamma.at[d] = dgamma;
}

void write_statics() {
    uint number = (linear_group() - args.column_groups) * COLUMNS + gl_LocalInvocationIndex % COLUMNS;
    const bool exists = one_of(number, STATICS) && gl_LocalInvocationIndex < COLUMNS;
    const float sum = add_up(args.count * SUMS * args.dim + number, STATICS);
    if (!exists) return;
    const uint after = number - min(number, ROWS * ALPHAS); // of the sums after dalpha
    if (number < ROWS * ALPHAS)
        for (uint s = 0; s < STREAMS / ROWS; ++s)
            args.dstatic_alpha.at[min(s, STREAMS - 1u) * ALPHAS + number] = sum;
    else if (after < STREAMS)
        args.dstatic_beta.at[after] = sum;
    else if (after == STREAMS)
        args.dalpha_scale.at[0] = sum;
    else
        args.dbeta_scale.at[0] = sum;
}

void main() {
    if (linear_group() < args.column_groups)
        write_columns();
    else
        write_statics();
}
