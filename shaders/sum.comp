#version 460
// sum.comp: sums over axes. A workgroup makes 256 / LANES outputs of one split.
// Constants: 0 LANES, the threads that share an output (a power of two), 1 whether these are neighbours.
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "lib/strided.glsl"
#include "sum.args.h"

layout(local_size_x = 256) in;
layout(constant_id = 0) const uint LANES = 1;
layout(constant_id = 1) const uint LANES_FAST = 0;
const uint OUTPUTS = 256u / LANES;

shared float partial[256]; // (lane, output)

#define ADD_AXIS(axis, within) at += int(within) * args.strides[axis];

int position_kept(uint index) {
    int at = 0;
    STRIDED_WALK(index, args.kept_rank, args.dims, args.divide, ADD_AXIS)
    return at;
}

int position_reduced(uint index) {
    int at = 0;
    STRIDED_WALK_FROM(args.kept_rank, index, args.reduced_rank, args.dims, args.divide, ADD_AXIS)
    return at;
}

void main() {
    uint thread = gl_LocalInvocationID.x;
    uint lane = LANES_FAST != 0 ? thread % LANES : thread / OUTPUTS;
    uint within = LANES_FAST != 0 ? thread / LANES : thread % OUTPUTS;
    uint blocks = (args.outputs + OUTPUTS - 1u) / OUTPUTS;
    uint group = linear_group();
    uint split = group / blocks, index = group % blocks * OUTPUTS + within;
    bool live = one_of(split, args.splits);
    live = one_of(index, args.outputs) && live;
    float sum = 0.0;
    if (live) {
        int kept = position_kept(index);
        uint end = min((split + 1u) * args.chunk, args.reduced);
        for (uint r = split * args.chunk + lane; r < end; r += LANES)
            sum += args.x.at[kept + position_reduced(min(r, args.reduced - 1u))];
    }
    uint slot = lane * OUTPUTS + within;
    partial[slot] = sum;
    for (uint step = LANES / 2u; step > 0u; step /= 2u) {
        barrier();
        if (lane < step) partial[slot] += partial[slot + step * OUTPUTS];
    }
    if (live && lane == 0u) args.result.at[split * args.outputs + index] = partial[slot];
}
