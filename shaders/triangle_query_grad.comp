#version 460
// triangle_query_grad.comp: gradient of the queries, for the kinds start and end.
//     A_pl = exp(q_p . k_l + bias_lp - lse_p),   ds_pl = A_pl (g_p . v_l - delta_p)
//     dq_p = factor * sum_l ds_pl k_l
// Tiles and slices: lib/triangle_rows.glsl.
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "triangle_query_grad.args.h"
#include "lib/triangle.glsl"
#include "lib/triangle_rows.glsl"

shared vec2 parts[SPLIT == 1 ? 1 : TILE * THREADS]; // (l, invocation): of q . k and g . v

void main() {
    const uint local = gl_LocalInvocationIndex, slice = local % SPLIT, lane = local / SPLIT;
    Place at;
    if (!place_of_group(at)) return; // the whole group
    const uint p = at.begin + lane, column = min(p, args.n - 1);
    vec4 q[SLICE], g[SLICE], dq[SLICE];
    [[unroll]] for (uint k = 0; k < SLICE; ++k) {
        q[k] = held(args.q, at.sequence, p, slice * SLICE + k);
        g[k] = held(args.g, at.sequence, p, slice * SLICE + k);
        dq[k] = vec4(0);
    }
    const vec2 terms = Pairs(args.terms).at[at.sequence * args.n + column];

    const uvec2 pivots = pivots_of(at.first, at.first + 1, at.begin, at.begin + LANES);
    for (uint begin = pivots.x; begin < pivots.y; begin += TILE) {
        load_rows(args.k, args.v, at.sequence, begin);
        barrier();
        if (SPLIT != 1) {
            for (uint row = 0; row < TILE; ++row) {
                vec2 part = vec2(0);
                [[unroll]] for (uint k = 0; k < SLICE; ++k)
                    part += vec2(dot(q[k], x_tile[row * WIDTH + slice * SLICE + k]),
                                 dot(g[k], y_tile[row * WIDTH + slice * SLICE + k]));
                parts[row * THREADS + local] = part;
            }
            barrier();
        }
        for (uint row = 0; row < TILE; ++row) {
            const uint l = begin + row;
            if (!shown(at.unit, l) || !follows(at.first, l, p)) continue;
            vec2 sum = vec2(0);
            if (HAS_BIAS != 0)
                sum.x = args.bias.at[(at.unit * args.n + min(l, args.n - 1)) * args.n + column];
            if (SPLIT == 1) {
                [[unroll]] for (uint k = 0; k < SLICE; ++k)
                    sum += vec2(dot(q[k], x_tile[row * WIDTH + k]), dot(g[k], y_tile[row * WIDTH + k]));
            } else {
                for (uint other = 0; other < SPLIT; ++other)
                    sum += parts[row * THREADS + lane * SPLIT + other];
            }
            const float slope = slope_of(exp(sum.x - terms.x), sum.y, terms.y);
            [[unroll]] for (uint k = 0; k < SLICE; ++k)
                dq[k] += slope * x_tile[row * WIDTH + slice * SLICE + k];
        }
        barrier();
    }

    if (p < args.n) {
        const uint row = args.heads * args.width;
        const uint place =
            place_of(at.unit, at.first, args.edge_first * row, p, args.edge_second * row, args.width);
        [[unroll]] for (uint k = 0; k < SLICE; ++k)
            store_quad(args.dq, place, slice * SLICE + k, args.width, args.factor * dq[k]);
    }
}
