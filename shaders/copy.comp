#version 460
// copy.comp: strided to strided copy of 4-byte elements, moved as integers so that no NaN is touched.
// Constants: 0 the mode, 1 the quads of x (lib/quads.glsl).
//   LINEAR  in the order of the elements, 4 a thread: neighbours by 16 bytes where both sides have quads, else 256
//           apart.
//   TILED   axis rank - 2 has unit stride in x, axis rank - 1 in the result: a workgroup moves a tile of
//           32 x 32 over them through shared memory, by 16 bytes where both sides have quads. A padded column
//           keeps banks apart.
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "lib/quads.glsl"
#include "lib/strided.glsl"
#include "copy.args.h"

layout(local_size_x = 256) in;
layout(constant_id = 0) const uint MODE = 0;
layout(constant_id = 1) const uint QUAD = 0;
const uint TILED = 1;

shared int tile[32][33]; // [column][row]

#define ADD_AXIS(axis, within)                                                                               \
    at.x += int(within) * args.in_strides[axis];                                                             \
    at.y += int(within) * args.out_strides[axis];

// Where the row-major index-th element over the first `rank` axes lies in x and in the result.
ivec2 places_of(uint index, uint rank) {
    ivec2 at = ivec2(0);
    STRIDED_WALK(index, rank, args.dims, args.divide, ADD_AXIS)
    return at;
}

void copy_tile() {
    uint row_axis = args.rank - 2u, column_axis = args.rank - 1u;
    uint rows = args.dims[row_axis], columns = args.dims[column_axis];
    uint row_tiles = (rows + 31u) / 32u, column_tiles = (columns + 31u) / 32u;
    uint group = linear_group();
    uint row0 = group % row_tiles * 32u, column0 = group / row_tiles % column_tiles * 32u;
    uint batch = group / (row_tiles * column_tiles);
    bool inside = one_of(batch, args.count / (rows * columns));
    const ivec2 at = places_of(batch, row_axis);
    if (QUAD == QUAD_ONE) { // rows and columns are multiples of four
        const uint fast = gl_LocalInvocationID.x % 8u * 4u, slow = gl_LocalInvocationID.x / 8u;
        uint row = row0 + fast, column = column0 + slow;
        row = min(row, rows - 4u);
        column = min(column, columns - 1u);
        const ivec4 four =
            quad_load_ints(args.x, at.x + int(row) + int(column) * args.in_strides[column_axis], QUAD_ONE);
        [[unroll]] for (uint k = 0; k < 4; ++k) tile[slow][fast + k] = four[k];
        barrier();
        row = row0 + slow;
        column = column0 + fast;
        if (inside && row < rows && column < columns)
            quad_store_ints(
                args.result, uint(at.y + int(column) + int(row) * args.out_strides[row_axis]),
                ivec4(tile[fast][slow], tile[fast + 1][slow], tile[fast + 2][slow], tile[fast + 3][slow]));
        return;
    }
    uint fast = gl_LocalInvocationID.x % 32u, slow = gl_LocalInvocationID.x / 32u;
    for (uint k = slow; k < 32u; k += 8u) {
        uint row = row0 + fast, column = column0 + k;
        if (one_of(row, rows) && one_of(column, columns) && inside)
            tile[k][fast] = args.x.at[at.x + int(row) + int(column) * args.in_strides[column_axis]];
    }
    barrier();
    for (uint k = slow; k < 32u; k += 8u) {
        uint row = row0 + k, column = column0 + fast;
        if (inside && row < rows && column < columns)
            args.result.at[at.y + int(column) + int(row) * args.out_strides[row_axis]] = tile[fast][k];
    }
}

void main() {
    if (MODE == TILED) {
        copy_tile();
        return;
    }
    if (QUAD != QUAD_NONE) {
        uint quad = linear_group() * 256u + gl_LocalInvocationID.x;
        if (!one_of(quad, args.count >> 2)) return;
        const ivec2 at = places_of(4u * quad, args.rank);
        quad_store_ints(args.result, uint(at.y), quad_load_ints(args.x, at.x, QUAD));
        return;
    }
    uint first = linear_group() * 1024u + gl_LocalInvocationID.x;
    [[unroll]] for (uint k = 0; k < 4; ++k) {
        uint index = first + k * 256u;
        if (!one_of(index, args.count)) continue;
        const ivec2 at = places_of(index, args.rank);
        args.result.at[at.y] = args.x.at[at.x];
    }
}
