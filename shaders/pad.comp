#version 460
// pad.comp: zeros with a strided tensor placed among them. A thread makes 4 elements: neighbours by 16 bytes where
// x has quads and no four of the result are cut by the place of x, else 256 apart.
// Constants: 0 the quads of x (lib/quads.glsl).
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "lib/quads.glsl"
#include "lib/strided.glsl"
#include "pad.args.h"

layout(local_size_x = 256) in;
layout(constant_id = 0) const uint QUAD = 0;

#define ADD_AXIS(axis, within) at += int(within) * args.strides[axis];

int position_of(uint index) {
    int at = 0;
    STRIDED_WALK(index, args.rank, args.dims, args.divide, ADD_AXIS)
    return at;
}

// Whether x has the index-th element of the result; place: where.
bool is_placed(uint index, out int place) {
    const uint block = strided_divide(index, args.block_multiplier, args.block_shift);
    uint within = index - block * args.block - args.first; // a place before the first wraps around
    const bool placed = one_of(within, args.width);
    place = position_of(block * args.width + within);
    return placed;
}

void main() {
    int place;
    if (QUAD != QUAD_NONE) {
        uint quad = linear_group() * 256u + gl_LocalInvocationID.x;
        if (!one_of(quad, args.count >> 2)) return;
        ivec4 four = ivec4(0);
        const bool placed = is_placed(4u * quad, place);
        if (placed) four = quad_load_ints(args.x, place, QUAD);
        quad_store_ints(args.result, 4u * quad, four);
        return;
    }
    uint start = linear_group() * 1024u + gl_LocalInvocationID.x;
    [[unroll]] for (uint k = 0; k < 4; ++k) {
        uint index = start + k * 256u;
        if (!one_of(index, args.count)) continue;
        int number = 0;
        const bool placed = is_placed(index, place);
        if (placed) number = args.x.at[place];
        args.result.at[index] = number;
    }
}
