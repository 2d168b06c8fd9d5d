#version 460
// row_linear.comp: products of rows with up to four weights, fused with the norm, gate or gelu before and the
// addend after them: see src/ops/row_linear.c.
//
// A group takes BM rows, and BN columns at a time: BK elements of the rows and of the columns' weights pass through
// shared memory in a step, each by 16 bytes and turned in blocks of 4 x 4, and 32 sums of an invocation stay in
// registers. What lies beyond the last element is zero, so that all steps are one unrolled loop. The columns of all
// weights are counted through in quads, each weight starting a new quad. A norm is linear but for its factor: the
// scale joins the weights as they are loaded, the squares of a row are summed on the first way over it, and its
// factor multiplies the finished sums; so weights that take the row as it is share its tile. Gate and gelu are
// applied as a row is loaded.
// Constants: 0 form, 1 BN, 2 invocations = 2 BN, 3 weights, 4 those that take the row as it is, 5 flags, 6
// tiles of columns of a group.
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "row_linear.args.h"
#include "lib/functions.h"
#include "lib/norm_squares.glsl"
#include "lib/row_linear.h"

layout(local_size_x = 128, local_size_x_id = 2) in;
layout(constant_id = 0) const uint FORM = 0;
layout(constant_id = 1) const uint BN = 64;
layout(constant_id = 2) const uint THREADS = 128;
layout(constant_id = 3) const uint PARTS = 1;
layout(constant_id = 4) const uint RAW = 0;
layout(constant_id = 5) const uint FLAGS = 0;
layout(constant_id = 6) const uint TILES = 1;

layout(buffer_reference, std430, buffer_reference_align = 16) buffer Vec4s {
    vec4 at[];
};

// Rows of a group, elements a step; results of an invocation.
const uint BM = 64, BK = 16, TM = 8, TN = 4;
const uint THREADS_M = BM / TM, THREADS_N = BN / TN;
const uint SEGMENTS = THREADS / BM; // invocations that sum one row's squares
const uint A_PITCH = BM / 4 + 1, B_PITCH = BN / 4 + 1;
const bool NORMS = FORM == QUARTIC_ROW_RMS || FORM == QUARTIC_ROW_L2;

shared vec4 a_tile[BK * A_PITCH]; // (k, m / 4); between two tiles of columns (segment, m): both_squares
shared vec4 b_tile[BK * B_PITCH]; // (k, n / 4)

struct Column {
    uint part, col; // part = PARTS beyond the last
};

// Where a quad of columns, counted through all weights, begins.
Column column_of(uint quad) {
    [[unroll]] for (uint part = 0; part < PARTS; ++part) {
        uint quads = (args.n[part] + 3) / 4;
        if (quad < quads) return Column(part, quad * 4);
        quad -= quads;
    }
    return Column(PARTS, 0);
}

// Elements k .. k + 3 of a row that starts at `base`, zeros beyond the last.
vec4 load_quad(Floats from, uint base, uint k, bool whole) {
    if (whole) return k < args.k ? Vec4s(uvec2(from)).at[(base + min(k, args.k - 4)) >> 2] : vec4(0.0);
    vec4 quad = vec4(0.0);
    [[unroll]] for (uint c = 0; c < 4; ++c)
        if (k + c < args.k) quad[c] = from.at[base + min(k + c, args.k - 1)];
    return quad;
}

float gate_at(uint row, uint k) {
    return approx_sigmoid(args.side.at[row * args.heads + min(k, args.k - 1) / (args.k / args.heads)]);
}

vec4 prepare(vec4 x, uint row, uint k) {
    if (FORM == QUARTIC_ROW_GATE) {
        if (args.k / args.heads % 4 == 0) return x * gate_at(row, k);
        [[unroll]] for (uint c = 0; c < 4; ++c) x[c] *= gate_at(row, k + c);
    }
    if (FORM == QUARTIC_ROW_GELU)
        [[unroll]] for (uint c = 0; c < 4; ++c) x[c] *= approx_normal_cdf(x[c], approx_normal_bell(x[c]));
    return x;
}

// A block of 4 x 4 of x[row0 .. + BM, k0 .. + BK] into a_tile.
void load_rows(uint block, uint row0, uint k0) {
    const uint k = block % (BK / 4) * 4, m = block / (BK / 4) * 4;
    mat4 lines = mat4(0.0); // column r is row m + r
    [[unroll]] for (uint r = 0; r < 4; ++r) {
        uint row = row0 + m + r;
        if (one_of(row, args.rows))
            lines[r] = prepare(load_quad(args.x, row * args.k, k0 + k, (FLAGS & QUARTIC_ROW_X_QUADS) != 0),
                               row, k0 + k);
    }
    lines = transpose(lines);
    [[unroll]] for (uint c = 0; c < 4; ++c) a_tile[(k + c) * A_PITCH + m / 4] = lines[c];
}

