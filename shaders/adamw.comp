#version 460
// adamw.comp: one step of AdamW, in place; see src/ops/adamw.c for the formula.
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "adamw.args.h"
#include "lib/adamw.h"

layout(local_size_x = 256) in;
layout(constant_id = 0) const uint HAS_NORM = 0;

void main() {
    uint i = linear_group() * 256u + gl_LocalInvocationID.x;
    if (!one_of(i, args.count)) return;
    float rate = args.hyper.at[QUARTIC_ADAMW_RATE];
    float beta1 = args.hyper.at[QUARTIC_ADAMW_BETA1];
    float beta2 = args.hyper.at[QUARTIC_ADAMW_BETA2];

    float factor = args.gradient_factor;
    if (HAS_NORM != 0) {
        float clip = args.hyper.at[QUARTIC_ADAMW_CLIP];
        const float squared = args.squared_norm.at[0];
        if ((floatBitsToUint(squared) & 0x7f800000u) == 0x7f800000u) return; // infinite or NaN
        float norm = args.gradient_factor * sqrt(squared);
        if (clip > 0.0) factor *= min(1.0, clip / (norm + float(QUARTIC_ADAMW_NORM_EPS)));
    }
    float g = args.gradient.at[i] * factor;
    float first = beta1 * args.first.at[i] + (1.0 - beta1) * g;
    float second = beta2 * args.second.at[i] + (1.0 - beta2) * g * g;
    args.first.at[i] = first;
    args.second.at[i] = second;

    float parameter = args.parameter.at[i];
    parameter -= rate * args.hyper.at[QUARTIC_ADAMW_DECAY] * parameter;
    float root = sqrt(second / args.hyper.at[QUARTIC_ADAMW_CORRECTION2]) + args.hyper.at[QUARTIC_ADAMW_EPS];
    args.parameter.at[i] = parameter - rate * (first / args.hyper.at[QUARTIC_ADAMW_CORRECTION1]) / root;
}
