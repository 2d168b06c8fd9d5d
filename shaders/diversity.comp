#version 460
// diversity.comp: sum over keys and choices of m log max(m, 1e-20), m the mean of one head from each stream.
// A workgroup has a row (b, i) and a split of the outer choices, those of all streams but the last; LANES
// invocations stand next to each other along the keys, the others share the outer choices.
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "diversity.args.h"
#include "lib/functions.h"
#include "lib/reduce.glsl"

layout(local_size_x = 256) in;
layout(constant_id = 0) const uint STREAMS = 2;
layout(constant_id = 1) const uint HEADS = 2; // of one stream
layout(constant_id = 2) const uint LANES = 256;

void main() {
    uint group = linear_group();
    if (!one_of(group, args.rows * args.splits)) return; // the whole workgroup
    uint split = group / args.rows, row = group % args.rows;
    uint head_stride = args.queries * args.keys;
    uint base = (row / args.queries * (STREAMS * HEADS) * args.queries + row % args.queries) * args.keys;
    uint begin = split * args.outer_of_one, end = min(begin + args.outer_of_one, args.outer);
    float total = 0.0;
    for (uint key = gl_LocalInvocationIndex % LANES; key < args.keys; key += LANES) {
        const uint j = min(key, args.keys - 1);
        for (uint outer = begin + gl_LocalInvocationIndex / LANES; outer < end; outer += 256u / LANES) {
            float rest = 0.0;
            uint digits = outer;
            for (uint s = STREAMS - 1u; s-- > 0u;) {
                rest += args.p.at[base + (min(s, STREAMS - 1u) * HEADS + digits % HEADS) * head_stride + j];
                digits /= HEADS;
            }
            float sum = 0.0;
            for (uint h = 0; h < HEADS; ++h) {
                float p = args.p.at[base + ((STREAMS - 1u) * HEADS + min(h, HEADS - 1u)) * head_stride + j];
                float m = (rest + p) * (1.0 / float(STREAMS));
                sum += m * approx_log(max(m, 1e-20));
            }
            total += sum;
        }
    }
    total = reduce_sum(total, 256u);
    if (gl_LocalInvocationIndex == 0u) args.result.at[group] = total * args.factor;
}
