#version 460
// hyper_width_grad.comp: the adjoint of hyper_width.comp but for the last sums; formulas in
// src/ops/hyper/hyper_width.c.
//
// A workgroup takes BLOCK of the S + 2 coefficients at a time, and its tokens TOKENS at a time. Few streams take one
// block; with several, all that follows is linear in a block's part of du, and `sums` has dx so far. Each slot has dalpha and du of its row; du goes through shared memory,
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
layout(constant_id = 9) const uint BLOCK = 6;   // at most SUMS

const uint ALPHAS = STREAMS + 1u;
const uint PRODUCTS = BLOCK < ALPHAS ? BLOCK : ALPHAS; // numbers of a block that may be those of an alpha
const uint PAIRS = (PRODUCTS + 2u) / 2u;               // of dalpha and the sum of squares
const uint STATICS = ROWS * ALPHAS + STREAMS + 2u;

shared float entries[ENTRIES * (BLOCK + 1u)]; // du * factor, then the row's scale
shared float slot_sums[256];

uint block_begin;           // number of the block's first coefficient: alpha_0 .. alpha_S, beta
float alpha_sums[PRODUCTS]; // over the tokens of this slot
vec2 scale_sums;            // of alpha_scale's and beta_scale's gradients

// What a slot knows of its row after the first pass.
struct Row {
    uint base, token;
    float scale, factor, squares, size_gradient;
    bool exists, clamped;
    Equal equal;
};
float du[BLOCK], alpha[PRODUCTS];

// Of coefficient k of the block; 0 behind the last one.
float fn_of(uint d, uint k) {
    const uint number = block_begin + k;
    if (number < ALPHAS) return args.alpha_fn.at[d * ALPHAS + min(number, STREAMS)];
    return number < SUMS ? args.beta_fn.at[d] : 0.0;
}

float h_of(uint d) {
    float sum = 0.0;
    [[unroll]] for (uint k = 0; k < BLOCK; ++k) sum += du[k] * fn_of(d, k);
    return sum * (args.gamma.at[d] + 1.0);
}

float entering(uint token, uint d) {
    return HAS_BRANCH != 0 ? args.dbranch.at[token * args.dim + d] : 0.0;
}

// Of the mixture of alpha k of the block; 0 if it has none.
float mixture_gradient(uint token, uint d, uint k) {
    const uint number = block_begin + k;
    if (number == 0) return entering(token, d);
    if (HAS_KEPT == 0 || number >= ALPHAS) return 0.0;
    return args.dkept.at[(token * STREAMS + min(number, STREAMS) - 1u) * args.dim + d];
}

