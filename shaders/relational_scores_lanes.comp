#version 460
// relational_scores_lanes.comp: relational_scores.comp by groups of eight lanes, without shared memory.
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "relational_scores.args.h"
#include "lib/relational_lanes.glsl"

void main() {
    uint group = linear_group();
    if (!one_of(group, args.groups)) return; // the whole group
    const uint lane = gl_SubgroupInvocationID;
    const lanes_place at = place_of(group, lane);
    load_edges(at);
    for (uint next = 0; next < args.heads; ++next) {
        const uint head = min(next, args.heads - 1);
        const uint unit = at.batch * args.heads + head;
        float scores[ROWS];
        [[unroll]] for (uint row = 0; row < ROWS; ++row) scores[row] = 0.0;
        for (uint first = 0; first < DIM; first += 8) {
            const uint own = min(first + lane, DIM - 1);
            float receivers[ROWS];
            if (WITH_RECEIVER != 0)
                [[unroll]] for (uint row = 0; row < ROWS; ++row)
                    receivers[row] = args.receiver.at[(unit * args.n + receiver_of(at, row)) * DIM + own];
            [[unroll]] for (uint u = 0; u < 8; ++u) {
                const uint c = min(first + u, DIM - 1); // beyond the last the sum is not used
                float sums[ROWS];
                const float sender = args.sender.at[(unit * DIM + c) * args.n + at.j];
                [[unroll]] for (uint row = 0; row < ROWS; ++row)
                    sums[row] = WITH_RECEIVER != 0 ? subgroupShuffle(receivers[row], u) + sender : sender;
                if (WITH_FORM != 0)
                    [[unroll]] for (uint eight = 0; eight < EIGHTS; ++eight) {
                        const float g = args.form.at[(head * DIM + c) * DIM + min(eight * 8 + lane, DIM - 1)];
                        [[unroll]] for (uint v = 0; v < 8; ++v) {
                            if (eight * 8 + v >= DIM) break;
                            const float x = subgroupShuffle(g, v);
                            [[unroll]] for (uint row = 0; row < ROWS; ++row)
                                sums[row] += x * e[row * DIM + eight * 8 + v];
                        }
                    }
                [[unroll]] for (uint row = 0; row < ROWS; ++row)
                    scores[row] += DIM % 8 == 0 || first + u < DIM ? e[row * DIM + c] * sums[row] : 0.0;
            }
        }
        [[unroll]] for (uint row = 0; row < ROWS; ++row) {
            uint i = at.i + row;
            if (!one_of(i, args.n) || !at.is_edge) continue;
            const int place = int(at.batch) * args.base_strides[0] + int(head) * args.base_strides[1] +
                              int(i) * args.base_strides[2] + int(at.j) * args.base_strides[3];
            args.scores.at[(unit * args.n + i) * args.n + at.j] = args.base.at[place] + scores[row];
        }
    }
}
