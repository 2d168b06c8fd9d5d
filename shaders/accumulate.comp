#version 460
// accumulate.comp: target += factor * x, in place. Constants: 0 whether both begin at 16 bytes.
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "accumulate.args.h"
#include "lib/flat.glsl"
#include "lib/quads.glsl"

layout(local_size_x = 256) in;
layout(constant_id = 0) const uint QUADS = 0;

void add_four(uint index) {
    const vec4 x = quad_load(args.x, int(index), QUAD_ONE);
    quad_store(args.target, index, quad_load(args.target, int(index), QUAD_ONE) + args.factor * x);
}

void add_one(uint index) {
    args.target.at[index] += args.factor * args.x.at[index];
}

void main() {
    FLAT_LOOP(QUADS, add_four, add_one)
}
