#version 460
// norm.comp: rms, l2 and layer norm over the last axis: y = (x - mean) * factor * (scale + offset) + bias.
//
// LANES invocations share a row, 256 / LANES rows a workgroup; a row is read once and kept in registers,
// STEPS elements a lane. The squares of a layer norm are summed around the mean, so a large mean costs no
// digits; numbers whose squares would overflow are scaled first.
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "norm.args.h"
#include "lib/reduce.glsl"

layout(local_size_x = 256) in;
layout(constant_id = 0) const uint KIND = 0;
layout(constant_id = 1) const uint LANES = 256; // a power of two
layout(constant_id = 2) const uint STEPS = 1;   // LANES * STEPS >= width
layout(constant_id = 3) const uint HAS_SCALE = 1;

#include "lib/norm.glsl"

void main() {
    uint lane = gl_LocalInvocationIndex % LANES;
    uint row = linear_group() * (256u / LANES) + gl_LocalInvocationIndex / LANES;
    bool exists = one_of(row, args.rows);
    uint base = row * args.width;

    float centred[STEPS];
    [[unroll]] for (uint k = 0; k < STEPS; ++k) {
        uint column = lane + k * LANES;
        bool inside = one_of(column, args.width) && exists;
        centred[k] = inside ? args.x.at[base + column] : 0.0;
    }
    if (KIND == QUARTIC_NORM_LAYER) {
        float mean = 0.0;
        [[unroll]] for (uint k = 0; k < STEPS; ++k) mean += centred[k] / ROOM;
        mean = reduce_sum(mean, LANES) / float(args.width) * ROOM;
        [[unroll]] for (uint k = 0; k < STEPS; ++k)
            centred[k] = lane + k * LANES < args.width ? centred[k] - mean : 0.0;
    }
    float largest = 0.0;
    [[unroll]] for (uint k = 0; k < STEPS; ++k) largest = max(largest, abs(centred[k]));
    const float scale = row_scale(reduce_max(largest, LANES), args.eps);
    [[unroll]] for (uint k = 0; k < STEPS; ++k) centred[k] *= scale;
    float squares = 0.0;
    [[unroll]] for (uint k = 0; k < STEPS; ++k) squares += centred[k] * centred[k];
    float factor = row_factor(reduce_sum(squares, LANES), args.width, args.eps * scale * scale);

    [[unroll]] for (uint k = 0; k < STEPS; ++k) {
        uint column = lane + k * LANES;
        if (!one_of(column, args.width) || !exists) continue;
        float y = centred[k] * factor;
        if (HAS_SCALE != 0) y *= args.scale.at[column] + args.offset;
        if (KIND == QUARTIC_NORM_LAYER) y += args.bias.at[column];
        args.y.at[base + column] = y;
    }
}
