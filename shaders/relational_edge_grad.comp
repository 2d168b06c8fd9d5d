#version 460
// relational_edge_grad.comp: de_ij = sum_h ds_hij (sender_hj + receiver_hi + (G_h + G_h^T) e_ij).
//
// A group is ROWS edges and COLUMNS components; heads and components of e are one contraction, over ds_h e in
// the rows.
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "relational_edge_grad.args.h"
#include "lib/relational.glsl"

shared float row_ds[ROWS]; // of one head

void main() {
    const uint local = gl_LocalInvocationID.x, x = local % 16, y = local / 16;
    uint group = linear_group();
    if (!one_of(group, args.groups)) return; // the whole group
    const uint slices = (DIM + COLUMNS - 1) / COLUMNS;
    const uint column = group % slices * COLUMNS, first = group / slices * ROWS;
    edge_nodes nodes[4];
    [[unroll]] for (uint r = 0; r < 4; ++r) nodes[r] = nodes_of(min(first + x + 16 * r, args.edges - 1));

    vec4 sums[4];
    [[unroll]] for (uint r = 0; r < 4; ++r) sums[r] = vec4(0);
    for (uint next = 0; next < args.heads; ++next) {
        const uint head = min(next, args.heads - 1);
        barrier(); // the last head's ds have been read
        for (uint row = local; row < ROWS; row += THREADS) {
            const uint edge = min(first + row, args.edges - 1);
            row_ds[row] = args.ds.at[pair_of(edge, edge / (args.n * args.n), head)];
        }
        barrier();
        for (uint depth = 0; depth < DIM && WITH_FORM != 0; depth += DEPTH) {
            for (uint index = local; index < ROWS * DEPTH; index += THREADS) {
                const uint k = index % DEPTH, row = index / DEPTH;
                const bool inside = depth + k < DIM && first + row < args.edges;
                row_tile[k * ROW_PITCH + row] =
                    inside ? row_ds[row] *
                                 args.e.at[min(first + row, args.edges - 1) * DIM + min(depth + k, DIM - 1)]
                           : 0.0;
            }
            for (uint index = local; index < COLUMNS * DEPTH; index += THREADS) {
                const uint k = index % DEPTH, c = index / DEPTH;
                uint row = depth + k, own = column + c;
                bool inside = one_of(row, DIM);
                inside = one_of(own, DIM) && inside;
                column_tile[k * COLUMN_PITCH + c] = inside ? args.form.at[(head * DIM + own) * DIM + row] +
                                                                 args.form.at[(head * DIM + row) * DIM + own]
                                                           : 0.0;
            }
            barrier();
            multiply_tiles(x, y, sums);
            barrier(); // the tiles have been read
        }
        for (uint c = 0; c < 4; ++c) {
            uint component = column + y + COLUMN_STEP * c;
            if (!one_of(component, DIM)) break;
            [[unroll]] for (uint r = 0; r < 4; ++r)
                sums[r][c] +=
                    row_ds[x + 16 * r] * node_terms(nodes[r].batch * args.heads + head, nodes[r], component);
        }
    }
    for (uint c = 0; c < 4; ++c) {
        const uint component = column + y + COLUMN_STEP * c;
        if (component >= DIM) break;
        [[unroll]] for (uint r = 0; r < 4; ++r)
            if (first + x + 16 * r < args.edges)
                args.de.at[(first + x + 16 * r) * DIM + component] = sums[r][c];
    }
}
