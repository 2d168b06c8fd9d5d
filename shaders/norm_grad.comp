#version 460
// norm_grad.comp: the adjoint of norm.comp.
//     c = x - mean,   xhat = c * factor,   h = dy * (scale + offset); a layer norm takes h - mean(h) for h
//     dx = factor * (h - xhat * mean(h * xhat)), or factor * h for an l2 row at the clamp; plus addend
// A row whose squares would overflow is scaled first; then dx is the scale times that of the scaled row.
//
// A workgroup walks rows_per_group rows, 256 / LANES at a time, and keeps the sums over rows of dy * xhat and
// dy of its columns in registers; norm_columns.comp adds the workgroups' sums. A row is read once.
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "norm_grad.args.h"
#include "lib/reduce.glsl"

layout(local_size_x = 256) in;
layout(constant_id = 0) const uint KIND = 0;
layout(constant_id = 1) const uint LANES = 256; // a power of two
layout(constant_id = 2) const uint STEPS = 1;   // LANES * STEPS >= width
layout(constant_id = 3) const uint HAS_SCALE = 1;
layout(constant_id = 4) const uint WANTS = 7; // QUARTIC_NORM_WANT_*
layout(constant_id = 5) const uint HAS_ADDEND = 0;

#include "lib/norm.glsl"

const uint ROWS = 256u / LANES;
const uint PARTS = (WANTS & QUARTIC_NORM_WANT_SCALE) / 2u + (WANTS & QUARTIC_NORM_WANT_BIAS) / 4u;

float centred[STEPS], h[STEPS];
float scale_sum[STEPS], bias_sum[STEPS];

// One row for each group of lanes; groups without a row go along for the barriers and contribute zeros.
void row_gradient(uint row, uint lane, bool exists) {
    uint base = row * args.width;
    float width = float(args.width);
    vec2 sums = vec2(0.0); // of c and h
    [[unroll]] for (uint k = 0; k < STEPS; ++k) {
        uint column = lane + k * LANES;
        bool inside = one_of(column, args.width) && exists;
        centred[k] = inside ? args.x.at[base + column] : 0.0;
        float dy = inside ? args.dy.at[base + column] : 0.0;
        if ((WANTS & QUARTIC_NORM_WANT_BIAS) != 0) bias_sum[k] += dy;
        h[k] = inside && HAS_SCALE != 0 ? dy * (args.scale.at[column] + args.offset) : dy;
        sums += vec2(centred[k] / ROOM, h[k]);
    }
    if (KIND == QUARTIC_NORM_LAYER) {
        sums = reduce_sum(sums, LANES) / width;
        sums.x *= ROOM;
        [[unroll]] for (uint k = 0; k < STEPS; ++k) {
            bool inside = lane + k * LANES < args.width;
            centred[k] = inside ? centred[k] - sums.x : 0.0;
            h[k] = inside ? h[k] - sums.y : 0.0;
        }
    }
    float largest = 0.0;
    [[unroll]] for (uint k = 0; k < STEPS; ++k) largest = max(largest, abs(centred[k]));
    const float scale = row_scale(reduce_max(largest, LANES), args.eps), eps = args.eps * scale * scale;
    [[unroll]] for (uint k = 0; k < STEPS; ++k) centred[k] *= scale;
    sums = vec2(0.0); // of c * c and c * h
    [[unroll]] for (uint k = 0; k < STEPS; ++k) sums += centred[k] * vec2(centred[k], h[k]);
    sums = reduce_sum(sums, LANES);
    float factor = row_factor(sums.x, args.width, eps);
    bool clamped = KIND == QUARTIC_NORM_L2 && sqrt(sums.x) <= float(QUARTIC_NORM_LEAST_LENGTH);

    if ((WANTS & QUARTIC_NORM_WANT_SCALE) != 0)
        [[unroll]] for (uint k = 0; k < STEPS; ++k) {
            uint column = lane + k * LANES;
            if (one_of(column, args.width) && exists)
                scale_sum[k] += args.dy.at[base + column] * (centred[k] * factor);
        }
    if ((WANTS & QUARTIC_NORM_WANT_X) == 0) return;
    // 1 = S * part + eps * factor^2 with S the sum of squares. Written so, the terms of the element itself
    // drop out exactly: a row of one element gets its tiny gradient with all digits.
    float part = factor * factor / width;
    float rest = KIND == QUARTIC_NORM_L2 ? 0.0 : eps * factor * factor;
    [[unroll]] for (uint k = 0; k < STEPS; ++k) {
        uint column = lane + k * LANES;
        if (!one_of(column, args.width) || !exists) continue;
        precise float own_square = centred[k] * centred[k];
        precise float own_product = centred[k] * h[k];
        precise float other_squares = sums.x - own_square;
        precise float other_products = sums.y - own_product;
        float d = h[k] * (other_squares * part) - centred[k] * (other_products * part) + h[k] * rest;
        precise float own = scale * (factor * (clamped ? h[k] : d));
        if (HAS_ADDEND != 0) own += args.addend.at[base + column];
        args.dx.at[base + column] = own;
    }
}

void main() {
    uint slot = gl_LocalInvocationIndex / LANES, lane = gl_LocalInvocationIndex % LANES;
    uint group = linear_group();
    uint begin = group * args.rows_per_group;
    if (!one_of(begin, args.rows)) return; // the whole workgroup
    uint end = min(begin + args.rows_per_group, args.rows);
    [[unroll]] for (uint k = 0; k < STEPS; ++k) {
        scale_sum[k] = 0.0;
        bias_sum[k] = 0.0;
    }
    for (uint first = begin; first < end; first += ROWS)
        row_gradient(min(first + slot, args.rows - 1), lane, first + slot < end);

    // Some compilers do not unroll a loop with barriers, and put an array with a variable index into memory. So
    // each pass takes the sums at index 0 and moves the later ones down.
    [[unroll]] for (uint k = 0; k < STEPS; ++k) {
        uint column = lane + k * LANES;
        bool writes = slot == 0 && column < args.width;
        uint at = group * PARTS * args.width + column;
        if ((WANTS & QUARTIC_NORM_WANT_SCALE) != 0) {
            float total = fold_sum(scale_sum[0], LANES);
            if (writes) args.partial.at[at] = total;
            at += args.width;
        }
        if ((WANTS & QUARTIC_NORM_WANT_BIAS) != 0) {
            float total = fold_sum(bias_sum[0], LANES);
            if (writes) args.partial.at[at] = total;
        }
        [[unroll]] for (uint later = 1; later < STEPS; ++later) {
            scale_sum[later - 1] = scale_sum[later];
            bias_sum[later - 1] = bias_sum[later];
        }
    }
}
