// triangle.glsl: what the shaders of triangle attention share. Include after lib/common.glsl and the args.
//
// A unit is one head of one graph. Operands are packed by triangle_pack as (unit, first, second, QUADS) vec4
// of components, zeros beyond the width, scale already in q; terms are (lse, delta) of an edge as (unit,
// first, second). First and second are i and j, or j and i: whichever order makes a kernel's rows contiguous.
// Every args block has mask, n and heads. Constants 0..2.
layout(constant_id = 0) const uint QUADS = 8;
layout(constant_id = 1) const uint HAS_MASK = 0;
layout(constant_id = 2) const uint CAUSAL = 0; // 1: second <= l <= first; 2: first <= l <= second

layout(buffer_reference, std430, buffer_reference_align = 16) buffer Quads {
    vec4 at[];
};
layout(buffer_reference, std430, buffer_reference_align = 8) buffer Pairs {
    vec2 at[];
};

const float LOWEST = -3.40282346638528859812e38;
const float LONE = 3.0e38; // the delta of an edge that sees one pivot only; src/ops/triangle/problem.h

// ds of a triangle.
float slope_of(float weight, float product, float delta) {
    return delta == LONE ? 0.0 : weight * (product - delta);
}

// Pivots begin <= l < end that causality may leave to edges of a block.
uvec2 pivots_of(uint first_begin, uint first_end, uint second_begin, uint second_end) {
    if (CAUSAL == 1) return uvec2(second_begin, min(first_end, args.n));
    if (CAUSAL == 2) return uvec2(first_begin, min(second_end, args.n));
    return uvec2(0, args.n);
}

// Whether pivot l exists and no mask hides it.
bool shown(uint unit, uint l) {
    if (!one_of(l, args.n)) return false;
    if (HAS_MASK == 0) return true;
    return args.mask.at[unit / args.heads * args.n + l] != 0;
}

// Whether causality leaves pivot l to an edge.
bool follows(uint first, uint l, uint second) {
    if (CAUSAL == 1) return second <= l && l <= first;
    if (CAUSAL == 2) return first <= l && l <= second;
    return true;
}

// First element of an edge's head in a contiguous (b, n, n, heads, width): strides of first and second.
uint place_of(uint unit, uint first, uint first_stride, uint second, uint second_stride, uint width) {
    return ((unit / args.heads * args.n * args.n) * args.heads + unit % args.heads) * width +
           first * first_stride + second * second_stride;
}

// Components 4 quad .. 4 quad + 3 of a row of the given width, which begins at a multiple of it.
void store_quad(Floats to, uint place, uint quad, uint width, vec4 four) {
    if (width % 4 == 0) {
        if (4 * quad < width) Quads(uvec2(to)).at[(place >> 2) + quad] = four;
        return;
    }
    [[unroll]] for (uint k = 0; k < 4; ++k)
        if (4 * quad + k < width) to.at[place + 4 * quad + k] = four[k];
}
