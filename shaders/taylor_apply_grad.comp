#version 460
// taylor_apply_grad.comp: gradients of one side of the linear form, from the states of the other side.
//     P_f = state_f . (y, last);   for every feature f = (a, b): dx_a += P_f x_b,  dx_b += P_f x_a
//     for keys also dy = sum_f f(x) state_f
// (y, last) is (v, 1) of a key, (g / z, -D) of a query.
//
// A group is one head of one sequence and THREADS * ROWS tokens of one span. A thread holds ROWS tokens and V4 vec4s
// of their y and dy; P is linear in y, so wider values take several walks over the state. Features are walked in blocks
// of 4 x 4: components 4 A .. 4 A + 3 by components 4 B .. 4 B + 3, B >= A, after those with the constant 1. x and dx
// of both fours stay in registers for a block, dx of the first for all B; between blocks a thread keeps its dx in
// shared memory, where it reads and writes four components for each 16 features. The state of BLOCKS blocks passes
// through shared memory at once.
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "taylor_apply_grad.args.h"
#include "lib/taylor.glsl"

layout(constant_id = 6) const uint SIDE = 0;
layout(constant_id = 7) const uint V4 = 4;
layout(constant_id = 8) const uint BLOCKS = 2;
layout(constant_id = 9) const int X_COMPONENT = 1;
layout(constant_id = 10) const int Y_COMPONENT = 1;
layout(constant_id = 11) const uint ROWS = 1;

#include "lib/taylor_features.glsl"

shared vec4 dx_rows[FOURS * ROWS * THREADS]; // (four, r, thread)
shared vec4 state_tile[16 * BLOCKS * V4];    // (block, a, b, e)
shared float ones[16 * BLOCKS];

vec4 y[ROWS * V4], dy[ROWS * V4], a_x[ROWS], a_dx[ROWS], b_x[ROWS], b_dx[ROWS];
float last[ROWS];
bool seen[ROWS];
int x_place[ROWS];

uint at_dx(uint four, uint r) {
    return (four * ROWS + r) * THREADS + gl_LocalInvocationID.x;
}

vec4 load_x(uint four, uint r) {
    vec4 x = vec4(0);
    if (seen[r]) x = load4(args.x, x_place[r], X_COMPONENT, four * 4, D);
    return x;
}

// The feature of components a and b, counted from 1, or 0 for the constant; F where there is none.
uint feature_of(uint a, uint b) {
    return a <= b && b <= D ? first_feature(a) + b - a : F;
}

// The states of the features of `count` blocks (A, B), (A, B + 1), ..; with `constant` those of the constant with
// fours B, B + 1, .., of which a block has four.
void load_blocks(uint state, uint slice, bool constant, uint A, uint B, uint count) {
    const uint size = constant ? 4 : 16;
    barrier();
    for (uint index = gl_LocalInvocationID.x; index < count * size * (V4 + 1); index += THREADS) {
        const uint slot = index / (V4 + 1), e = index % (V4 + 1), block = slot / size, within = slot % size;
        const uint b = (B + block) * 4 + within % 4 + 1, a = constant ? 0 : A * 4 + within / 4 + 1;
        uint feature = feature_of(a, b);
        const bool exists = one_of(feature, F);
        if (e == V4) { // the last column counts once, in the first walk
            float number = 0;
            if (exists && slice == 0) number = args.state.at[state + ONES + feature];
            ones[block * 16 + within] = number;
        } else {
            vec4 four = vec4(0);
            if (exists) four = state_quad(args.state, state, feature, slice * V4 + e);
            state_tile[(block * 16 + within) * V4 + e] = four;
        }
    }
    barrier();
}

// P of a feature for all rows; product: x_a x_b of each, for dy.
void apply_feature(uint slot, float product[ROWS], out float p[ROWS]) {
    [[unroll]] for (uint r = 0; r < ROWS; ++r) p[r] = ones[slot] * last[r];
    [[unroll]] for (uint e = 0; e < V4; ++e) {
        const vec4 s = state_tile[slot * V4 + e];
        [[unroll]] for (uint r = 0; r < ROWS; ++r) {
            p[r] += dot(s, y[r * V4 + e]);
            if (SIDE == KEYS) dy[r * V4 + e] += product[r] * s;
        }
    }
}

// The constant with four B.
void apply_constant(uint block, uint B) {
    [[unroll]] for (uint r = 0; r < ROWS; ++r) {
        b_x[r] = load_x(B, r);
        b_dx[r] = dx_rows[at_dx(B, r)];
    }
    [[unroll]] for (uint j = 0; j < 4; ++j) {
        float product[ROWS], p[ROWS];
        [[unroll]] for (uint r = 0; r < ROWS; ++r) product[r] = b_x[r][j];
        apply_feature(block * 16 + j, product, p);
        [[unroll]] for (uint r = 0; r < ROWS; ++r)
            if (seen[r]) b_dx[r][j] += p[r];
    }
    [[unroll]] for (uint r = 0; r < ROWS; ++r) dx_rows[at_dx(B, r)] = b_dx[r];
}

