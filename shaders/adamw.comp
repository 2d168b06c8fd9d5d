#version 460
// adamw.comp: one step of AdamW, in place; see src/ops/adamw.c for the formula.
// Constants: 0 whether there is a norm, 1 whether all arrays begin at 16 bytes.
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "adamw.args.h"
#include "lib/adamw.h"
#include "lib/flat.glsl"
#include "lib/quads.glsl"

layout(local_size_x = 256) in;
layout(constant_id = 0) const uint HAS_NORM = 0;
layout(constant_id = 1) const uint QUADS = 0;

// factor: of the gradient, with clipping.
void update(float factor, float gradient, inout float parameter, inout float first, inout float second) {
    const float rate = args.hyper.at[QUARTIC_ADAMW_RATE];
    const float beta1 = args.hyper.at[QUARTIC_ADAMW_BETA1], beta2 = args.hyper.at[QUARTIC_ADAMW_BETA2];
    const float g = gradient * factor;
    first = beta1 * first + (1.0 - beta1) * g;
    second = beta2 * second + (1.0 - beta2) * g * g;
    parameter -= rate * args.hyper.at[QUARTIC_ADAMW_DECAY] * parameter;
    float root = sqrt(second / args.hyper.at[QUARTIC_ADAMW_CORRECTION2]) + args.hyper.at[QUARTIC_ADAMW_EPS];
    parameter -= rate * (first / args.hyper.at[QUARTIC_ADAMW_CORRECTION1]) / root;
}

void update_four(float factor, uint index) {
    const int at = int(index);
    const vec4 gradient = quad_load(args.gradient, at, QUAD_ONE);
    vec4 parameter = quad_load(args.parameter, at, QUAD_ONE), first = quad_load(args.first, at, QUAD_ONE),
         second = quad_load(args.second, at, QUAD_ONE);
    [[unroll]] for (uint k = 0; k < 4; ++k) update(factor, gradient[k], parameter[k], first[k], second[k]);
    quad_store(args.first, index, first);
    quad_store(args.second, index, second);
    quad_store(args.parameter, index, parameter);
}

void update_one(float factor, uint index) {
    float parameter = args.parameter.at[index], first = args.first.at[index], second = args.second.at[index];
    update(factor, args.gradient.at[index], parameter, first, second);
    args.first.at[index] = first;
    args.second.at[index] = second;
    args.parameter.at[index] = parameter;
}

#define UPDATE_FOUR(index) update_four(factor, index)
#define UPDATE_ONE(index)  update_one(factor, index)

void main() {
    float factor = args.gradient_factor;
    if (HAS_NORM != 0) {
        float clip = args.hyper.at[QUARTIC_ADAMW_CLIP];
        const float squared = args.squared_norm.at[0];
        if ((floatBitsToUint(squared) & 0x7f800000u) == 0x7f800000u) return; // infinite or NaN
        float norm = args.gradient_factor * sqrt(squared);
        if (clip > 0.0) factor *= min(1.0, clip / (norm + float(QUARTIC_ADAMW_NORM_EPS)));
    }
    FLAT_LOOP(QUADS, UPDATE_FOUR, UPDATE_ONE)
}
