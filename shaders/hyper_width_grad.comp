#version 460
// hyper_width_grad.comp: the adjoint of hyper_width.comp but for the last sums; formulas in
// src/ops/hyper/hyper_width.c.
//
// A workgroup takes its tokens TOKENS at a time. Each slot has dalpha and du of its row; du goes through shared memory,
// ENTRIES rows at a time, to the lanes that own columns and add xhat du up in the workgroup's partial sums. dx comes
// last, since it may lie where x lies: an invocation reads an element of x before it writes that of dx.
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "hyper_width_grad.args.h"
#include "lib/reduce.glsl"
#include "lib/hyper.glsl"

layout(local_size_x = 256) in;
layout(constant_id = 4) const uint WANTS = 3; // QUARTIC_HYPER_WANT_*
layout(constant_id = 5) const uint HAS_BRANCH = 1;
layout(constant_id = 6) const uint HAS_BETA = 1;
layout(constant_id = 7) const uint HAS_KEPT = 1;
layout(constant_id = 8) const uint ENTRIES = 4; // rows whose du lie in shared memory at once, at most SLOTS

const uint ALPHAS = STREAMS + 1u;
const uint PAIRS = (ALPHAS + 2u) / 2u; // of dalpha and the sum of squares
const uint STATICS = ROWS * ALPHAS + STREAMS + 2u;

shared float entries[ENTRIES * (SUMS + 1u)]; // du * factor, then the row's scale
shared float slot_sums[256];

float alpha_sums[ALPHAS]; // over the tokens of this slot
vec2 scale_sums;          // of alpha_scale's and beta_scale's gradients

// What a slot knows of its row after the first pass.
struct Row {
    uint base, token;
    float scale, factor, squares, size_gradient;
    bool exists, clamped;
    Equal equal;
};
float du[SUMS], alpha[ALPHAS];

float fn_of(uint d, uint k) {
    return k < ALPHAS ? args.alpha_fn.at[d * ALPHAS + k] : args.beta_fn.at[d];
}

float h_of(uint d) {
    float sum = 0.0;
    [[unroll]] for (uint k = 0; k < SUMS; ++k) sum += du[k] * fn_of(d, k);
    return sum * (args.gamma.at[d] + 1.0);
}

float entering(uint token, uint d) {
    return HAS_BRANCH != 0 ? args.dbranch.at[token * args.dim + d] : 0.0;
}

