#version 460
// triangle_rows.comp: attention of the kinds start and end, for every sequence of edges with one first node,
// in flash form.
//     A_pl = softmax over l of q_p . k_l + bias_lp,   out_p = sum_l A_pl v_l
// Tiles and slices: lib/triangle_rows.glsl.
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "triangle_rows.args.h"
#include "lib/triangle.glsl"
#include "lib/triangle_rows.glsl"

const uint STEP = 4; // pivots between two rescalings of the sums

shared float parts[SPLIT == 1 ? 1 : TILE * THREADS]; // (l, invocation)

void main() {
    const uint local = gl_LocalInvocationIndex, slice = local % SPLIT, lane = local / SPLIT;
    Place at;
    if (!place_of_group(at)) return;                             // the whole group
    const uint p = at.begin + lane, column = min(p, args.n - 1); // surplus rows are computed, not stored
    vec4 q[SLICE], sums[SLICE];
    [[unroll]] for (uint k = 0; k < SLICE; ++k) {
        q[k] = held(args.q, at.sequence, p, slice * SLICE + k);
        sums[k] = vec4(0);
    }
    float largest = LOWEST, total = 0.0;
    bool sees = false;

    const uvec2 pivots = pivots_of(at.first, at.first + 1, at.begin, at.begin + LANES);
    for (uint begin = pivots.x; begin < pivots.y; begin += TILE) {
        load_rows(args.k, args.v, at.sequence, begin);
        barrier();
        if (SPLIT != 1) {
            for (uint row = 0; row < TILE; ++row) {
                float part = 0.0;
                [[unroll]] for (uint k = 0; k < SLICE; ++k)
                    part += dot(q[k], x_tile[row * WIDTH + slice * SLICE + k]);
                parts[row * THREADS + local] = part;
            }
            barrier();
        }
        for (uint step = 0; step < TILE; step += STEP) {
            float s[STEP], top = largest;
            [[unroll]] for (uint r = 0; r < STEP; ++r) {
                const uint row = step + r, l = begin + row;
                s[r] = LOWEST;
                if (shown(at.unit, l) && follows(at.first, l, p)) {
                    sees = true;
                    s[r] = 0.0;
                    if (HAS_BIAS != 0)
                        s[r] = args.bias.at[(at.unit * args.n + min(l, args.n - 1)) * args.n + column];
                    if (SPLIT == 1) {
                        [[unroll]] for (uint k = 0; k < SLICE; ++k)
                            s[r] += dot(q[k], x_tile[row * WIDTH + k]);
                    } else {
                        for (uint other = 0; other < SPLIT; ++other)
                            s[r] += parts[row * THREADS + lane * SPLIT + other];
                    }
                }
                top = max(top, s[r]);
            }
            const float factor = exp(largest - top);
            largest = top;
            total *= factor;
            [[unroll]] for (uint k = 0; k < SLICE; ++k) sums[k] *= factor;
            [[unroll]] for (uint r = 0; r < STEP; ++r) {
                const float weight = s[r] == LOWEST ? 0.0 : exp(s[r] - top);
                total += weight;
                [[unroll]] for (uint k = 0; k < SLICE; ++k)
                    sums[k] += weight * y_tile[(step + r) * WIDTH + slice * SLICE + k];
            }
        }
        barrier();
    }

    if (p < args.n) {
        // An edge without a weight gets zeros, or NaN if it sees pivots, all of -inf. A NaN stays one.
        const float nothing = sees ? NOT_A_NUMBER : 0.0;
        const float factor = total == 0.0 ? nothing : 1.0 / total;
        const uint heads = args.heads, row = heads * args.width;
        if (slice == 0)
            args.lse
                .at[place_of(at.unit, at.first, args.edge_first * heads, p, args.edge_second * heads, 1)] =
                total == 0.0 ? nothing : largest + log(total);
        const uint place =
            place_of(at.unit, at.first, args.edge_first * row, p, args.edge_second * row, args.width);
        [[unroll]] for (uint k = 0; k < SLICE; ++k)
            store_quad(args.result, place, slice * SLICE + k, args.width, factor * sums[k]);
    }
}