// Adds a stream's coefficients of the block to alpha; du has what depends on the token.
void add_alphas(uint stream) {
    [[unroll]] for (uint k = 0; k < PRODUCTS; ++k)
        alpha[k] += du[k] + args.static_alpha.at[stream * ALPHAS + min(block_begin + k, STREAMS)];
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
        [[unroll]] for (uint k = 0; k < PRODUCTS; ++k)
            sums[k / 2][k % 2] += c * mixture_gradient(row.token, d, k);
        sums[PRODUCTS / 2][PRODUCTS % 2] += c * c;
    }
    // Some compilers do not unroll a loop with barriers: no index of a private array is variable; see norm_grad.comp.
    [[unroll]] for (uint p = 0; p < PAIRS; ++p) {
        const vec2 sum = reduce_sum(sums[0], LANES);
        [[unroll]] for (uint later = 1; later < PAIRS; ++later) sums[later - 1] = sums[later];
        sums[PAIRS - 1u] = sum;
    }
    row.squares = sums[PRODUCTS / 2][PRODUCTS % 2];
    row.factor = hyper_factor(row.squares, row.scale, args.dim, row.clamped);

    const uint logits = (row.token * ROWS + slot.row) * SUMS;
    const float alpha_scale = args.alpha_scale.at[0];
    const float counts = EQUAL != 0 ? float(STREAMS) : 1.0;
    row.size_gradient = 0.0;
    [[unroll]] for (uint k = 0; k < PRODUCTS; ++k) {
        du[k] = approx_tanh(args.logits.at[logits + min(block_begin + k, STREAMS)]) * alpha_scale;
        alpha[k] = 0.0;
    }
    // A loop that is not unrolled must not stand in one that must be.
    if (EQUAL == 0)
        add_alphas(slot.row);
    else if (STREAMS <= FEW_STREAMS)
        [[unroll]] for (uint s = 0; s < STREAMS; ++s) add_alphas(s);
    else [[dont_unroll]]
        for (uint s = 0; s < STREAMS; ++s) add_alphas(min(s, STREAMS - 1u));
    [[unroll]] for (uint k = 0; k < PRODUCTS; ++k) {
        const uint t = min(block_begin + k, STREAMS);
        const float tangent = approx_tanh(args.logits.at[logits + t]);
        float dalpha = sums[k / 2][k % 2];
        if (EQUAL != 0 && t == 0) {
            row.equal = measure_equal(row.squares, row.scale, args.dim, alpha[0], args.eps);
            const float da = dalpha * row.equal.inverse * row.equal.slope;
            dalpha = da * row.equal.size;
            row.size_gradient = da * alpha[0];
        } else {
            dalpha /= row.scale;
        }
        if (!row.exists || block_begin + k >= ALPHAS) dalpha = 0.0;
        alpha_sums[k] += dalpha;
        scale_sums.x += counts * dalpha * tangent;
        du[k] = counts * dalpha * alpha_scale * (1.0 - tangent * tangent);
    }
    float dbeta = 0.0;
    if (HAS_BETA != 0)
        for (uint s = 0; s < STREAMS / ROWS; ++s)
            dbeta += args.dbeta.at[row.token * STREAMS + min(slot.row + s, STREAMS - 1u)];
    if (!row.exists) dbeta = 0.0;
    const float tangent = approx_tanh(args.logits.at[logits + ALPHAS]);
    if (block_begin + BLOCK > ALPHAS) scale_sums.y += dbeta * tangent; // the last block, which has beta
    const float beta_du = dbeta * args.beta_scale.at[0] * (1.0 - tangent * tangent);
    [[unroll]] for (uint k = 0; k < BLOCK; ++k) {
        if (k >= PRODUCTS) du[k] = 0.0;
        if (block_begin + k == ALPHAS) du[k] = beta_du;
    }
    return row;
}

