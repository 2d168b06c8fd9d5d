#version 460
// relational_form_grad.comp: parts of dG_h = sum over edges of ds_h e e^T.
//
// A group is one head, one split of the edges and TILE x TILE of dG_h; a thread (x, y) holds 4 x 4 of these:
//     rows y + S r, columns x + S c, with S = TILE / 4
// Edges pass through shared memory, DEPTH at a time.
// Constants 0, 1: De, TILE; threads are (TILE / 4)^2.
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "relational_form_grad.args.h"

layout(constant_id = 0) const uint DIM = 32;
layout(constant_id = 1) const uint TILE = 32;
layout(constant_id = 2) const uint THREADS = 64;
layout(local_size_x_id = 2) in;

const uint DEPTH = 16, STEP = TILE / 4;

shared float left[DEPTH * TILE];  // ds e
shared float right[DEPTH * TILE]; // e

void main() {
    const uint local = gl_LocalInvocationID.x, x = local % STEP, y = local / STEP;
    uint group = linear_group();
    if (!one_of(group, args.groups)) return; // the whole group
    const uint tiles = (DIM + TILE - 1) / TILE;
    const uint column = group % tiles * TILE, row = group / tiles % tiles * TILE;
    const uint head = group / tiles / tiles % args.heads, split = group / tiles / tiles / args.heads;
    const uint begin = split * args.rows, end = min(begin + args.rows, args.edges);

    vec4 sums[4];
    [[unroll]] for (uint r = 0; r < 4; ++r) sums[r] = vec4(0);
    for (uint first = begin; first < end; first += DEPTH) {
        barrier(); // the tiles have been read
        for (uint index = local; index < TILE * DEPTH; index += THREADS) {
            const uint c = index % TILE;
            const uint edge = min(first + index / TILE, args.edges - 1);
            float scaled = 0.0, plain = 0.0;
            if (first + index / TILE < end) {
                const uint pair = (edge / args.pairs * args.heads + head) * args.pairs +
                                  edge % args.pairs; // in (b, h, i j)
                if (row + c < DIM) scaled = args.ds.at[pair] * args.e.at[edge * DIM + min(row + c, DIM - 1)];
                if (column + c < DIM) plain = args.e.at[edge * DIM + min(column + c, DIM - 1)];
            }
            left[index] = scaled;
            right[index] = plain;
        }
        barrier();
        for (uint k = 0; k < DEPTH; ++k) {
            vec4 columns;
            [[unroll]] for (uint c = 0; c < 4; ++c) columns[c] = right[k * TILE + x + STEP * c];
            [[unroll]] for (uint r = 0; r < 4; ++r) sums[r] += left[k * TILE + y + STEP * r] * columns;
        }
    }
    const uint to = (split * args.heads + head) * DIM;
    [[unroll]] for (uint r = 0; r < 4; ++r)
        [[unroll]] for (uint c = 0; c < 4; ++c)
            if (row + y + STEP * r < DIM && column + x + STEP * c < DIM)
                args.parts.at[(to + row + y + STEP * r) * DIM + column + x + STEP * c] = sums[r][c];
}
