#version 460
// fill.comp: one 32-bit word, float or integer, into every element. Constants: 0 whether it begins at 16 bytes.
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "fill.args.h"
#include "lib/flat.glsl"
#include "lib/quads.glsl"

layout(local_size_x = 256) in;
layout(constant_id = 0) const uint QUADS = 0;

void fill_four(uint index) {
    quad_store_ints(args.target, index, ivec4(args.bits));
}

void fill_one(uint index) {
    args.target.at[index] = args.bits;
}

void main() {
    FLAT_LOOP(QUADS, fill_four, fill_one)
}
