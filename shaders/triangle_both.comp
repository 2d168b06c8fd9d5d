#version 460
// triangle_both.comp: attention of the kind both, in flash form.
//     A_ijl = softmax over l of q_il . k_lj,   out_ij = sum_l A_ijl (v_il * v2_lj)
//
// A group is a tile of TILE x TILE edges of one unit and, where heads are wide, a slice of their components
// (each slice computes the scores again). Pivots pass PIVOTS at a time, rows of components CHUNK quads at a
// time, through shared memory. Three divisions of the 256 invocations take turns: for the scores of a tile
// four each, of one pivot; for the running softmax one edge each; for the values four edges each and a
// quarter of the components, whose sums stay in registers.
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "triangle_both.args.h"
#include "lib/triangle.glsl"

layout(local_size_x = 256) in;
layout(constant_id = 3) const uint CHUNK = 8;
layout(constant_id = 4) const uint HELD = 1; // chunks of components that a group sums

const uint TILE = 16, PIVOTS = 4;
const uint PITCH = CHUNK | 1u; // odd, so that neighbouring rows lie in different banks
const uint CHUNKS = (QUADS + CHUNK - 1) / CHUNK;
const uint SLICES = (CHUNKS + HELD - 1) / HELD;
const uint SHARE = (CHUNK + 3) / 4; // quads of a chunk that one invocation sums

shared vec4 x_tile[PIVOTS * TILE * PITCH];  // (l, i, quad) of q or v
shared vec4 y_tile[PIVOTS * TILE * PITCH];  // (l, j, quad) of k or v2
shared float weights[PIVOTS * TILE * TILE]; // (l, i, j): scores, then exp(score - largest so far)
shared float factors[TILE * TILE];          // (i, j): what the sums so far shrink by

// Begins where nobody reads the tiles any more; ends with a barrier.
void load(Quads x, Quads y, uint unit, uint first, uint second, uint pivot, uint chunk) {
    for (uint index = gl_LocalInvocationIndex; index < PIVOTS * TILE * CHUNK; index += 256u) {
        const uint quad = index % CHUNK, l = index / CHUNK % PIVOTS, row = index / (CHUNK * PIVOTS);
        const uint to = (l * TILE + row) * PITCH + quad;
        uint component = chunk * CHUNK + quad, at = pivot + l, at_x = first + row, at_y = second + row;
        bool inside = one_of(at, args.n);
        inside = one_of(component, QUADS) && inside;
        x_tile[to] = vec4(0);
        y_tile[to] = vec4(0);
        if (one_of(at_x, args.n) && inside)
            x_tile[to] = x.at[((unit * args.n + at_x) * args.n + at) * QUADS + component];
        if (one_of(at_y, args.n) && inside)
            y_tile[to] = y.at[((unit * args.n + at_y) * args.n + at) * QUADS + component];
    }
    barrier();
}

