#version 460
// hyper_width.comp: the width connection of a hyper-connection; formulas in src/ops/hyper/hyper_width.c.
//
// Each slot has the norm and the S + 2 products of its row, BLOCK of them at a time. Then the lanes of a token mix its
// rows, CHUNK of the block's mixtures at a time, with the coefficients in shared memory. Few streams take one block.
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "hyper_width.args.h"
#include "lib/reduce.glsl"
#include "lib/hyper.glsl"

layout(local_size_x = 256) in;
layout(constant_id = 4) const uint MIXES = 1;
layout(constant_id = 5) const uint CHUNK = 5;
layout(constant_id = 6) const uint BLOCK = 6; // at most SUMS

const uint MIXTURES = MIXES != 0 ? STREAMS + 1u : 1u;
const uint PAIRS = (BLOCK + 2u) / 2u; // of a block's products and the sum of squares

shared float alphas[SLOTS * CHUNK];
shared float row_scales[TOKENS], row_amounts[TOKENS]; // of equal streams

// Column d of product `number` of a row; 0 behind the last one.
float weight_of(uint d, uint number) {
    if (number <= STREAMS) return args.alpha_fn.at[d * (STREAMS + 1u) + min(number, STREAMS)];
    return number < SUMS ? args.beta_fn.at[d] : 0.0;
}

float alpha[BLOCK]; // of a row: `dynamic` depends on the token. Of equal streams the sum over all of them
float dynamic[BLOCK];

void add_alphas(uint stream, uint begin) {
    [[unroll]] for (uint k = 0; k < BLOCK; ++k)
        alpha[k] += dynamic[k] + args.static_alpha.at[stream * (STREAMS + 1u) + min(begin + k, STREAMS)];
}

// The products from number `begin` on and the mixtures of these numbers; for the whole workgroup.
void mix_block(Slot slot, uint begin) {
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
        [[unroll]] for (uint k = 0; k < BLOCK; ++k) sums[k / 2][k % 2] += weighed * weight_of(d, begin + k);
        sums[BLOCK / 2][BLOCK % 2] += c * c;
    }
    // Some compilers do not unroll a loop with barriers: no index of a private array is variable; see norm_grad.comp.
    [[unroll]] for (uint p = 0; p < PAIRS; ++p) {
        const vec2 sum = reduce_sum(sums[0], LANES);
        [[unroll]] for (uint later = 1; later < PAIRS; ++later) sums[later - 1] = sums[later];
        sums[PAIRS - 1u] = sum;
    }
    const float squares = sums[BLOCK / 2][BLOCK % 2];
    bool clamped;
    const float factor = hyper_factor(squares, scale, args.dim, clamped);
    [[unroll]] for (uint p = 0; p < PAIRS; ++p) sums[p] *= factor;

    if (exists && slot.lane == 0) {
        float beta_logit = 0.0;
        [[unroll]] for (uint k = 0; k < BLOCK; ++k) {
            const uint number = begin + k;
            const float logit = sums[k / 2][k % 2];
            if (number < SUMS) args.logits.at[(token * ROWS + slot.row) * SUMS + number] = logit;
            if (number == STREAMS + 1u) beta_logit = logit;
        }
        const float dynamic_beta = approx_tanh(beta_logit) * args.beta_scale.at[0];
        const bool has_beta = begin <= STREAMS + 1u && begin + BLOCK > STREAMS + 1u;
        for (uint s = 0; has_beta && s < STREAMS / ROWS; ++s) {
            const uint stream = min(slot.row + s, STREAMS - 1u);
            args.beta.at[token * STREAMS + stream] = dynamic_beta + args.static_beta.at[stream];
        }
    }
    if (slot.lane == 0) {
        [[unroll]] for (uint k = 0; k < BLOCK; ++k) {
            dynamic[k] = approx_tanh(sums[k / 2][k % 2]) * args.alpha_scale.at[0];
            alpha[k] = 0.0;
        }
        // A loop that is not unrolled must not stand in one that must be.
        if (EQUAL == 0)
            add_alphas(slot.row, begin);
        else if (STREAMS <= FEW_STREAMS)
            [[unroll]] for (uint s = 0; s < STREAMS; ++s) add_alphas(s, begin);
        else [[dont_unroll]]
            for (uint s = 0; s < STREAMS; ++s) add_alphas(min(s, STREAMS - 1u), begin);
    }
    if (EQUAL != 0 && begin == 0 && slot.lane == 0 && slot.exists) {
        const Equal equal = measure_equal(squares, scale, args.dim, alpha[0], args.eps);
        row_scales[slot.token] = scale;
        row_amounts[slot.token] = equal.inverse * equal.amount;
    }

    const uint width = 256u / TOKENS;
    uint own = gl_LocalInvocationIndex / width;
    const uint lane = gl_LocalInvocationIndex % width;
    bool mixes = one_of(own, TOKENS);
    uint mixed_token = linear_group() * TOKENS + own;
    mixes = one_of(mixed_token, args.tokens) && mixes;
    const uint end = min(begin + BLOCK, MIXTURES);
    for (uint first = begin; first < end; first += CHUNK) {
        barrier(); // the chunk before has been used
        if (slot.exists && slot.lane == 0)
            [[unroll]] for (uint k = 0; k < BLOCK; ++k) {
                const uint number = begin + k;
                if (number >= first && number < first + CHUNK && number < MIXTURES)
                    alphas[slot.number * CHUNK + number - first] = alpha[k];
            }
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
                if (t >= end) continue; // not break, with which compilers do not unroll
                if (t == 0)
                    args.branch.at[mixed_token * args.dim + d] = mixtures[c];
                else if (MIXES != 0)
                    args.kept.at[(mixed_token * STREAMS + t - 1u) * args.dim + d] = mixtures[c];
            }
        }
    }
}

void main() {
    const Slot slot = find_slot();
    if (BLOCK >= SUMS)
        mix_block(slot, 0u); // whose numbers are constants then
    else
        for (uint begin = 0; begin < SUMS; begin += BLOCK) mix_block(slot, begin);
}
