#version 460
// relational_edge_grad.comp: de_ij = sum_h ds_hij (sender_hj + receiver_hi + (G_h + G_h^T) e_ij).
//
// A group is one (b, i), ROWS senders j and COLUMNS components; heads and components of e are one contraction, over
// ds_h e in the rows.
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "relational_edge_grad.args.h"
#include "lib/relational.glsl"

void main() {
    const uint local = gl_LocalInvocationID.x, x = local % 16, y = local / 16;
    const uint group = linear_group();
    if (group >= args.groups) return; // the whole group
    const uint blocks = (args.n + ROWS - 1) / ROWS, slices = (DIM + COLUMNS - 1) / COLUMNS;
    const uint column = group % slices * COLUMNS, first = group / slices % blocks * ROWS;
    const uint i = group / slices / blocks % args.n, batch = group / slices / blocks / args.n;
    const uint edge = (batch * args.n + i) * args.n; // of j = 0

    vec4 sums[4];
    [[unroll]] for (uint r = 0; r < 4; ++r) sums[r] = vec4(0);
    for (uint head = 0; head < args.heads; ++head) {
        const uint unit = batch * args.heads + head;
        const uint pair = (unit * args.n + i) * args.n; // of j = 0
        for (uint depth = 0; depth < DIM && WITH_FORM != 0; depth += DEPTH) {
            barrier(); // the tiles have been read
            for (uint index = local; index < ROWS * DEPTH; index += THREADS) {
                const uint k = index % DEPTH, row = index / DEPTH;
                const bool inside = depth + k < DIM && first + row < args.n;
                row_tile[k * ROW_PITCH + row] =
                    inside ? args.ds.at[pair + first + row] * args.e.at[(edge + first + row) * DIM + depth + k] : 0.0;
            }
            for (uint index = local; index < COLUMNS * DEPTH; index += THREADS) {
                const uint k = index % DEPTH, c = index / DEPTH;
                const bool inside = depth + k < DIM && column + c < DIM;
                column_tile[k * COLUMN_PITCH + c] =
                    inside ? args.form.at[(head * DIM + column + c) * DIM + depth + k] +
                                 args.form.at[(head * DIM + depth + k) * DIM + column + c]
                           : 0.0;
            }
            barrier();
            multiply_tiles(x, y, sums);
        }
        for (uint c = 0; c < 4; ++c) {
            const uint component = column + y + COLUMN_STEP * c;
            if (component >= DIM) break;
            const float receiver =
                WITH_RECEIVER != 0 ? args.receiver.at[(unit * args.n + i) * DIM + component] : 0.0;
            [[unroll]] for (uint r = 0; r < 4; ++r) {
                const uint j = first + x + 16 * r;
                if (j < args.n)
                    sums[r][c] += args.ds.at[pair + j] *
                                  (receiver + args.sender.at[(unit * DIM + component) * args.n + j]);
            }
        }
    }
    for (uint c = 0; c < 4; ++c) {
        const uint component = column + y + COLUMN_STEP * c;
        if (component >= DIM) break;
        [[unroll]] for (uint r = 0; r < 4; ++r) {
            const uint j = first + x + 16 * r;
            if (j < args.n) args.de.at[(edge + j) * DIM + component] = sums[r][c];
        }
    }
}