// dalpha, du and the norm of a slot's row; adds to the sums over tokens.
Row first_pass(Slot slot, uint first_token, uint end) {
    Row row;
    row.token = first_token + slot.token;
    row.exists = row.token < end && slot.exists;
    row.token = min(row.token, end - 1u);
    row.base = (row.token * ROWS + slot.row) * args.dim;
    float largest = 0.0;
    for (uint d = slot.lane; d < args.dim; d += LANES)
        largest = max(largest, abs(args.x.at[row.base + min(d, args.dim - 1u)]));
    row.scale = hyper_scale(reduce_max(largest, LANES));
    vec2 sums[PAIRS];
    [[unroll]] for (uint p = 0; p < PAIRS; ++p) sums[p] = vec2(0.0);
    for (uint step = slot.lane; step < args.dim; step += LANES) {
        const uint d = min(step, args.dim - 1u);
        const float c = args.x.at[row.base + d] * row.scale;
        sums[0].x += c * entering(row.token, d);
        if (HAS_KEPT != 0)
            [[unroll]] for (uint t = 1; t <= STREAMS; ++t)
                sums[t / 2][t % 2] += c * args.dkept.at[(row.token * STREAMS + t - 1u) * args.dim + d];
        sums[ALPHAS / 2][ALPHAS % 2] += c * c;
    }
    [[unroll]] for (uint p = 0; p < PAIRS; ++p) sums[p] = reduce_sum(sums[p], LANES);
    row.squares = sums[ALPHAS / 2][ALPHAS % 2];
    row.factor = hyper_factor(row.squares, row.scale, args.dim, row.clamped);

    const uint logits = (row.token * ROWS + slot.row) * SUMS;
    const float alpha_scale = args.alpha_scale.at[0];
    const float counts = EQUAL != 0 ? float(STREAMS) : 1.0;
    row.size_gradient = 0.0;
    [[unroll]] for (uint t = 0; t < ALPHAS; ++t) {
        const float tangent = approx_tanh(args.logits.at[logits + t]);
        if (EQUAL == 0) {
            alpha[t] = tangent * alpha_scale + args.static_alpha.at[slot.row * ALPHAS + t];
        } else {
            alpha[t] = 0.0;
            for (uint s = 0; s < STREAMS; ++s)
                alpha[t] += tangent * alpha_scale + args.static_alpha.at[min(s, STREAMS - 1u) * ALPHAS + t];
        }
        float dalpha = sums[t / 2][t % 2];
        if (EQUAL != 0 && t == 0) {
            row.equal = measure_equal(row.squares, row.scale, args.dim, alpha[0], args.eps);
            const float da = dalpha * row.equal.inverse * row.equal.slope;
            dalpha = da * row.equal.size;
            row.size_gradient = da * alpha[0];
        } else {
            dalpha /= row.scale;
        }
        if (!row.exists) dalpha = 0.0;
        alpha_sums[t] += dalpha;
        scale_sums.x += counts * dalpha * tangent;
        du[t] = counts * dalpha * alpha_scale * (1.0 - tangent * tangent);
    }
    float dbeta = 0.0;
    if (HAS_BETA != 0)
        for (uint s = 0; s < STREAMS / ROWS; ++s)
            dbeta += args.dbeta.at[row.token * STREAMS + min(slot.row + s, STREAMS - 1u)];
    if (!row.exists) dbeta = 0.0;
    const float tangent = approx_tanh(args.logits.at[logits + ALPHAS]);
    scale_sums.y += dbeta * tangent;
    du[ALPHAS] = dbeta * args.beta_scale.at[0] * (1.0 - tangent * tangent);
    return row;
}

// Adds xhat du of the rows at hand to the workgroup's partial sums; every invocation owns columns.
void add_parameters(Slot slot, Row row, uint first_token, uint end, bool first_batch) {
    const uint partial = linear_group() * SUMS * args.dim;
    for (uint first = 0; first < SLOTS; first += ENTRIES) {
        barrier(); // the entries before have been used
        if (slot.exists && slot.lane == 0 && slot.number >= first && slot.number < first + ENTRIES) {
            const uint at = (slot.number - first) * (SUMS + 1u);
            [[unroll]] for (uint k = 0; k < SUMS; ++k) entries[at + k] = du[k] * row.factor;
            entries[at + SUMS] = row.scale;
        }
        barrier();
        const uint count = min(ENTRIES, SLOTS - first);
        for (uint step = gl_LocalInvocationIndex; step < args.dim; step += 256u) {
            const uint d = min(step, args.dim - 1u);
            float sums[SUMS];
            [[unroll]] for (uint k = 0; k < SUMS; ++k) sums[k] = 0.0;
            for (uint e = 0; e < count; ++e) {
                const uint entry = min(e, count - 1u), number = first + entry;
                const uint token = min(first_token + number / ROWS, end - 1u);
                const float c = args.x.at[(token * ROWS + number % ROWS) * args.dim + d] *
                                entries[entry * (SUMS + 1u) + SUMS];
                [[unroll]] for (uint k = 0; k < SUMS; ++k) sums[k] += c * entries[entry * (SUMS + 1u) + k];
            }
            [[unroll]] for (uint k = 0; k < SUMS; ++k) {
                const uint at = partial + k * args.dim + d;
                if (first_batch && first == 0)
                    args.partial.at[at] = sums[k];
                else
                    args.partial.at[at] += sums[k];
            }
        }
    }
}

// factor (h - xhat mean(h xhat)); products: the sum of h xhat. Written so that the terms of the element itself drop
// out; see norm_grad.comp.
float norm_gradient(float c, float h, float squares, float factor, float rest, float products) {
    const float width = float(args.dim), xhat = c * factor;
    precise float own_square = c * c;
    precise float own_product = xhat * h;
    precise float other_squares = squares - own_square;
    precise float other_products = products - own_product;
    return factor *
           (h * (other_squares * (factor * factor / width)) - xhat * (other_products / width) + h * rest);
}

