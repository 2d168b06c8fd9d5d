#version 460
// triple_rows.comp: triple attention, forward, in flash form.
//     out_ij = sum over (l, m) of softmax(Q_l . K_m + bias_lm) v_l * v2_m
// A group is one edge (i, j) of one unit. Its lanes hold LANES pivots l at a time and walk all m; at the end
// their sums are added in the order of the lanes. Tiles and slices: lib/triple.glsl.
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "triple_rows.args.h"
#include "lib/functions.h"
#include "lib/triangle.glsl"
#include "lib/triple.glsl"

const uint STEP = 4; // pivots m between two rescalings of the sums

shared float parts[SPLIT == 1 ? 1 : TILE * THREADS]; // (m, invocation)
shared vec2 lane_terms[LANES];                       // largest, total
shared uint lane_sees[LANES];

void main() {
    const uint local = gl_LocalInvocationIndex, slice = local % SPLIT, lane = local / SPLIT;
    uint group = linear_group();
    if (!one_of(group, args.units * args.n * args.n)) return; // the whole group
    const uint unit = group / (args.n * args.n), i = group / args.n % args.n, j = group % args.n;

    vec4 sums[SLICE]; // of the lane's rows so far
    [[unroll]] for (uint k = 0; k < SLICE; ++k) sums[k] = vec4(0);
    float largest = LOWEST, total = 0.0;
    bool sees = false;

    const uvec2 pivots = pivots_of(i, i + 1, j, j + 1);
    for (uint first = pivots.x; first < pivots.y; first += LANES) {
        const uint l = first + lane;
        vec4 q[SLICE], row[SLICE];
        [[unroll]] for (uint k = 0; k < SLICE; ++k) {
            const uint quad = slice * SLICE + k;
            q[k] = quad_of(args.q, unit, i, l, quad) + quad_of(args.q2, unit, j, l, quad);
            row[k] = vec4(0);
        }
        const bool holds = shown(unit, l) && follows(i, l, j);
        const uint end = CAUSAL == 0 ? pivots.y : min(pivots.y, first + LANES);
        for (uint begin = pivots.x; begin < end; begin += TILE) {
            load_tiles(args.k, args.k2, args.v2, unit, i, j, j, begin);
            barrier();
            if (SPLIT != 1) {
                for (uint r = 0; r < TILE; ++r) {
                    float part = 0.0;
                    [[unroll]] for (uint k = 0; k < SLICE; ++k)
                        part += dot(q[k], tiles[r * WIDTH + slice * SLICE + k]);
                    parts[r * THREADS + local] = part;
                }
                barrier();
            }
            for (uint step = 0; step < TILE; step += STEP) {
                float s[STEP], top = largest;
                [[unroll]] for (uint r = 0; r < STEP; ++r) {
                    const uint m = begin + step + r;
                    s[r] = LOWEST;
                    if (holds && shown(unit, m) && follows(i, m, j) && (CAUSAL == 0 || m <= l)) {
                        sees = true;
                        s[r] = bias_of(unit, l, m);
                        if (SPLIT == 1) {
                            [[unroll]] for (uint k = 0; k < SLICE; ++k)
                                s[r] += dot(q[k], tiles[(step + r) * WIDTH + k]);
                        } else {
                            for (uint other = 0; other < SPLIT; ++other)
                                s[r] += parts[(step + r) * THREADS + lane * SPLIT + other];
                        }
                    }
                    top = max(top, s[r]);
                }
                const float factor = approx_exp(largest - top);
                largest = top;
                total *= factor;
                [[unroll]] for (uint k = 0; k < SLICE; ++k) {
                    sums[k] *= factor;
                    row[k] *= factor;
                }
                [[unroll]] for (uint r = 0; r < STEP; ++r) {
                    const float weight = s[r] == LOWEST ? 0.0 : approx_exp(s[r] - top);
                    total += weight;
                    [[unroll]] for (uint k = 0; k < SLICE; ++k)
                        row[k] += weight * tiles[TILE_QUADS + (step + r) * WIDTH + slice * SLICE + k];
                }
            }
            barrier();
        }
        [[unroll]] for (uint k = 0; k < SLICE; ++k)
            sums[k] += row[k] * quad_of(args.v, unit, i, l, slice * SLICE + k);
    }

    // The lanes together. NaN in a total stays one.
    if (slice == 0) {
        lane_terms[lane] = vec2(largest, total);
        lane_sees[lane] = sees ? 1u : 0u;
    }
    barrier();
    float top = LOWEST, all = 0.0;
    bool any = false;
    for (uint other = 0; other < LANES; ++other) {
        top = max(top, lane_terms[other].x);
        any = any || lane_sees[other] != 0u;
    }
    for (uint other = 0; other < LANES; ++other)
        all += lane_terms[other].y * approx_exp(lane_terms[other].x - top);
    const float scale = approx_exp(largest - top);
    [[unroll]] for (uint k = 0; k < SLICE; ++k) tiles[lane * WIDTH + slice * SLICE + k] = scale * sums[k];
    barrier();

    // An edge without a weight gets zeros, or NaN if it sees pairs, all of -inf.
    const float nothing = any ? NOT_A_NUMBER : 0.0;
    const float inverse = all == 0.0 ? nothing : 1.0 / all;
    if (local == 0)
        args.lse.at[place_of(unit, i, args.n * args.heads, j, args.heads, 1)] =
            all == 0.0 ? nothing : top + approx_log(all);
    const uint edge = args.heads * args.width;
    const uint place = place_of(unit, i, args.n * edge, j, edge, args.width);
    for (uint quad = local; quad < QUADS; quad += THREADS) {
        vec4 sum = vec4(0);
        for (uint other = 0; other < LANES; ++other) sum += tiles[other * WIDTH + quad];
        store_quad(args.result, place, quad, args.width, inverse * sum);
    }
}