// Four A with itself: a_x and a_dx.
void apply_diagonal(uint block) {
    [[unroll]] for (uint i = 0; i < 4; ++i)
        [[unroll]] for (uint j = i; j < 4; ++j) {
            float product[ROWS], p[ROWS];
            [[unroll]] for (uint r = 0; r < ROWS; ++r) product[r] = a_x[r][i] * a_x[r][j];
            apply_feature(block * 16 + i * 4 + j, product, p);
            [[unroll]] for (uint r = 0; r < ROWS; ++r) {
                a_dx[r][i] += p[r] * a_x[r][j];
                a_dx[r][j] += p[r] * a_x[r][i];
            }
        }
}

// Four A with a later four B.
void apply_block(uint block, uint B) {
    [[unroll]] for (uint r = 0; r < ROWS; ++r) {
        b_x[r] = load_x(B, r);
        b_dx[r] = dx_rows[at_dx(B, r)];
    }
    [[unroll]] for (uint i = 0; i < 4; ++i)
        [[unroll]] for (uint j = 0; j < 4; ++j) {
            float product[ROWS], p[ROWS];
            [[unroll]] for (uint r = 0; r < ROWS; ++r) product[r] = a_x[r][i] * b_x[r][j];
            apply_feature(block * 16 + i * 4 + j, product, p);
            [[unroll]] for (uint r = 0; r < ROWS; ++r) {
                a_dx[r][i] += p[r] * b_x[r][j];
                b_dx[r][j] += p[r] * a_x[r][i];
            }
        }
    [[unroll]] for (uint r = 0; r < ROWS; ++r) dx_rows[at_dx(B, r)] = b_dx[r];
}

void main() {
    const uint local = gl_LocalInvocationID.x;
    const uint slices = (DV + 4 * V4 - 1) / (4 * V4);
    const uint spans = (args.tokens + args.span - 1) / args.span;
    const uint blocks = (args.span + THREADS * ROWS - 1) / (THREADS * ROWS); // of a span
    uint group = linear_group();
    if (!one_of(group, args.unit_count * spans * blocks)) return; // the whole group
    const uint span = group / blocks % spans, index_of_unit = group / blocks / spans;
    const Unit unit = unit_at(args.first_unit + index_of_unit);
    const uint begin = span * args.span + group % blocks * (THREADS * ROWS) + local;
    const uint end = min((span + 1) * args.span, args.tokens);
    const uint state = (index_of_unit * args.parts + span) * STATE;

    uint row[ROWS];
    float scale[ROWS];
    [[unroll]] for (uint r = 0; r < ROWS; ++r) {
        const uint position = begin + r * THREADS, near = min(position, args.tokens - 1);
        row[r] = row_of(unit, near);
        x_place[r] = place_of(unit, near, args.x_strides);
        seen[r] = position < end;
        if (SIDE == KEYS) {
            seen[r] = position < min(end, key_end_of(unit));
            if (seen[r]) seen[r] = is_visible(unit, near);
        }
        scale[r] = last[r] = 1;
        if (SIDE == QUERIES) {
            scale[r] = args.terms.at[2 * row[r]];
            last[r] = -args.terms.at[2 * row[r] + 1];
        }
        [[unroll]] for (uint four = 0; four < FOURS; ++four) dx_rows[at_dx(four, r)] = vec4(0);
    }

    for (uint slice = 0; slice < slices; ++slice) {
        [[unroll]] for (uint r = 0; r < ROWS; ++r) {
            const uint near = min(begin + r * THREADS, args.tokens - 1);
            [[unroll]] for (uint e = 0; e < V4; ++e) {
                y[r * V4 + e] = dy[r * V4 + e] = vec4(0);
                if (seen[r])
                    y[r * V4 + e] = scale[r] * load4(args.y, place_of(unit, near, args.y_strides),
                                                     Y_COMPONENT, (slice * V4 + e) * 4, DV);
                if (SIDE == KEYS && seen[r])
                    dy[r * V4 + e] = state_quad(args.state, state, 0, slice * V4 + e);
            }
        }
        for (uint B = 0; B < FOURS; B += BLOCKS) {
            const uint count = min(BLOCKS, FOURS - B);
            load_blocks(state, slice, true, 0, B, count);
            for (uint block = 0; block < count; ++block) apply_constant(block, B + block);
        }
        for (uint A = 0; A < FOURS; ++A) {
            [[unroll]] for (uint r = 0; r < ROWS; ++r) {
                a_x[r] = load_x(A, r);
                a_dx[r] = dx_rows[at_dx(A, r)];
            }
            for (uint B = A; B < FOURS; B += BLOCKS) {
                const uint count = min(BLOCKS, FOURS - B);
                load_blocks(state, slice, false, A, B, count);
                for (uint block = 0; block < count; ++block) {
                    if (B + block == A)
                        apply_diagonal(block);
                    else
                        apply_block(block, B + block);
                }
            }
            [[unroll]] for (uint r = 0; r < ROWS; ++r) {
                if (slice + 1 < slices)
                    dx_rows[at_dx(A, r)] = a_dx[r];
                else if (begin + r * THREADS < end)
                    store_row4(args.dx, row[r], A * 4, D, a_dx[r]);
            }
        }
        if (SIDE == KEYS)
            [[unroll]] for (uint r = 0; r < ROWS; ++r)
                if (begin + r * THREADS < end)
                    [[unroll]] for (uint e = 0; e < V4; ++e)
                        store_row4(args.dy, row[r], (slice * V4 + e) * 4, DV, dy[r * V4 + e]);
    }
}
