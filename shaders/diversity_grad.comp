#version 460
// diversity_grad.comp: dp at (b, s, h, i, j) = g factor times the sum of f'(m) over all choices of the other
// streams' heads.
//     f'(m) = log max(m, 1e-20) + (m > 1e-20 ? 1 : 0)
// One of the other streams is the inner loop.
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "diversity_grad.args.h"
#include "lib/functions.h"

layout(local_size_x = 256) in;
layout(constant_id = 0) const uint STREAMS = 2;
layout(constant_id = 1) const uint HEADS = 2; // of one stream

void main() {
    uint index = linear_group() * 256u + gl_LocalInvocationID.x;
    if (!one_of(index, args.elements)) return;
    uint head_stride = args.queries * args.keys;
    uint place = index % head_stride, head = index / head_stride % (STREAMS * HEADS);
    uint batch = index / head_stride / (STREAMS * HEADS);
    uint base = batch * STREAMS * HEADS * head_stride + place;
    uint own = head / HEADS;
    uint inner = own == STREAMS - 1u ? 0u : STREAMS - 1u; // with one stream there is none
    float self = args.p.at[index];
    float total = 0.0;
    for (uint outer = args.begin; outer < args.end; ++outer) {
        float rest = self;
        uint digits = outer;
        for (uint s = 0; s < STREAMS; ++s) {
            if (s == own || s == inner) continue;
            rest += args.p.at[base + (min(s, STREAMS - 1u) * HEADS + digits % HEADS) * head_stride];
            digits /= HEADS;
        }
        float sum = 0.0;
        for (uint h = 0; h < (STREAMS > 1u ? HEADS : 1u); ++h) {
            float p =
                STREAMS > 1u ? args.p.at[base + (inner * HEADS + min(h, HEADS - 1u)) * head_stride] : 0.0;
            float m = (rest + p) * (1.0 / float(STREAMS));
            sum += approx_log(max(m, 1e-20)) + (m > 1e-20 ? 1.0 : 0.0);
        }
        total += sum;
    }
    total *= args.g.at[batch * args.queries + place / args.keys] * args.factor;
    args.dp.at[index] = args.begin == 0u ? total : args.dp.at[index] + total;
}
