#version 460
// relational_edge_grad_lanes.comp: relational_edge_grad.comp by groups of eight lanes, without shared memory.
// Eight components at a time are summed over the heads.
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "relational_edge_grad.args.h"
#include "lib/relational_lanes.glsl"

void main() {
    uint group = linear_group();
    if (!one_of(group, args.groups)) return; // the whole group
    const uint lane = gl_SubgroupInvocationID;
    const lanes_place at = place_of(group, lane);
    load_edges(at);
    for (uint first = 0; first < DIM; first += 8) {
        const uint own = min(first + lane, DIM - 1);
        float gradients[8 * ROWS]; // (component, receiver)
        [[unroll]] for (uint index = 0; index < 8 * ROWS; ++index) gradients[index] = 0.0;
        for (uint next = 0; next < args.heads; ++next) {
            const uint head = min(next, args.heads - 1);
            const uint unit = at.batch * args.heads + head;
            float ds[ROWS], receivers[ROWS];
            [[unroll]] for (uint row = 0; row < ROWS; ++row) {
                const uint node = unit * args.n + receiver_of(at, row);
                ds[row] = args.ds.at[node * args.n + at.j];
                receivers[row] = WITH_RECEIVER != 0 ? args.receiver.at[node * DIM + own] : 0.0;
            }
            [[unroll]] for (uint u = 0; u < 8; ++u) {
                const uint c = min(first + u, DIM - 1); // beyond the last the sum is not used
                float sums[ROWS];
                const float sender = args.sender.at[(unit * DIM + c) * args.n + at.j];
                [[unroll]] for (uint row = 0; row < ROWS; ++row)
                    sums[row] = WITH_RECEIVER != 0 ? subgroupShuffle(receivers[row], u) + sender : sender;
                if (WITH_FORM != 0)
                    [[unroll]] for (uint eight = 0; eight < EIGHTS; ++eight) {
                        const uint k = min(eight * 8 + lane, DIM - 1);
                        const float g = args.form.at[(head * DIM + c) * DIM + k] +
                                        args.form.at[(head * DIM + k) * DIM + c];
                        [[unroll]] for (uint v = 0; v < 8; ++v) {
                            if (eight * 8 + v >= DIM) break;
                            const float x = subgroupShuffle(g, v);
                            [[unroll]] for (uint row = 0; row < ROWS; ++row)
                                sums[row] += x * e[row * DIM + eight * 8 + v];
                        }
                    }
                [[unroll]] for (uint row = 0; row < ROWS; ++row)
                    gradients[u * ROWS + row] += ds[row] * sums[row];
            }
        }
        [[unroll]] for (uint row = 0; row < ROWS; ++row)
            [[unroll]] for (uint u = 0; u < 8; ++u)
                if (at.is_edge && at.i + row < args.n && first + u < DIM)
                    args.de.at[((at.batch * args.n + at.i + row) * args.n + at.j) * DIM + first + u] =
                        gradients[u * ROWS + row];
    }
}