// Adds xhat du of the rows at hand to the workgroup's partial sums; every invocation owns columns.
void add_parameters(Slot slot, Row row, uint first_token, uint end, bool first_batch) {
    const uint partial = linear_group() * SUMS * args.dim;
    for (uint first = 0; first < SLOTS; first += ENTRIES) {
        barrier(); // the entries before have been used
        if (slot.exists && slot.lane == 0 && slot.number >= first && slot.number < first + ENTRIES) {
            const uint at = (slot.number - first) * (BLOCK + 1u);
            [[unroll]] for (uint k = 0; k < BLOCK; ++k) entries[at + k] = du[k] * row.factor;
            entries[at + BLOCK] = row.scale;
        }
        barrier();
        const uint count = min(ENTRIES, SLOTS - first);
        for (uint step = gl_LocalInvocationIndex; step < args.dim; step += 256u) {
            const uint d = min(step, args.dim - 1u);
            float sums[BLOCK];
            [[unroll]] for (uint k = 0; k < BLOCK; ++k) sums[k] = 0.0;
            for (uint e = 0; e < count; ++e) {
                const uint entry = min(e, count - 1u), number = first + entry;
                const uint token = min(first_token + number / ROWS, end - 1u);
                const float c = args.x.at[(token * ROWS + number % ROWS) * args.dim + d] *
                                entries[entry * (BLOCK + 1u) + BLOCK];
                [[unroll]] for (uint k = 0; k < BLOCK; ++k) sums[k] += c * entries[entry * (BLOCK + 1u) + k];
            }
            [[unroll]] for (uint k = 0; k < BLOCK; ++k) {
                if (block_begin + k >= SUMS) continue; // not break, with which compilers do not unroll
                const uint at = partial + (block_begin + k) * args.dim + d;
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
        if (EQUAL != 0 && block_begin == 0)
            products.y += c * row.equal.inverse * (row.equal.amount * entering(row.token, d));
    }
    products = reduce_sum(products, LANES);
    if (!row.exists) return;
    for (uint step = slot.lane; step < args.dim; step += LANES) {
        const uint d = min(step, args.dim - 1u);
        const float c = args.x.at[row.base + d] * row.scale, h = h_of(d);
        float dx =
            row.clamped ? row.factor * h : norm_gradient(c, h, row.squares, row.factor, 0.0, products.x);
        if (EQUAL != 0 && block_begin == 0)
            dx += norm_gradient(c, row.equal.amount * entering(row.token, d), row.squares, row.equal.inverse,
                                row.equal.rest, products.y);
        dx *= row.scale;
        if (EQUAL != 0 && block_begin == 0)
            dx += row.size_gradient * (c * row.equal.inverse) / float(args.dim) * (1.0 + row.equal.rest);
        [[unroll]] for (uint k = 0; k < PRODUCTS; ++k)
            if (EQUAL == 0 || block_begin + k != 0) dx += alpha[k] * mixture_gradient(row.token, d, k);
        if (block_begin != 0) dx += args.sums.at[row.base + d];
        if (block_begin + BLOCK < SUMS)
            args.sums.at[row.base + d] = dx;
        else
            args.dx.at[row.base + d] = dx;
    }
}

uint groups() {
    return (args.tokens - 1u) / args.tokens_per_group + 1u;
}

uint first_static() {
    return groups() * SUMS * args.dim + linear_group() * STATICS;
}

// The workgroup's sums of dalpha of a block.
void write_alphas(Slot slot) {
    // As above: no variable index.
    [[unroll]] for (uint k = 0; k < PRODUCTS; ++k) {
        barrier();
        if (slot.exists && slot.lane == 0) slot_sums[slot.number] = alpha_sums[0];
        [[unroll]] for (uint later = 1; later < PRODUCTS; ++later) alpha_sums[later - 1] = alpha_sums[later];
        barrier();
        if (gl_LocalInvocationIndex < ROWS && block_begin + k < ALPHAS) {
            float sum = 0.0;
            for (uint token = 0; token < TOKENS; ++token)
                sum += slot_sums[min(token, TOKENS - 1u) * ROWS + min(gl_LocalInvocationIndex, ROWS - 1u)];
            args.partial.at[first_static() + gl_LocalInvocationIndex * ALPHAS + block_begin + k] = sum;
        }
    }
}

// The workgroup's other sums that have no column.
void write_betas_and_scales(Slot slot, uint begin, uint end) {
    const uint statics = first_static() + ROWS * ALPHAS;
    if (gl_LocalInvocationIndex < STREAMS) {
        const uint stream = min(gl_LocalInvocationIndex, STREAMS - 1u);
        float sum = 0.0;
        if (HAS_BETA != 0)
            for (uint token = begin; token < end; ++token)
                sum += args.dbeta.at[min(token, end - 1u) * STREAMS + stream];
        args.partial.at[statics + stream] = sum;
    }
    const vec2 scales = reduce_sum(slot.exists && slot.lane == 0 ? scale_sums : vec2(0.0), 256u);
    if (gl_LocalInvocationIndex < 2u)
        args.partial.at[statics + STREAMS + gl_LocalInvocationIndex] =
            gl_LocalInvocationIndex == 0 ? scales.x : scales.y;
}

// All that follows from the coefficients of a block; for the whole workgroup.
void add_block(Slot slot, uint first_number, uint begin, uint end) {
    block_begin = first_number;
    [[unroll]] for (uint k = 0; k < PRODUCTS; ++k) alpha_sums[k] = 0.0;
    for (uint first = begin; first < end; first += TOKENS) {
        const Row row = first_pass(slot, first, end);
        if ((WANTS & QUARTIC_HYPER_WANT_PARAMETERS) != 0) {
            add_parameters(slot, row, first, end, first == begin);
            barrier(); // the rows of x have been read
        }
        if ((WANTS & QUARTIC_HYPER_WANT_X) != 0) write_gradients(slot, row);
    }
    if ((WANTS & QUARTIC_HYPER_WANT_PARAMETERS) != 0) write_alphas(slot);
}

void main() {
    uint group = linear_group();
    if (!one_of(group, groups())) return; // the whole workgroup
    const uint begin = group * args.tokens_per_group, end = min(begin + args.tokens_per_group, args.tokens);
    const Slot slot = find_slot();
    scale_sums = vec2(0.0);
    if (BLOCK >= SUMS)
        add_block(slot, 0u, begin, end); // whose numbers are constants then
    else
        for (uint first = 0; first < SUMS; first += BLOCK) add_block(slot, first, begin, end);
    if ((WANTS & QUARTIC_HYPER_WANT_PARAMETERS) != 0) write_betas_and_scales(slot, begin, end);
}
