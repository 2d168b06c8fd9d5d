#version 460
// hyper_width.comp: the width connection of a hyper-connection; formulas in src/ops/hyper/hyper_width.c.
//
// Each slot has the norm and the S + 2 products of its row. Then the lanes of a token mix its rows, CHUNK of the S + 1
// mixtures at a time, with the coefficients in shared memory.
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "hyper_width.args.h"
#include "lib/reduce.glsl"
#include "lib/hyper.glsl"

layout(local_size_x = 256) in;
layout(constant_id = 4) const uint MIXES = 1;
layout(constant_id = 5) const uint CHUNK = 5;

const uint MIXTURES = MIXES != 0 ? STREAMS + 1u : 1u;
const uint PAIRS = (SUMS + 2u) / 2u; // of the products and the sum of squares

shared float alphas[SLOTS * CHUNK];
shared float row_scales[TOKENS], row_amounts[TOKENS]; // of equal streams

float alpha_of(uint row, uint t, float logit) {
    const float dynamic = approx_tanh(logit) * args.alpha_scale.at[0];
    if (EQUAL == 0) return dynamic + args.static_alpha.at[row * (STREAMS + 1u) + t];
    float sum = 0.0;
    for (uint s = 0; s < STREAMS; ++s)
        sum += dynamic + args.static_alpha.at[min(s, STREAMS - 1u) * (STREAMS + 1u) + t];
    return sum;
}

void main() {
    Slot slot = find_slot();
    uint token = linear_group() * TOKENS + slot.token;
    const bool exists = one_of(token, args.tokens) && slot.exists;
    const uint base = (token * ROWS + slot.row) * args.dim;

    float largest = 0.0;
    for (uint d = slot.lane; d < args.dim; d += LANES)
        largest = max(largest, abs(args.x.at[base + min(d, args.dim - 1u)]));
    const float scale = hyper_scale(reduce_max(largest, LANES));
    vec2 sums[PAIRS];
    [[unroll]] for (uint p = 0; p < PAIRS; ++p) sums[p] = vec2(0.0);
    for (uint step = slot.lane; step < args.dim; step += LANES) {
        const uint d = min(step, args.dim - 1u);
        const float c = args.x.at[base + d] * scale, weighed = c * (args.gamma.at[d] + 1.0);
        [[unroll]] for (uint k = 0; k <= STREAMS; ++k)
            sums[k / 2][k % 2] += weighed * args.alpha_fn.at[d * (STREAMS + 1u) + k];
        sums[(STREAMS + 1u) / 2][(STREAMS + 1u) % 2] += weighed * args.beta_fn.at[d];
        sums[SUMS / 2][SUMS % 2] += c * c;
    }
    [[unroll]] for (uint p = 0; p < PAIRS; ++p) sums[p] = reduce_sum(sums[p], LANES);
    const float squares = sums[SUMS / 2][SUMS % 2];
    bool clamped;
    const float factor = hyper_factor(squares, scale, args.dim, clamped);
    [[unroll]] for (uint p = 0; p < PAIRS; ++p) sums[p] *= factor;

    if (exists && slot.lane == 0) {
        [[unroll]] for (uint k = 0; k < SUMS; ++k)
            args.logits.at[(token * ROWS + slot.row) * SUMS + k] = sums[k / 2][k % 2];
        const float dynamic =
            approx_tanh(sums[(STREAMS + 1u) / 2][(STREAMS + 1u) % 2]) * args.beta_scale.at[0];
        for (uint s = 0; s < STREAMS / ROWS; ++s) {
            const uint stream = min(slot.row + s, STREAMS - 1u);
            args.beta.at[token * STREAMS + stream] = dynamic + args.static_beta.at[stream];
        }
    }
    if (EQUAL != 0 && slot.lane == 0 && slot.exists) {
        const Equal equal = measure_equal(squares, scale, args.dim, alpha_of(0, 0, sums[0].x), args.eps);
        row_scales[slot.token] = scale;
        row_amounts[slot.token] = equal.inverse * equal.amount;
    }

    const uint width = 256u / TOKENS;
    uint own = gl_LocalInvocationIndex / width;
    const uint lane = gl_LocalInvocationIndex % width;
    bool mixes = one_of(own, TOKENS);
    uint mixed_token = linear_group() * TOKENS + own;
    mixes = one_of(mixed_token, args.tokens) && mixes;
    for (uint first = 0; first < MIXTURES; first += CHUNK) {
        barrier(); // the chunk before has been used
        if (slot.exists && slot.lane == 0)
            [[unroll]] for (uint k = 0; k < MIXTURES; ++k)
                if (k >= first && k < first + CHUNK)
                    alphas[slot.number * CHUNK + k - first] = alpha_of(slot.row, k, sums[k / 2][k % 2]);
        barrier();
        if (!mixes) continue;
        for (uint step = lane; step < args.dim; step += width) {
            const uint d = min(step, args.dim - 1u);
            float mixtures[CHUNK];
            [[unroll]] for (uint c = 0; c < CHUNK; ++c) mixtures[c] = 0.0;
            float x = 0.0;
            for (uint r = 0; r < ROWS; ++r) {
                const uint row = min(r, ROWS - 1u);
                x = args.x.at[(mixed_token * ROWS + row) * args.dim + d];
                [[unroll]] for (uint c = 0; c < CHUNK; ++c)
                    mixtures[c] += alphas[(own * ROWS + row) * CHUNK + c] * x;
            }
            if (EQUAL != 0 && first == 0) mixtures[0] = x * row_scales[own] * row_amounts[own];
            [[unroll]] for (uint c = 0; c < CHUNK; ++c) {
                const uint t = first + c;
                if (t >= MIXTURES) break;
                if (t == 0)
                    args.branch.at[mixed_token * args.dim + d] = mixtures[c];
                else if (MIXES != 0)
                    args.kept.at[(mixed_token * STREAMS + t - 1u) * args.dim + d] = mixtures[c];
            }
        }
    }
}
