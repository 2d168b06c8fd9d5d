// quads.glsl: four neighbouring elements of a strided operand at once (src/ops/strided.h). Include after
// lib/common.glsl.
layout(buffer_reference, std430, buffer_reference_align = 16) buffer FloatQuads {
    vec4 at[];
};
layout(buffer_reference, std430, buffer_reference_align = 16) buffer IntQuads {
    ivec4 at[];
};

// Constants of the shaders: how four elements of a row lie.
const uint QUAD_NONE = 0, QUAD_ONE = 1, QUAD_SAME = 2;

vec4 quad_load(Floats from, int place, uint quad) {
    return quad == QUAD_ONE ? FloatQuads(uvec2(from)).at[place >> 2] : vec4(from.at[place]);
}
ivec4 quad_load_ints(Ints from, int place, uint quad) {
    return quad == QUAD_ONE ? IntQuads(uvec2(from)).at[place >> 2] : ivec4(from.at[place]);
}

void quad_store(Floats to, uint place, vec4 four) {
    FloatQuads(uvec2(to)).at[place >> 2] = four;
}
void quad_store_ints(Ints to, uint place, ivec4 four) {
    IntQuads(uvec2(to)).at[place >> 2] = four;
}
