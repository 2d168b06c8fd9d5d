#version 460
// triple_row_grad.comp: gradients of the operands of triple attention on one edge (own, row), summed over the
// other node and over the other pivot, the column.
//     X = x[own][row] + x2[other][row],   Y = y[own][column] + y2[other][column]
//     A = exp(X . Y + bias - lse),        ds = A ((g * u) . w - delta)
//     dx[own][row] = factor * sum ds Y,   dxv[own][row] = sum A g * w
//
// Run four times: rows are l or m (ROWS_ARE_M), own is i or j (OWN_IS_J). Values of rows, u, belong to l and
// so to i, or to m and to j; so they lie at (own, row) in two of the runs, which are those that sum dxv, and
// at (other, row) in the two others. w is on the opposite side. Tiles and slices: lib/triple.glsl.
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "triple_row_grad.args.h"
#include "lib/functions.h"
#include "lib/triangle.glsl"
#include "lib/triple.glsl"
layout(constant_id = 5) const uint OWN_IS_J = 0;
layout(constant_id = 6) const uint ROWS_ARE_M = 0;

const bool WITH_VALUES = OWN_IS_J == ROWS_ARE_M;

shared vec2 parts[SPLIT == 1 ? 1 : TILE * THREADS]; // (column, invocation): of X . Y and (g * u) . w

void main() {
    const uint local = gl_LocalInvocationIndex, slice = local % SPLIT, lane = local / SPLIT;
    const uint blocks = (args.n + LANES - 1) / LANES;
    uint group = linear_group();
    if (!one_of(group, args.units * args.n * blocks)) return; // the whole group
    const uint unit = group / blocks / args.n, own = group / blocks % args.n, first = group % blocks * LANES;
    const uint row = first + lane;
    const bool holds = shown(unit, row);

    vec4 dx[SLICE], dxv[SLICE];
    [[unroll]] for (uint k = 0; k < SLICE; ++k) dx[k] = dxv[k] = vec4(0);

    // Causal: j <= m <= l <= i. The other node: i of own = j, from the first row on where rows are l; j of
    // own = i, up to the last row where rows are m.
    uint other_begin = 0, other_end = args.n;
    if (CAUSAL != 0 && OWN_IS_J != 0) other_begin = max(own, first);
    if (CAUSAL != 0 && OWN_IS_J == 0) other_end = min(own + 1, min(args.n, first + LANES));
    for (uint next = other_begin; next < other_end; ++next) {
        const uint other = min(next, args.n - 1);
        const uint i = OWN_IS_J != 0 ? other : own, j = OWN_IS_J != 0 ? own : other;
        const uint edge = (unit * args.n + i) * args.n + j;
        vec4 x[SLICE], gu[SLICE], sums[SLICE];
        [[unroll]] for (uint k = 0; k < SLICE; ++k) {
            const uint quad = slice * SLICE + k;
            x[k] = quad_of(args.x, unit, own, row, quad) + quad_of(args.x2, unit, other, row, quad);
            gu[k] = quad_of(args.g, unit, i, j, quad) *
                    quad_of(args.u, unit, WITH_VALUES ? own : other, row, quad);
            sums[k] = vec4(0);
        }
        const vec2 terms = Pairs(args.terms).at[edge];
        const bool has_row = holds && follows(i, row, j);

        uvec2 columns = pivots_of(i, i + 1, j, j + 1);
        if (CAUSAL != 0 && ROWS_ARE_M == 0) columns.y = min(columns.y, first + LANES);
        if (CAUSAL != 0 && ROWS_ARE_M != 0) columns.x = max(columns.x, first);
        for (uint begin = columns.x; begin < columns.y; begin += TILE) {
            load_tiles(args.y, args.y2, args.w, unit, own, other, WITH_VALUES ? other : own, begin);
            barrier();
            if (SPLIT != 1) {
                for (uint r = 0; r < TILE; ++r) {
                    vec2 part = vec2(0);
                    [[unroll]] for (uint k = 0; k < SLICE; ++k) {
                        const uint at = r * WIDTH + slice * SLICE + k;
                        part += vec2(dot(x[k], tiles[at]), dot(gu[k], tiles[TILE_QUADS + at]));
                    }
                    parts[r * THREADS + local] = part;
                }
                barrier();
            }
            for (uint r = 0; r < TILE; ++r) {
                const uint column = begin + r;
                if (!has_row || !shown(unit, column) || !follows(i, column, j)) continue;
                if (CAUSAL != 0 && (ROWS_ARE_M != 0 ? column < row : column > row)) continue;
                vec2 sum = vec2(bias_of(unit, row, column), 0.0);
                if (SPLIT == 1) {
                    [[unroll]] for (uint k = 0; k < SLICE; ++k)
                        sum += vec2(dot(x[k], tiles[r * WIDTH + k]),
                                    dot(gu[k], tiles[TILE_QUADS + r * WIDTH + k]));
                } else {
                    for (uint share = 0; share < SPLIT; ++share)
                        sum += parts[r * THREADS + lane * SPLIT + share];
                }
                const float weight = approx_exp(sum.x - terms.x);
                const float slope = slope_of(weight, sum.y, terms.y);
                [[unroll]] for (uint k = 0; k < SLICE; ++k) {
                    const uint at = r * WIDTH + slice * SLICE + k;
                    dx[k] += slope * tiles[at];
                    if (WITH_VALUES) sums[k] += weight * tiles[TILE_QUADS + at];
                }
            }
            barrier();
        }
        if (WITH_VALUES)
            [[unroll]] for (uint k = 0; k < SLICE; ++k)
                dxv[k] += sums[k] * quad_of(args.g, unit, i, j, slice * SLICE + k);
    }

    if (row < args.n) {
        const uint edge = args.heads * args.width, line = args.n * edge;
        const uint place =
            place_of(unit, own, OWN_IS_J != 0 ? edge : line, row, OWN_IS_J != 0 ? line : edge, args.width);
        [[unroll]] for (uint k = 0; k < SLICE; ++k) {
            store_quad(args.dx, place, slice * SLICE + k, args.width, args.factor * dx[k]);
            if (WITH_VALUES) store_quad(args.dxv, place, slice * SLICE + k, args.width, dxv[k]);
        }
    }
}
