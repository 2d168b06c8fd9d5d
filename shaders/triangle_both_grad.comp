#version 460
// triangle_both_grad.comp: gradients of the operands of one of the pivot's two edges.
//     s = x . y,   A = exp(s - lse),   ds = A (g . (xv * yv) - delta)
//     dx = sum ds y,   dxv = sum A g * yv          over the third node
//
// Run twice: for x = q (own = i) and for x = k (own = j); CAUSAL speaks of first = own and second = other. A
// group is TILE own nodes x TILE pivots and, where heads are wide, a slice of their components (each slice
// computes A and ds again); the other node passes TILE at a time. An invocation computes four scores of one
// pivot, then sums two rows of a quad of components, which stay in registers.
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "triangle_both_grad.args.h"
#include "lib/triangle.glsl"

layout(local_size_x = 128) in;
layout(constant_id = 3) const uint CHUNK = 4; // quads of a row in shared memory at once, at most 4
layout(constant_id = 4) const uint HELD = 2;  // chunks of components that a group sums

const uint TILE = 8;
const uint PITCH = CHUNK | 1u;
const uint CHUNKS = (QUADS + CHUNK - 1) / CHUNK;
const uint SLICES = (CHUNKS + HELD - 1) / HELD;

shared vec4 x_tile[TILE * TILE * PITCH], xv_tile[TILE * TILE * PITCH]; // (l, own, quad)
shared vec4 y_tile[TILE * TILE * PITCH], yv_tile[TILE * TILE * PITCH]; // (l, other, quad)
shared vec4 g_tile[TILE * TILE * PITCH];                               // (own, other, quad)
shared vec2 weights[TILE * TILE * TILE];                               // (l, own, other): A, ds

uint block_row(uint unit, uint node, uint l) {
    return (unit * args.n + node) * args.n + l;
}

// One chunk of y, yv and g, and of x and xv if those are wanted. Begins where nobody reads the tiles any
// more; ends with a barrier.
void load(uint unit, uint own, uint other, uint pivot, uint chunk, bool with_x) {
    for (uint index = gl_LocalInvocationIndex; index < TILE * TILE * CHUNK; index += 128u) {
        const uint quad = index % CHUNK, column = index / CHUNK % TILE, row = index / (CHUNK * TILE);
        uint component = chunk * CHUNK + quad;
        uint own_row = own + row, other_row = other + row, other_column = other + column, l = pivot + column;
        const uint turned = (column * TILE + row) * PITCH + quad,
                   straight = (row * TILE + column) * PITCH + quad;
        const bool inside = one_of(component, QUADS), has_own = one_of(own_row, args.n) && inside;
        const bool has_other = one_of(other_row, args.n) && inside, has_pivot = one_of(l, args.n);
        const bool has_g = one_of(other_column, args.n) && has_own;
        vec4 from_x = vec4(0), from_xv = vec4(0), from_y = vec4(0), from_yv = vec4(0), from_g = vec4(0);
        if (has_other && has_pivot) {
            const uint at = block_row(unit, other_row, l) * QUADS + component;
            from_y = Quads(args.y).at[at];
            from_yv = Quads(args.yv).at[at];
        }
        if (has_g)
            from_g = Quads(args.g)
                         .at[(unit * args.n * args.n + own_row * args.g_own + other_column * args.g_other) *
                                 QUADS +
                             component];
        y_tile[turned] = from_y;
        yv_tile[turned] = from_yv;
        g_tile[straight] = from_g;
        if (with_x) {
            if (has_own && has_pivot) {
                const uint at = block_row(unit, own_row, l) * QUADS + component;
                from_x = Quads(args.x).at[at];
                from_xv = Quads(args.xv).at[at];
            }
            x_tile[turned] = from_x;
            xv_tile[turned] = from_xv;
        }
    }
    barrier();
}

// A and ds of one triangle from its score and its dA.
vec2 weigh(uint unit, uint own, uint other, uint pivot, float score, float slope) {
    if (!one_of(own, args.n) || !one_of(other, args.n) || !shown(unit, pivot) || !follows(own, pivot, other))
        return vec2(0);
    const vec2 terms = Pairs(args.terms).at[unit * args.n * args.n + own * args.g_own + other * args.g_other];
    const float weight = exp(score - terms.x);
    return vec2(weight, slope_of(weight, slope, terms.y));
}

