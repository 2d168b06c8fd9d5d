#version 460
// triangle_key_grad.comp: gradients of the keys and values, with A and ds as in triangle_query_grad.comp.
//     dk_l = sum_p ds_pl q_p,   dv_l = sum_p A_pl g_p
// An invocation holds a pivot and the edges p pass. q is scaled already, so dk needs no factor.
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "triangle_key_grad.args.h"
#include "lib/triangle.glsl"
#include "lib/triangle_rows.glsl"

shared vec2 parts[SPLIT == 1 ? 1 : TILE * THREADS]; // (p, invocation): of q . k and g . v

void main() {
    const uint local = gl_LocalInvocationIndex, slice = local % SPLIT, lane = local / SPLIT;
    Place at;
    if (!place_of_group(at)) return; // the whole group
    const uint l = at.begin + lane, column = min(l, args.n - 1);
    const bool visible = shown(at.unit, l);
    vec4 key[SLICE], value[SLICE], dk[SLICE], dv[SLICE];
    [[unroll]] for (uint k = 0; k < SLICE; ++k) {
        key[k] = held(args.k, at.sequence, l, slice * SLICE + k);
        value[k] = held(args.v, at.sequence, l, slice * SLICE + k);
        dk[k] = vec4(0);
        dv[k] = vec4(0);
    }

    // Edges p that causality may leave: with CAUSAL 1 p <= l <= first, with 2 first <= l <= p.
    uint first_edge = 0, end_edge = args.n;
    if (CAUSAL == 1) end_edge = at.begin <= at.first ? min(args.n, at.begin + LANES) : 0u;
    if (CAUSAL == 2) first_edge = at.first < at.begin + LANES ? at.begin : args.n;
    for (uint begin = first_edge; begin < end_edge; begin += TILE) {
        load_rows(args.q, args.g, at.sequence, begin);
        barrier();
        if (SPLIT != 1) {
            for (uint row = 0; row < TILE; ++row) {
                vec2 part = vec2(0);
                [[unroll]] for (uint k = 0; k < SLICE; ++k)
                    part += vec2(dot(key[k], x_tile[row * WIDTH + slice * SLICE + k]),
                                 dot(value[k], y_tile[row * WIDTH + slice * SLICE + k]));
                parts[row * THREADS + local] = part;
            }
            barrier();
        }
        for (uint row = 0; row < TILE; ++row) {
            uint p = begin + row;
            if (!one_of(p, args.n) || !visible || !follows(at.first, l, p)) continue;
            const vec2 terms = Pairs(args.terms).at[at.sequence * args.n + p];
            vec2 sum = vec2(0);
            if (HAS_BIAS != 0) sum.x = args.bias.at[(at.unit * args.n + p) * args.n + column];
            if (SPLIT == 1) {
                [[unroll]] for (uint k = 0; k < SLICE; ++k)
                    sum += vec2(dot(key[k], x_tile[row * WIDTH + k]), dot(value[k], y_tile[row * WIDTH + k]));
            } else {
                for (uint other = 0; other < SPLIT; ++other)
                    sum += parts[row * THREADS + lane * SPLIT + other];
            }
            const float weight = exp(sum.x - terms.x), slope = slope_of(weight, sum.y, terms.y);
            [[unroll]] for (uint k = 0; k < SLICE; ++k) {
                dk[k] += slope * x_tile[row * WIDTH + slice * SLICE + k];
                dv[k] += weight * y_tile[row * WIDTH + slice * SLICE + k];
            }
        }
        barrier();
    }

    if (l < args.n) {
        const uint row = args.heads * args.width;
        const uint place =
            place_of(at.unit, at.first, args.edge_first * row, l, args.edge_second * row, args.width);
        [[unroll]] for (uint k = 0; k < SLICE; ++k) {
            store_quad(args.dk, place, slice * SLICE + k, args.width, dk[k]);
            store_quad(args.dv, place, slice * SLICE + k, args.width, dv[k]);
        }
    }
}
