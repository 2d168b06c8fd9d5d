#version 460
// embedding_grad.comp: gradients added into the rows of a table, in a fixed order and without atomics on
// floats. A workgroup is 8 lanes of 32 columns and owns group_rows rows. In each chunk of 256 positions,
// thread p looks at position p and sets bit p if the index hits one of the rows; lane l then adds the hits
// among its positions 32 l .. 32 l + 31 to its own sums.
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "embedding_grad.args.h"

layout(local_size_x = 256) in;

shared uint hits[8];                               // a bit per position of the chunk
shared uint hit_rows[256];                         // its row within the workgroup's
shared float sums[EMBEDDING_GRAD_MAX_ROWS * 256u]; // (row, lane, column)

void main() {
    uint thread = gl_LocalInvocationID.x, lane = thread / 32u;
    uint column_blocks = (args.width + 31u) / 32u;
    uint group = linear_group();
    uint first_row = group / column_blocks * args.group_rows;
    uint column = group % column_blocks * 32u + thread % 32u;
    bool has_column = one_of(column, args.width);
    for (uint row = 0; row < args.group_rows; ++row) sums[row * 256u + thread] = 0.0;
    for (uint chunk = 0; chunk < args.positions; chunk += 256u) {
        if (thread < 8u) hits[thread] = 0u;
        barrier();
        uint position = chunk + thread;
        if (one_of(position, args.positions)) {
            uint index = uint(args.indices.at[position]); // a negative index becomes a large one
            uint row = index - first_row;                 // and so does one before the first row
            if (index < args.rows && row < args.group_rows) {
                hit_rows[thread] = row;
                atomicOr(hits[lane], 1u << (thread % 32u));
            }
        }
        barrier();
        if (has_column) {
            for (uint bits = hits[lane]; bits != 0u; bits &= bits - 1u) {
                uint hit = lane * 32u + uint(max(findLSB(bits), 0));
                sums[hit_rows[hit] * 256u + thread] +=
                    args.g.at[min(chunk + hit, args.positions - 1) * args.width + column];
            }
        }
        barrier();
    }
    // Thread (lane, column) adds up the lanes of rows lane, lane + 8, ..
    for (uint row = lane; row < args.group_rows; row += 8u) {
        float sum = 0.0;
        for (uint l = 0; l < 8u; ++l) sum += sums[row * 256u + l * 32u + thread % 32u];
        if (first_row + row < args.rows && has_column)
            args.result.at[(first_row + row) * args.width + column] = sum;
    }
}