void write_gradients(Slot slot, Row row) {
    vec2 products = vec2(0.0); // of h and xhat; of the direction and its gradient
    for (uint step = slot.lane; step < args.dim; step += LANES) {
        const uint d = min(step, args.dim - 1u);
        const float c = args.x.at[row.base + d] * row.scale;
        products.x += c * row.factor * h_of(d);
        if (EQUAL != 0) products.y += c * row.equal.inverse * (row.equal.amount * entering(row.token, d));
    }
    products = reduce_sum(products, LANES);
    if (!row.exists) return;
    for (uint step = slot.lane; step < args.dim; step += LANES) {
        const uint d = min(step, args.dim - 1u);
        const float c = args.x.at[row.base + d] * row.scale, h = h_of(d);
        float dx =
            row.clamped ? row.factor * h : norm_gradient(c, h, row.squares, row.factor, 0.0, products.x);
        if (EQUAL != 0)
            dx += norm_gradient(c, row.equal.amount * entering(row.token, d), row.squares, row.equal.inverse,
                                row.equal.rest, products.y);
        dx *= row.scale;
        if (EQUAL != 0)
            dx += row.size_gradient * (c * row.equal.inverse) / float(args.dim) * (1.0 + row.equal.rest);
        else
            dx += alpha[0] * entering(row.token, d);
        if (HAS_KEPT != 0)
            [[unroll]] for (uint t = 1; t <= STREAMS; ++t)
                dx += alpha[t] * args.dkept.at[(row.token * STREAMS + t - 1u) * args.dim + d];
        args.dx.at[row.base + d] = dx;
    }
}

// The workgroup's sums that have no column.
void write_statics(Slot slot, uint begin, uint end) {
    const uint statics = args.groups * SUMS * args.dim + linear_group() * STATICS;
    [[unroll]] for (uint t = 0; t < ALPHAS; ++t) {
        barrier();
        if (slot.exists && slot.lane == 0) slot_sums[slot.number] = alpha_sums[t];
        barrier();
        if (gl_LocalInvocationIndex < ROWS) {
            float sum = 0.0;
            for (uint k = 0; k < TOKENS; ++k)
                sum += slot_sums[min(k, TOKENS - 1u) * ROWS + min(gl_LocalInvocationIndex, ROWS - 1u)];
            args.partial.at[statics + gl_LocalInvocationIndex * ALPHAS + t] = sum;
        }
    }
    if (gl_LocalInvocationIndex < STREAMS) {
        const uint stream = min(gl_LocalInvocationIndex, STREAMS - 1u);
        float sum = 0.0;
        if (HAS_BETA != 0)
            for (uint token = begin; token < end; ++token)
                sum += args.dbeta.at[min(token, end - 1u) * STREAMS + stream];
        args.partial.at[statics + ROWS * ALPHAS + stream] = sum;
    }
    const vec2 scales = reduce_sum(slot.exists && slot.lane == 0 ? scale_sums : vec2(0.0), 256u);
    if (gl_LocalInvocationIndex < 2u)
        args.partial.at[statics + ROWS * ALPHAS + STREAMS + gl_LocalInvocationIndex] =
            gl_LocalInvocationIndex == 0 ? scales.x : scales.y;
}

void main() {
    uint group = linear_group();
    if (!one_of(group, args.groups)) return; // the whole workgroup
    const uint begin = group * args.tokens_per_group, end = min(begin + args.tokens_per_group, args.tokens);
    Slot slot = find_slot();
    [[unroll]] for (uint t = 0; t < ALPHAS; ++t) alpha_sums[t] = 0.0;
    scale_sums = vec2(0.0);
    for (uint first = begin; first < end; first += TOKENS) {
        const Row row = first_pass(slot, first, end);
        if ((WANTS & QUARTIC_HYPER_WANT_PARAMETERS) != 0) {
            add_parameters(slot, row, first, end, first == begin);
            barrier(); // the rows of x have been read
        }
        if ((WANTS & QUARTIC_HYPER_WANT_X) != 0) write_gradients(slot, row);
    }
    if ((WANTS & QUARTIC_HYPER_WANT_PARAMETERS) != 0) write_statics(slot, begin, end);
}
