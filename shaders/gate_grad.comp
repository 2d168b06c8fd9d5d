#version 460
// gate_grad.comp: the adjoint of gate.comp: dx = dy * s, dgates = s (1 - s) sum of dy * x over the head, and y = x * s
// again, with s = sigmoid(gates).
//
// LANES invocations share a row, which is a head of a token. dx may lie where dy lies: an invocation reads an element of
// dy before it writes that of dx.
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "lib/functions.h"
#include "lib/gate.h"
#include "gate_grad.args.h"
#include "lib/reduce.glsl"

layout(local_size_x = 256) in;
layout(constant_id = 0) const uint LANES = 8; // a power of two, at most 256
layout(constant_id = 1) const uint WANTS = 7; // QUARTIC_GATE_WANT_*

void main() {
    const uint width = args.extents[2], lane = gl_LocalInvocationIndex % LANES;
    uint row = linear_group() * (256u / LANES) + gl_LocalInvocationIndex / LANES;
    const bool exists = one_of(row, args.rows);
    const uint head = row % args.extents[1], token = row / args.extents[1];
    const int base = int(token / args.extents[0]) * args.strides[0] +
                     int(token % args.extents[0]) * args.strides[1] + int(head) * args.strides[2];
    const float open = approx_sigmoid(args.gates.at[row]);
    float sum = 0.0;
    for (uint step = lane; step < width; step += LANES) {
        const uint d = min(step, width - 1u), at = row * width + d;
        const float dy = args.dy.at[at];
        float x = 0.0;
        if ((WANTS & (QUARTIC_GATE_WANT_GATES | QUARTIC_GATE_WANT_Y)) != 0)
            x = args.x.at[base + int(d) * args.strides[3]];
        sum += dy * x;
        if (!exists) continue;
        if ((WANTS & QUARTIC_GATE_WANT_Y) != 0) args.y.at[at] = x * open;
        if ((WANTS & QUARTIC_GATE_WANT_X) != 0) args.dx.at[at] = dy * open;
    }
    if ((WANTS & QUARTIC_GATE_WANT_GATES) == 0) return;
    sum = reduce_sum(sum, LANES);
    if (exists && lane == 0) args.dgates.at[row] = sum * (open * (1.0 - open));
}