void main() {
    const uint local = gl_LocalInvocationIndex;
    const uint tiles = (args.n + TILE - 1) / TILE;
    uint group = linear_group();
    if (!one_of(group, args.units * SLICES * tiles * tiles)) return; // the whole group
    const uint unit = group / (SLICES * tiles * tiles), slice = group / (tiles * tiles) % SLICES;
    const uint first = group / tiles % tiles * TILE, second = group % tiles * TILE;
    // For scores `part` is a pivot, for values a quarter of the components.
    const uint part = local / 64, a = local % 64 / 8 * 2, c = local % 8 * 2;
    const uint own_first = first + local / TILE, own_second = second + local % TILE;
    float largest = LOWEST, total = 0.0; // of the own edge
    bool sees = false;

    vec4 sums[HELD * SHARE * 4];
    [[unroll]] for (uint k = 0; k < HELD * SHARE * 4; ++k) sums[k] = vec4(0);

    const uvec2 pivots = pivots_of(first, first + TILE, second, second + TILE);
    for (uint pivot = pivots.x; pivot < pivots.y; pivot += PIVOTS) {
        vec4 scores = vec4(0); // (a, c) (a, c + 1) (a + 1, c) (a + 1, c + 1)
        for (uint chunk = 0; chunk < CHUNKS; ++chunk) {
            load(Quads(args.x), Quads(args.y), unit, first, second, pivot, chunk);
            for (uint quad = 0; quad < CHUNK; ++quad) {
                const uint at_x = (part * TILE + a) * PITCH + quad, at_y = (part * TILE + c) * PITCH + quad;
                const vec4 x0 = x_tile[at_x], x1 = x_tile[at_x + PITCH];
                const vec4 y0 = y_tile[at_y], y1 = y_tile[at_y + PITCH];
                scores += vec4(dot(x0, y0), dot(x0, y1), dot(x1, y0), dot(x1, y1));
            }
            barrier();
        }
        const uint corner = (part * TILE + a) * TILE + c;
        weights[corner] = scores.x;
        weights[corner + 1] = scores.y;
        weights[corner + TILE] = scores.z;
        weights[corner + TILE + 1] = scores.w;
        barrier();

        float s[PIVOTS], top = largest;
        [[unroll]] for (uint l = 0; l < PIVOTS; ++l) {
            const bool visible = shown(unit, pivot + l) && follows(own_first, pivot + l, own_second);
            sees = sees || visible;
            s[l] = visible ? weights[l * TILE * TILE + local] : LOWEST;
            top = max(top, s[l]);
        }
        const float factor = exp(largest - top);
        total *= factor;
        [[unroll]] for (uint l = 0; l < PIVOTS; ++l) {
            const float weight = s[l] == LOWEST ? 0.0 : exp(s[l] - top);
            weights[l * TILE * TILE + local] = weight;
            total += weight;
        }
        factors[local] = factor;
        largest = top;
        barrier();

        const uint edge = a * TILE + c;
        [[unroll]] for (uint k = 0; k < HELD * SHARE; ++k) {
            sums[4 * k] *= factors[edge];
            sums[4 * k + 1] *= factors[edge + 1];
            sums[4 * k + 2] *= factors[edge + TILE];
            sums[4 * k + 3] *= factors[edge + TILE + 1];
        }
        [[unroll]] for (uint chunk = 0; chunk < HELD; ++chunk) {
            load(Quads(args.xv), Quads(args.yv), unit, first, second, pivot, slice * HELD + chunk);
            for (uint l = 0; l < PIVOTS; ++l) {
                const uint from = l * TILE * TILE + edge;
                const float w00 = weights[from], w01 = weights[from + 1];
                const float w10 = weights[from + TILE], w11 = weights[from + TILE + 1];
                [[unroll]] for (uint share = 0; share < SHARE; ++share) {
                    const uint quad = min(share * 4 + part, CHUNK - 1); // a surplus one is not stored
                    const uint at_x = (l * TILE + a) * PITCH + quad, at_y = (l * TILE + c) * PITCH + quad;
                    const vec4 x0 = x_tile[at_x], x1 = x_tile[at_x + PITCH];
                    const vec4 y0 = y_tile[at_y], y1 = y_tile[at_y + PITCH];
                    const uint k = 4 * (chunk * SHARE + share);
                    sums[k] += w00 * x0 * y0;
                    sums[k + 1] += w01 * x0 * y1;
                    sums[k + 2] += w10 * x1 * y0;
                    sums[k + 3] += w11 * x1 * y1;
                }
            }
            barrier();
        }
    }

    // An edge without a weight gets zeros, or NaN if it sees pivots, all of -inf. A NaN stays one.
    const float nothing = sees ? NOT_A_NUMBER : 0.0;
    factors[local] = total == 0.0 ? nothing : 1.0 / total;
    if (slice == 0 && own_first < args.n && own_second < args.n)
        args.lse.at[place_of(unit, own_first, args.n * args.heads, own_second, args.heads, 1)] =
            total == 0.0 ? nothing : largest + log(total);
    barrier();
    [[unroll]] for (uint k = 0; k < 4; ++k) {
        const uint row = a + k / 2, column = c + k % 2;
        if (first + row < args.n && second + column < args.n) {
            const uint place = place_of(unit, first + row, args.n * args.heads * args.width, second + column,
                                        args.heads * args.width, args.width);
            [[unroll]] for (uint chunk = 0; chunk < HELD; ++chunk)
                [[unroll]] for (uint share = 0; share < SHARE; ++share)
                    if (share * 4 + part < CHUNK)
                        store_quad(args.result, place, (slice * HELD + chunk) * CHUNK + share * 4 + part,
                                   args.width,
                                   factors[row * TILE + column] * sums[4 * (chunk * SHARE + share) + k]);
        }
    }
}
