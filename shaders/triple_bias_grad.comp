#version 460
// triple_bias_grad.comp: dbias_lm = sum over i and j of ds_ijlm, with
//     ds = A ((g * v_l) . v2_m - delta),   A = exp(Q_l . K_m + bias_lm - lse)
//
// A group is a tile of TILE x TILE pairs (l, m) of one unit and a part of the nodes i; an invocation holds 2 x
// 2 of them in registers. The parts are added by matmul_reduce, in order.
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "triple_bias_grad.args.h"
#include "lib/functions.h"
#include "lib/triangle.glsl"

layout(local_size_x = 64) in;

const uint TILE = 16, SIDE = 8; // invocations along each side of the tile
const uint CHUNK = QUADS < 4 ? QUADS : 4;
const uint PITCH = CHUNK | 1u; // odd, so that neighbouring rows lie in different banks

shared vec4 q_tile[TILE * PITCH], u_tile[TILE * PITCH]; // (l, quad): Q, g * v
shared vec4 k_tile[TILE * PITCH], w_tile[TILE * PITCH]; // (m, quad): K, v2

vec4 quad_at(Floats x, uint unit, uint node, uint pivot, uint quad) {
    return Quads(x).at[((unit * args.n + node) * args.n + pivot) * QUADS + quad];
}

// Begins where nobody reads the tiles any more; ends with a barrier.
void load(uint unit, uint i, uint j, uint l_begin, uint m_begin, uint chunk) {
    for (uint index = gl_LocalInvocationIndex; index < TILE * CHUNK; index += 64u) {
        const uint quad = index % CHUNK, row = index / CHUNK, to = row * PITCH + quad;
        uint component = chunk * CHUNK + quad, l = l_begin + row, m = m_begin + row;
        const bool inside = one_of(component, QUADS);
        q_tile[to] = u_tile[to] = k_tile[to] = w_tile[to] = vec4(0);
        if (one_of(l, args.n) && inside) {
            q_tile[to] = quad_at(args.q, unit, i, l, component) + quad_at(args.q2, unit, j, l, component);
            u_tile[to] = quad_at(args.g, unit, i, j, component) * quad_at(args.v, unit, i, l, component);
        }
        if (one_of(m, args.n) && inside) {
            k_tile[to] = quad_at(args.k, unit, i, m, component) + quad_at(args.k2, unit, j, m, component);
            w_tile[to] = quad_at(args.v2, unit, j, m, component);
        }
    }
    barrier();
}

void main() {
    const uint local = gl_LocalInvocationIndex, y = local / SIDE, x = local % SIDE;
    const uint tiles = (args.n + TILE - 1) / TILE;
    uint group = linear_group();
    if (!one_of(group, args.units * tiles * tiles * args.splits)) return; // the whole group
    const uint m_begin = group % tiles * TILE, l_begin = group / tiles % tiles * TILE;
    const uint part = group / (tiles * tiles) % args.splits, unit = group / (tiles * tiles * args.splits);

    float bias[4], sums[4]; // (2 l, 2 m): l_begin + y + SIDE r, m_begin + x + SIDE c
    bool visible[4];
    [[unroll]] for (uint k = 0; k < 4; ++k) {
        const uint l = l_begin + y + SIDE * (k / 2), m = m_begin + x + SIDE * (k % 2);
        visible[k] = shown(unit, l) && shown(unit, m) && (CAUSAL == 0 || m <= l);
        bias[k] = args.bias.at[(unit * args.n + min(l, args.n - 1)) * args.n + min(m, args.n - 1)];
        sums[k] = 0.0;
    }

    // Causal: j <= m <= l <= i.
    uint i_begin = part * args.firsts, j_end = args.n;
    const uint i_end = min(args.n, i_begin + args.firsts);
    if (CAUSAL != 0) {
        i_begin = m_begin < l_begin + TILE ? max(i_begin, l_begin) : i_end;
        j_end = min(args.n, m_begin + TILE);
    }
    for (uint next_i = i_begin; next_i < i_end; ++next_i) {
        for (uint next_j = 0; next_j < j_end; ++next_j) {
            const uint i = min(next_i, args.n - 1), j = min(next_j, args.n - 1);
            float scores[4], slopes[4];
            [[unroll]] for (uint k = 0; k < 4; ++k) scores[k] = slopes[k] = 0.0;
            for (uint chunk = 0; chunk * CHUNK < QUADS; ++chunk) {
                load(unit, i, j, l_begin, m_begin, chunk);
                for (uint quad = 0; quad < CHUNK; ++quad) {
                    [[unroll]] for (uint k = 0; k < 4; ++k) {
                        const uint l = (y + SIDE * (k / 2)) * PITCH + quad;
                        const uint m = (x + SIDE * (k % 2)) * PITCH + quad;
                        scores[k] += dot(q_tile[l], k_tile[m]);
                        slopes[k] += dot(u_tile[l], w_tile[m]);
                    }
                }
                barrier();
            }
            const vec2 terms = Pairs(args.terms).at[(unit * args.n + i) * args.n + j];
            [[unroll]] for (uint k = 0; k < 4; ++k) {
                const uint l = l_begin + y + SIDE * (k / 2), m = m_begin + x + SIDE * (k % 2);
                if (visible[k] && (CAUSAL == 0 || (j <= m && l <= i)))
                    sums[k] += slope_of(approx_exp(scores[k] + bias[k] - terms.x), slopes[k], terms.y);
            }
        }
    }

    const uint place = part * (args.units * args.n * args.n);
    [[unroll]] for (uint k = 0; k < 4; ++k) {
        const uint l = l_begin + y + SIDE * (k / 2), m = m_begin + x + SIDE * (k % 2);
        if (l < args.n && m < args.n)
            args.partial.at[place + place_of(unit, l, args.n * args.heads, m, args.heads, 1)] = sums[k];
    }
}