void main() {
    const uint local = gl_LocalInvocationIndex;
    const uint tiles = (args.n + TILE - 1) / TILE;
    uint group = linear_group();
    if (!one_of(group, args.units * SLICES * tiles * tiles)) return; // the whole group
    const uint unit = group / (SLICES * tiles * tiles), slice = group / (tiles * tiles) % SLICES;
    const uint own = group / tiles % tiles * TILE, pivot = group % tiles * TILE;
    // For scores: pivot l, own a, a + 1, other c, c + 1. For sums: pivot sum_l, own sum_a, sum_a + 1, one
    // quad.
    const uint l = local / 16, a = local % 16 / 4 * 2, c = local % 4 * 2;
    const uint sum_l = local / 16, sum_a = local % 16 / 4 * 2, sum_quad = min(local % 4, CHUNK - 1);

    vec4 dx[HELD * 2], dxv[HELD * 2];
    [[unroll]] for (uint k = 0; k < HELD * 2; ++k) {
        dx[k] = vec4(0);
        dxv[k] = vec4(0);
    }

    // Others that causality may leave: with CAUSAL 1 other <= l <= own, with 2 own <= l <= other.
    uint begin = 0, end = args.n;
    if (CAUSAL == 1) end = pivot < own + TILE ? min(args.n, pivot + TILE) : 0u;
    if (CAUSAL == 2) begin = own < pivot + TILE ? pivot : args.n;
    for (uint other = begin; other < end; other += TILE) {
        vec4 scores = vec4(0), slopes = vec4(0); // (a, c) (a, c + 1) (a + 1, c) (a + 1, c + 1)
        for (uint chunk = 0; chunk < CHUNKS; ++chunk) {
            load(unit, own, other, pivot, chunk, true);
            for (uint quad = 0; quad < CHUNK; ++quad) {
                const uint at_x = (l * TILE + a) * PITCH + quad, at_y = (l * TILE + c) * PITCH + quad;
                const uint at_g = (a * TILE + c) * PITCH + quad;
                const vec4 x0 = x_tile[at_x], x1 = x_tile[at_x + PITCH];
                const vec4 y0 = y_tile[at_y], y1 = y_tile[at_y + PITCH];
                scores += vec4(dot(x0, y0), dot(x0, y1), dot(x1, y0), dot(x1, y1));
                const vec4 xv0 = xv_tile[at_x], xv1 = xv_tile[at_x + PITCH];
                const vec4 yv0 = yv_tile[at_y], yv1 = yv_tile[at_y + PITCH];
                slopes.x += dot(xv0 * yv0, g_tile[at_g]);
                slopes.y += dot(xv0 * yv1, g_tile[at_g + PITCH]);
                slopes.z += dot(xv1 * yv0, g_tile[at_g + TILE * PITCH]);
                slopes.w += dot(xv1 * yv1, g_tile[at_g + TILE * PITCH + PITCH]);
            }
            if (CHUNKS > 1) barrier();
        }
        const uint corner = (l * TILE + a) * TILE + c;
        [[unroll]] for (uint k = 0; k < 4; ++k)
            weights[corner + k / 2 * TILE + k % 2] =
                weigh(unit, own + a + k / 2, other + c + k % 2, pivot + l, scores[k], slopes[k]);
        barrier();

        [[unroll]] for (uint chunk = 0; chunk < HELD; ++chunk) {
            if (CHUNKS > 1) load(unit, own, other, pivot, slice * HELD + chunk, false);
            for (uint o = 0; o < TILE; ++o) {
                const vec4 y = y_tile[(sum_l * TILE + o) * PITCH + sum_quad];
                const vec4 yv = yv_tile[(sum_l * TILE + o) * PITCH + sum_quad];
                [[unroll]] for (uint r = 0; r < 2; ++r) {
                    const vec2 weight = weights[(sum_l * TILE + sum_a + r) * TILE + o];
                    dx[2 * chunk + r] += weight.y * y;
                    dxv[2 * chunk + r] += weight.x * yv * g_tile[((sum_a + r) * TILE + o) * PITCH + sum_quad];
                }
            }
            barrier();
        }
    }

    if (local % 4 < CHUNK && pivot + sum_l < args.n)
        [[unroll]] for (uint r = 0; r < 2; ++r)
            if (own + sum_a + r < args.n) {
                const uint place =
                    place_of(unit, own + sum_a + r, args.dx_own, pivot + sum_l, args.dx_pivot, args.width);
                [[unroll]] for (uint chunk = 0; chunk < HELD; ++chunk) {
                    const uint quad = (slice * HELD + chunk) * CHUNK + sum_quad;
                    store_quad(args.dx, place, quad, args.width, args.dx_factor * dx[2 * chunk + r]);
                    store_quad(args.dxv, place, quad, args.width, dxv[2 * chunk + r]);
                }
            }
}
