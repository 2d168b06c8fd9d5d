#version 460
// triangle_bias_grad.comp: dbias_lp = sum over the first nodes of ds_pl, with ds as in
// triangle_query_grad.comp.
//
// A group is a tile of TILE pivots x TILE edges of one unit and a part of the first nodes; an invocation
// holds 4 x 4 of them in registers. The parts are added by matmul_reduce, in order.
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "triangle_bias_grad.args.h"
#include "lib/triangle.glsl"

layout(local_size_x = 64) in;

const uint TILE = 32, SIDE = 8; // invocations along each side of the tile
const uint CHUNK = QUADS < 4 ? QUADS : 4;
const uint PITCH = CHUNK | 1u; // odd, so that neighbouring rows lie in different banks

shared vec4 k_tile[TILE * PITCH], v_tile[TILE * PITCH]; // (l, quad)
shared vec4 q_tile[TILE * PITCH], g_tile[TILE * PITCH]; // (p, quad)

// Begins where nobody reads the tiles any more; ends with a barrier.
void load(uint sequence, uint pivot, uint edge, uint chunk) {
    for (uint index = gl_LocalInvocationIndex; index < TILE * CHUNK; index += 64u) {
        const uint quad = index % CHUNK, row = index / CHUNK, to = row * PITCH + quad;
        uint component = chunk * CHUNK + quad, l = pivot + row, p = edge + row;
        const bool inside = one_of(component, QUADS);
        k_tile[to] = v_tile[to] = q_tile[to] = g_tile[to] = vec4(0);
        if (one_of(l, args.n) && inside) {
            const uint at = (sequence * args.n + l) * QUADS + component;
            k_tile[to] = Quads(args.k).at[at];
            v_tile[to] = Quads(args.v).at[at];
        }
        if (one_of(p, args.n) && inside) {
            const uint at = (sequence * args.n + p) * QUADS + component;
            q_tile[to] = Quads(args.q).at[at];
            g_tile[to] = Quads(args.g).at[at];
        }
    }
    barrier();
}

void main() {
    const uint local = gl_LocalInvocationIndex, y = local / SIDE, x = local % SIDE;
    const uint tiles = (args.n + TILE - 1) / TILE;
    uint group = linear_group();
    if (!one_of(group, args.units * tiles * tiles * args.splits)) return; // the whole group
    const uint edge = group % tiles * TILE, pivot = group / tiles % tiles * TILE;
    const uint part = group / (tiles * tiles) % args.splits, unit = group / (tiles * tiles * args.splits);

    float bias[16], sums[16]; // (4 l, 4 p): pivot + y + SIDE r, edge + x + SIDE c
    bool visible[4];
    [[unroll]] for (uint r = 0; r < 4; ++r) {
        const uint l = pivot + y + SIDE * r;
        visible[r] = shown(unit, l);
        [[unroll]] for (uint c = 0; c < 4; ++c) {
            const uint p = edge + x + SIDE * c;
            sums[4 * r + c] = bias[4 * r + c] = 0.0;
            if (l < args.n && p < args.n)
                bias[4 * r + c] =
                    args.bias.at[(unit * args.n + min(l, args.n - 1)) * args.n + min(p, args.n - 1)];
        }
    }

    // First nodes that causality may leave: with CAUSAL 1 p <= l <= first, with 2 first <= l <= p.
    uint begin = part * args.firsts, end = min(args.n, begin + args.firsts);
    if (CAUSAL == 1) begin = edge < pivot + TILE ? max(begin, pivot) : end;
    if (CAUSAL == 2) end = pivot < edge + TILE ? min(end, pivot + TILE) : begin;
    for (uint next = begin; next < end; ++next) {
        const uint first = min(next, args.n - 1);
        const uint sequence = unit * args.n + first;
        float scores[16], slopes[16];
        [[unroll]] for (uint k = 0; k < 16; ++k) scores[k] = slopes[k] = 0.0;
        for (uint chunk = 0; chunk * CHUNK < QUADS; ++chunk) {
            load(sequence, pivot, edge, chunk);
            for (uint quad = 0; quad < CHUNK; ++quad) {
                [[unroll]] for (uint r = 0; r < 4; ++r) {
                    const vec4 key = k_tile[(y + SIDE * r) * PITCH + quad];
                    const vec4 value = v_tile[(y + SIDE * r) * PITCH + quad];
                    [[unroll]] for (uint c = 0; c < 4; ++c) {
                        scores[4 * r + c] += dot(key, q_tile[(x + SIDE * c) * PITCH + quad]);
                        slopes[4 * r + c] += dot(value, g_tile[(x + SIDE * c) * PITCH + quad]);
                    }
                }
            }
            barrier();
        }
        [[unroll]] for (uint c = 0; c < 4; ++c) {
            const uint p = edge + x + SIDE * c;
            const vec2 terms = Pairs(args.terms).at[sequence * args.n + min(p, args.n - 1)];
            [[unroll]] for (uint r = 0; r < 4; ++r)
                if (visible[r] && p < args.n && follows(first, pivot + y + SIDE * r, p))
                    sums[4 * r + c] += slope_of(exp(scores[4 * r + c] + bias[4 * r + c] - terms.x),
                                                slopes[4 * r + c], terms.y);
        }
    }

    const uint place = part * (args.units * args.n * args.n);
    [[unroll]] for (uint r = 0; r < 4; ++r)
        [[unroll]] for (uint c = 0; c < 4; ++c) {
            const uint l = pivot + y + SIDE * r, p = edge + x + SIDE * c;
            if (l < args.n && p < args.n)
                args.partial.at[place + place_of(unit, l, args.pivot_stride * args.heads, p,
                                                 args.edge_stride * args.heads, 1)] = sums[4 * r + c];
        }
}
