#version 460
// stream_feedforward_weights.comp: sums over the columns of a workgroup's tiles, for its UNITS hidden units m
// and all heads h.
//     a = gelu(W1 t),   d = (W2^T dy) gelu'(W1 t);   the sums of d_m xhat_h and of dy_h a_m
// An invocation adds up PAIRS pairs (m, h), each tile first by itself, so that long sums keep their digits.
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "stream_feedforward_weights.args.h"
#include "lib/functions.h"
#include "lib/norm_squares.glsl"

layout(local_size_x = 256) in;
layout(constant_id = 0) const uint HEADS = 1;
layout(constant_id = 1) const uint COLUMNS = 32; // a power of two
layout(constant_id = 2) const uint UNITS = 64;   // a power of two
layout(constant_id = 3) const uint PAIRS = 1;    // 256 PAIRS >= UNITS HEADS
const uint PITCH = COLUMNS + 1u;                 // keeps banks apart

shared float x_tile[HEADS * PITCH];
shared float dy_tile[HEADS * PITCH];
shared float a_tile[UNITS * PITCH];
shared float d_tile[UNITS * PITCH]; // d times the column's factor, so that x stands for xhat
shared float factors[COLUMNS];

float z_sums[PAIRS], w2_sums[PAIRS];

void load_tile(uint tile) {
    uint base = tile / args.tiles * HEADS * args.positions, first = tile % args.tiles * COLUMNS;
    for (uint index = gl_LocalInvocationIndex; index < HEADS * COLUMNS; index += 256u) {
        uint column = index % COLUMNS, head = index / COLUMNS;
        uint position = first + column;
        bool inside = one_of(position, args.positions);
        uint at = base + head * args.positions + position;
        x_tile[head * PITCH + column] = inside ? args.x.at[at] : 0.0;
        dy_tile[head * PITCH + column] = inside ? args.dy.at[at] : 0.0;
    }
    barrier();
    if (gl_LocalInvocationIndex < COLUMNS) {
        vec2 squares = vec2(0.0);
        for (uint h = 0; h < HEADS; ++h) squares += both_squares(x_tile[h * PITCH + gl_LocalInvocationIndex]);
        factors[gl_LocalInvocationIndex] = factor_of_squares(squares, float(HEADS), args.eps, false);
    }
    barrier();
}

void compute_units(uint first_unit) {
    for (uint index = gl_LocalInvocationIndex; index < UNITS * COLUMNS; index += 256u) {
        uint column = index % COLUMNS, m = first_unit + index / COLUMNS;
        bool is_unit = one_of(m, args.hidden);
        float s = 0.0, da = 0.0;
        for (uint next = 0; next < HEADS && is_unit; ++next) {
            const uint h = min(next, HEADS - 1u);
            s +=
                args.w1.at[m * HEADS + h] * args.scale.at[h] * (x_tile[h * PITCH + column] * factors[column]);
            da += args.w2.at[h * args.hidden + m] * dy_tile[h * PITCH + column];
        }
        float bell = approx_normal_bell(s), cdf = approx_normal_cdf(s, bell);
        a_tile[index / COLUMNS * PITCH + column] = s * cdf;
        d_tile[index / COLUMNS * PITCH + column] = da * (cdf + s * (bell * 0.39894228)) * factors[column];
    }
    barrier();
}

void add_pairs() {
    float z[PAIRS], w2[PAIRS];
    [[unroll]] for (uint k = 0; k < PAIRS; ++k) {
        z[k] = 0.0;
        w2[k] = 0.0;
    }
    for (uint column = 0; column < COLUMNS; ++column)
        [[unroll]] for (uint k = 0; k < PAIRS; ++k) {
            uint pair = gl_LocalInvocationIndex + k * 256u;
            uint unit = pair % UNITS * PITCH + column, head = min(pair / UNITS, HEADS - 1u) * PITCH + column;
            z[k] += d_tile[unit] * x_tile[head];
            w2[k] += a_tile[unit] * dy_tile[head];
        }
    [[unroll]] for (uint k = 0; k < PAIRS; ++k) {
        z_sums[k] += z[k];
        w2_sums[k] += w2[k];
    }
    barrier(); // the tile has been read
}

void main() {
    uint group = linear_group();
    if (!one_of(group, args.groups)) return; // the whole workgroup
    uint split = group / args.unit_groups, first_unit = group % args.unit_groups * UNITS;
    uint begin = split * args.tiles_of_one, end = min(begin + args.tiles_of_one, args.all_tiles);
    [[unroll]] for (uint k = 0; k < PAIRS; ++k) {
        z_sums[k] = 0.0;
        w2_sums[k] = 0.0;
    }
    for (uint tile = begin; tile < end; ++tile) {
        load_tile(min(tile, args.all_tiles - 1u));
        compute_units(first_unit);
        add_pairs();
    }
    uint base = split * 2u * HEADS * args.hidden;
    [[unroll]] for (uint k = 0; k < PAIRS; ++k) {
        uint pair = gl_LocalInvocationIndex + k * 256u, m = first_unit + pair % UNITS, head = pair / UNITS;
        if (m >= args.hidden || head >= HEADS) continue;
        args.partial.at[base + head * args.hidden + m] = z_sums[k];
        args.partial.at[base + (HEADS + head) * args.hidden + m] = w2_sums[k];
    }
}
