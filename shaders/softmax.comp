#version 460
// softmax.comp: softmax over the last axis of the visible entries; hidden entries and rows without a visible
// key are zeros. LANES invocations share a row, 256 / LANES rows a workgroup. A lane writes only what it
// read, so p may lie where sim lies.
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "softmax.args.h"
#include "lib/reduce.glsl"
#include "lib/softmax.glsl"

layout(local_size_x = 256) in;
layout(constant_id = 0) const uint LANES = 256; // a power of two
layout(constant_id = 1) const uint HAS_MASK = 0;
layout(constant_id = 2) const uint CAUSAL = 0;

void main() {
    uint lane = gl_LocalInvocationIndex % LANES;
    uint row = linear_group() * (256u / LANES) + gl_LocalInvocationIndex / LANES;
    bool exists = one_of(row, args.rows);
    uint base = row * args.keys;
    uint mask_base = row / args.rows_per_mask * args.keys;
    // Keys from here on are hidden by causality.
    uint end = CAUSAL != 0 ? min(row % args.queries + 1u, args.keys) : args.keys;
    if (!exists) end = 0;

    RunningSum running = RunningSum(LOWEST, 0.0);
    for (uint j = lane; j < end; j += LANES)
        if (HAS_MASK == 0 || args.mask.at[mask_base + min(j, args.keys - 1)] != 0)
            running_add(running, args.sim.at[base + min(j, args.keys - 1)]);
    running = running_reduce(running, LANES);
    // Only of visible entries: a NaN stays one, and entries of -inf that are all a row sees make one.
    float factor = running.sum == 0.0 ? NOT_A_NUMBER : 1.0 / running.sum;

    for (uint j = lane; exists && j < args.keys; j += LANES) {
        const uint at = min(j, args.keys - 1);
        bool visible = j < end && (HAS_MASK == 0 || args.mask.at[mask_base + at] != 0);
        args.p.at[base + at] = visible ? approx_exp(args.sim.at[base + at] - running.largest) * factor : 0.0;
    }
}
