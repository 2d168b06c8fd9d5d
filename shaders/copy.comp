#version 460
// copy.comp: strided to strided copy of 4-byte elements, moved as integers so that no NaN is touched.
// Constants: 0 the mode.
//   LINEAR  in the order of the elements, 4 a thread.
//   TILED   axis rank - 2 has unit stride in x, axis rank - 1 in the result: a workgroup moves a tile of
//           32 x 32 over them through shared memory. A padded column keeps banks apart.
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "lib/strided.glsl"
#include "copy.args.h"

layout(local_size_x = 256) in;
layout(constant_id = 0) const uint MODE = 0;
const uint TILED = 1;

shared int tile[32][33]; // [column][row]

STRIDED_POSITION(position_in, 0, args.rank, args.dims, args.in_strides)
STRIDED_POSITION(position_out, 0, args.rank, args.dims, args.out_strides)
STRIDED_POSITION(batch_in, 0, int(args.rank) - 2, args.dims, args.in_strides)
STRIDED_POSITION(batch_out, 0, int(args.rank) - 2, args.dims, args.out_strides)

void copy_tile() {
    uint row_axis = args.rank - 2u, column_axis = args.rank - 1u;
    uint rows = args.dims[row_axis], columns = args.dims[column_axis];
    uint row_tiles = (rows + 31u) / 32u, column_tiles = (columns + 31u) / 32u;
    uint group = linear_group();
    uint row0 = group % row_tiles * 32u, column0 = group / row_tiles % column_tiles * 32u;
    uint batch = group / (row_tiles * column_tiles);
    bool inside = one_of(batch, args.count / (rows * columns));
    uint fast = gl_LocalInvocationID.x % 32u, slow = gl_LocalInvocationID.x / 32u;
    int from = batch_in(batch), to = batch_out(batch);
    for (uint k = slow; k < 32u; k += 8u) {
        uint row = row0 + fast, column = column0 + k;
        if (one_of(row, rows) && one_of(column, columns) && inside)
            tile[k][fast] = args.x.at[from + int(row) + int(column) * args.in_strides[column_axis]];
    }
    barrier();
    for (uint k = slow; k < 32u; k += 8u) {
        uint row = row0 + k, column = column0 + fast;
        if (inside && row < rows && column < columns)
            args.result.at[to + int(column) + int(row) * args.out_strides[row_axis]] = tile[fast][k];
    }
}

void main() {
    if (MODE == TILED) {
        copy_tile();
        return;
    }
    uint first = linear_group() * 1024u + gl_LocalInvocationID.x;
    [[unroll]] for (uint k = 0; k < 4; ++k) {
        uint index = first + k * 256u;
        if (one_of(index, args.count)) args.result.at[position_out(index)] = args.x.at[position_in(index)];
    }
}
