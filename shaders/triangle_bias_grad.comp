#version 460
// triangle_bias_grad.comp: dbias_lp = sum over the first nodes of ds_pl, with ds as in
// triangle_query_grad.comp.
//
// A group is a tile of PIVOTS pivots x EDGES edges of one unit and a part of the first nodes; an invocation
// holds ROWS x 4 of them in registers. The parts are added by matmul_reduce, in order.
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "triangle_bias_grad.args.h"
#include "lib/triangle.glsl"

layout(local_size_x = 64) in;

layout(constant_id = 3) const uint ROWS = 2; // 4, or 2 where registers are few

const uint SIDE = 8; // invocations along each side of the tile
const uint PIVOTS = SIDE * ROWS, EDGES = SIDE * 4;
const uint CHUNK = QUADS < 4 ? QUADS : 4;
const uint PITCH = CHUNK | 1u; // odd, so that neighbouring rows lie in different banks

shared vec4 k_tile[PIVOTS * PITCH], v_tile[PIVOTS * PITCH]; // (l, quad)
shared vec4 q_tile[EDGES * PITCH], g_tile[EDGES * PITCH];   // (p, quad)

// Begins where nobody reads the tiles any more; ends with a barrier.
void load(uint sequence, uint pivot, uint edge, uint chunk) {
    for (uint index = gl_LocalInvocationIndex; index < EDGES * CHUNK; index += 64u) {
        const uint quad = index % CHUNK, row = index / CHUNK, to = row * PITCH + quad;
        uint component = chunk * CHUNK + quad, l = pivot + row, p = edge + row;
        const bool inside = one_of(component, QUADS);
        if (row < PIVOTS) {
            k_tile[to] = v_tile[to] = vec4(0);
            if (one_of(l, args.n) && inside) {
                const uint at = (sequence * args.n + l) * QUADS + component;
                k_tile[to] = Quads(uvec2(args.k)).at[at];
                v_tile[to] = Quads(uvec2(args.v)).at[at];
            }
        }
        q_tile[to] = g_tile[to] = vec4(0);
        if (one_of(p, args.n) && inside) {
            const uint at = (sequence * args.n + p) * QUADS + component;
            q_tile[to] = Quads(uvec2(args.q)).at[at];
            g_tile[to] = Quads(uvec2(args.g)).at[at];
        }
    }
    barrier();
}

void main() {
    const uint local = gl_LocalInvocationIndex, y = local / SIDE, x = local % SIDE;
    const uint blocks = (args.n + PIVOTS - 1) / PIVOTS, columns = (args.n + EDGES - 1) / EDGES;
    uint group = linear_group();
    if (!one_of(group, args.units * blocks * columns * args.splits)) return; // the whole group
    const uint edge = group % columns * EDGES, pivot = group / columns % blocks * PIVOTS;
    const uint part = group / (blocks * columns) % args.splits,
               unit = group / (blocks * columns * args.splits);

    float bias[4 * ROWS], sums[4 * ROWS]; // (ROWS l, 4 p): pivot + y + SIDE r, edge + x + SIDE c
    bool visible[ROWS];
    [[unroll]] for (uint r = 0; r < ROWS; ++r) {
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
    if (CAUSAL == 1) begin = edge < pivot + PIVOTS ? max(begin, pivot) : end;
    if (CAUSAL == 2) end = pivot < edge + EDGES ? min(end, pivot + PIVOTS) : begin;
    for (uint next = begin; next < end; ++next) {
        const uint first = min(next, args.n - 1);
        const uint sequence = unit * args.n + first;
        float scores[4 * ROWS], slopes[4 * ROWS];
        [[unroll]] for (uint k = 0; k < 4 * ROWS; ++k) scores[k] = slopes[k] = 0.0;
        for (uint chunk = 0; chunk * CHUNK < QUADS; ++chunk) {
            load(sequence, pivot, edge, chunk);
            [[dont_unroll]] for (uint quad = 0; quad < CHUNK; ++quad) { // unrolled it would not fit registers
                [[unroll]] for (uint r = 0; r < ROWS; ++r) {
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
            const vec2 terms = Pairs(uvec2(args.terms)).at[sequence * args.n + min(p, args.n - 1)];
            [[unroll]] for (uint r = 0; r < ROWS; ++r)
                if (visible[r] && p < args.n && follows(first, pivot + y + SIDE * r, p))
                    sums[4 * r + c] += slope_of(exp(scores[4 * r + c] + bias[4 * r + c] - terms.x),
                                                slopes[4 * r + c], terms.y);
        }
    }

    const uint place = part * (args.units * args.n * args.n);
    [[unroll]] for (uint r = 0; r < ROWS; ++r)
        [[unroll]] for (uint c = 0; c < 4; ++c) {
            const uint l = pivot + y + SIDE * r, p = edge + x + SIDE * c;
            if (l < args.n && p < args.n)
                args.partial.at[place + place_of(unit, l, args.pivot_stride * args.heads, p,
                                                 args.edge_stride * args.heads, 1)] = sums[4 * r + c];
        }
}
