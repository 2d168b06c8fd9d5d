#version 460
// relational_scores.comp: s_hij = base_hij + e_ij . (sender_hj + receiver_hi + G_h e_ij).
//
// A group is one head and ROWS edges: COLUMNS rows of G at a time it computes G e as a matrix product, adds
// the nodes' terms and multiplies with e. Parts of a score are then added over the threads that share an
// edge.
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "relational_scores.args.h"
#include "lib/relational.glsl"

shared float parts[COLUMN_STEP * ROWS];

void main() {
    const uint local = gl_LocalInvocationID.x, x = local % 16, y = local / 16;
    uint group = linear_group();
    if (!one_of(group, args.groups)) return; // the whole group
    const uint head = group % args.heads, first = group / args.heads * ROWS;
    uint edge[4];
    edge_nodes nodes[4];
    [[unroll]] for (uint r = 0; r < 4; ++r) {
        edge[r] = min(first + x + 16 * r, args.edges - 1);
        nodes[r] = nodes_of(edge[r]);
    }

    vec4 score = vec4(0); // of the thread's four edges
    for (uint column = 0; column < DIM; column += COLUMNS) {
        vec4 sums[4];
        [[unroll]] for (uint r = 0; r < 4; ++r) sums[r] = vec4(0);
        for (uint depth = 0; depth < DIM && WITH_FORM != 0; depth += DEPTH) {
            barrier(); // the tiles have been read
            for (uint index = local; index < ROWS * DEPTH; index += THREADS) {
                const uint k = index % DEPTH, row = index / DEPTH;
                const bool inside = depth + k < DIM && first + row < args.edges;
                row_tile[k * ROW_PITCH + row] =
                    inside ? args.e.at[min(first + row, args.edges - 1) * DIM + min(depth + k, DIM - 1)]
                           : 0.0;
            }
            for (uint index = local; index < COLUMNS * DEPTH; index += THREADS) {
                const uint k = index % DEPTH, c = index / DEPTH;
                const bool inside = depth + k < DIM && column + c < DIM;
                column_tile[k * COLUMN_PITCH + c] =
                    inside ? args.form
                                 .at[(head * DIM + min(column + c, DIM - 1)) * DIM + min(depth + k, DIM - 1)]
                           : 0.0;
            }
            barrier();
            multiply_tiles(x, y, sums);
        }
        for (uint c = 0; c < 4; ++c) {
            uint component = column + y + COLUMN_STEP * c;
            if (!one_of(component, DIM)) break;
            [[unroll]] for (uint r = 0; r < 4; ++r)
                score[r] +=
                    args.e.at[edge[r] * DIM + component] *
                    (sums[r][c] + node_terms(nodes[r].batch * args.heads + head, nodes[r], component));
        }
    }
    [[unroll]] for (uint r = 0; r < 4; ++r) parts[y * ROWS + x + 16 * r] = score[r];
    barrier();
    for (uint row = local; row < ROWS; row += THREADS) {
        uint edge = first + row;
        if (!one_of(edge, args.edges)) continue;
        float sum = 0.0;
        for (uint part = 0; part < COLUMN_STEP; ++part) sum += parts[part * ROWS + row];
        const edge_nodes at = nodes_of(edge);
        const int place = int(at.batch) * args.base_strides[0] + int(head) * args.base_strides[1] +
                          int(at.i) * args.base_strides[2] + int(at.j) * args.base_strides[3];
        args.scores.at[pair_of(edge, at.batch, head)] = args.base.at[place] + sum;
    }
}