// A block of the weights of the tile's columns, elements k0 .. + BK, into b_tile.
void load_weights(uint block, uint tile, uint k0) {
    const uint k = block % (BK / 4) * 4, quad = block / (BK / 4);
    Column column = column_of(tile * (BN / 4) + quad);
    mat4 lines = mat4(0.0); // column r is column `col + r` of the results
    if (column.part < PARTS) {
        uvec2 w = uvec2(args.w[0]);
        [[unroll]] for (uint part = 1; part < PARTS; ++part)
            if (column.part == part) w = uvec2(args.w[part]);
        [[unroll]] for (uint r = 0; r < 4; ++r) {
            uint col = column.col + r;
            if (one_of(col, args.n[min(column.part, PARTS - 1)]))
                lines[r] = load_quad(Floats(w), col * args.k, k0 + k, (FLAGS & QUARTIC_ROW_W_QUADS) != 0);
        }
    }
    lines = transpose(lines);
    [[unroll]] for (uint c = 0; c < 4; ++c) {
        vec4 four = lines[c];
        if (NORMS && (FLAGS & QUARTIC_ROW_HAS_SCALE) != 0 && k0 + k + c < args.k &&
            (RAW >> column.part & 1u) == 0)
            four *= args.side.at[min(k0 + k + c, args.k - 1)] + args.offset;
        b_tile[(k + c) * B_PITCH + quad] = four;
    }
}

// The squares of row m of the group, from a_tile.
float norm_factor(uint m) {
    vec2 sum = vec2(0.0);
    [[unroll]] for (uint segment = 0; segment < SEGMENTS; ++segment) sum += a_tile[segment * BM + m].xy;
    return factor_of_squares(sum, float(args.k), args.eps, FORM == QUARTIC_ROW_L2);
}

void write(Column column, uint row, vec4 y) {
    uvec2 to = uvec2(args.y[0]);
    [[unroll]] for (uint part = 1; part < PARTS; ++part)
        if (column.part == part) to = uvec2(args.y[part]);
    uint n = args.n[column.part], at = row * n + column.col;
    if ((FLAGS >> column.part & QUARTIC_ROW_WRITE_QUADS) != 0) {
        if ((FLAGS & QUARTIC_ROW_HAS_ADDEND) != 0) y += Vec4s(uvec2(args.addend)).at[at >> 2];
        Vec4s(to).at[at >> 2] = y;
        return;
    }
    [[unroll]] for (uint c = 0; c < 4; ++c) {
        if (column.col + c >= n) continue;
        if ((FLAGS & QUARTIC_ROW_HAS_ADDEND) != 0)
            y[c] += args.addend.at[row * n + min(column.col + c, n - 1)];
        Floats(to).at[at + c] = y[c];
    }
}

// The row of the group that is an invocation's i-th.
uint own_row(uint i, uint ty) {
    return (i / 4 * THREADS_M + ty) * 4 + i % 4;
}

void main() {
    const uint local = gl_LocalInvocationID.x;
    const uint tx = local % THREADS_N, ty = local / THREADS_N;
    uint quads = 0;
    [[unroll]] for (uint part = 0; part < PARTS; ++part) quads += (args.n[part] + 3) / 4;
    const uint tiles = (quads + BN / 4 - 1) / (BN / 4), splits = (tiles + TILES - 1) / TILES;
    uint row0 = linear_group() / splits * BM;
    if (!one_of(row0, args.rows)) return; // the whole group
    const uint first = linear_group() % splits * TILES;

    vec2 own_squares = vec2(0.0); // of row local % BM
    float factors[TM];
    [[unroll]] for (uint i = 0; i < TM; ++i) factors[i] = 1.0;
    for (uint tile = first; tile < min(first + TILES, tiles); ++tile) {
        vec4 sums[TM];
        [[unroll]] for (uint i = 0; i < TM; ++i) sums[i] = vec4(0.0);
        for (uint k0 = 0; k0 < args.k; k0 += BK) {
            const uint a_blocks = BM * BK / 16, b_blocks = BN * BK / 16;
            for (uint block = local; block < a_blocks + b_blocks; block += THREADS) {
                if (block < a_blocks)
                    load_rows(block, row0, k0);
                else
                    load_weights(block - a_blocks, tile, k0);
            }
            barrier();
            if (NORMS && tile == first)
                [[unroll]] for (uint k = 0; k < BK; k += SEGMENTS)
                    own_squares +=
                        both_squares(a_tile[(k + local / BM) * A_PITCH + local % BM / 4][local % 4]);
            [[unroll]] for (uint k = 0; k < BK; ++k) {
                vec4 columns = b_tile[k * B_PITCH + tx];
                [[unroll]] for (uint q = 0; q < TM / 4; ++q) {
                    vec4 rows = a_tile[k * A_PITCH + q * THREADS_M + ty];
                    [[unroll]] for (uint i = 0; i < 4; ++i) sums[q * 4 + i] += rows[i] * columns;
                }
            }
            barrier();
        }
        if (NORMS && tile == first) {
            a_tile[local].xy = own_squares;
            barrier();
            [[unroll]] for (uint i = 0; i < TM; ++i) factors[i] = norm_factor(own_row(i, ty));
            barrier();
        }
        Column column = column_of(tile * (BN / 4) + tx);
        bool normed = NORMS && (RAW >> column.part & 1u) == 0;
        float alpha = column.part == 0 ? args.alpha : 1.0;
        [[unroll]] for (uint i = 0; i < TM; ++i) {
            const uint row = row0 + own_row(i, ty);
            if (column.part < PARTS && row < args.rows)
                write(column, row, sums[i] * (normed ? factors[i] * alpha : alpha));
        }
    }
}
