// edge_softmax.glsl: units, tiles and slices of softmax attention among edges. Include after lib/common.glsl
// and args.
//
// A unit is one head of one graph, units numbered heads fastest. A thread holds a row (a query, or a key in
// the adjoint for keys); the other side passes through shared memory, TILE tokens at a time. With wide heads
// SPLIT threads share a row: each holds a slice of its components and adds its part of a dot product through
// shared memory. Tiles in which nobody sees anybody are skipped: TILE divides SIGHT_TILE, so each lies in one
// tile of the sight buffer. Loops over a tile go in steps of UNROLL tokens, also because some software
// devices count the iterations of an invocation.
#include "lib/edge_sight.glsl"
#include "lib/functions.h"
#include "lib/rows4.glsl"

layout(constant_id = 0) const uint D = 16;
layout(constant_id = 1) const uint THREADS = 64;
layout(constant_id = 2) const uint SPLIT = 1;
layout(constant_id = 3) const uint TILE = 32;
// Components of q, k and v: 0 apart, 1 adjacent, 2 adjacent and in aligned quads, as are those of g and all results.
layout(constant_id = 4) const uint ADJACENT = 1;
layout(constant_id = 5) const uint UNROLL = 1; // a divisor of TILE: fewer where registers are few
layout(local_size_x = 64, local_size_x_id = 1) in;

const uint D4 = (D + 4 * SPLIT - 1) / (4 * SPLIT); // vec4s of a thread's slice
const uint LANES = THREADS / SPLIT;                // rows held at once

shared vec4 x_tile[TILE * SPLIT * D4]; // k, or q in the adjoint for keys
shared vec4 y_tile[TILE * SPLIT * D4]; // v, or g
shared int sight_tile[TILE];           // rows of the keys, or limits of the queries

struct Unit {
    uint batch, head;
};

Unit unit_at(uint index) {
    return Unit(index / args.heads, index % args.heads);
}
uint batch_count() {
    return args.units / args.heads;
}
// Index of a token's head in contiguous (b, m, h).
uint row_of(Unit unit, uint token) {
    return (unit.batch * args.tokens + token) * args.heads + unit.head;
}
// First element of a token's head; strides of batch, token, head, component.
int place_of(Unit unit, uint token, int strides[4]) {
    return int(unit.batch) * strides[0] + int(token) * strides[1] + int(unit.head) * strides[2];
}
// Components first .. first + 3 of a token's head, zeros beyond D; where slices are whole, none lies beyond.
const bool WHOLE = D % (4 * SPLIT) == 0, QUADS = ADJACENT == 2;

vec4 four_at(Floats source, int place, int component, uint first) {
    if (QUADS && WHOLE) return quad_load(source, place + int(first), QUAD_ONE);
    if (QUADS) return load4(source, place, IN_QUADS, first, D);
    if (WHOLE) return load4_inside(source, place, component, first);
    return load4(source, place, component, first, D);
}
vec4 four_of(Floats source, int strides[4], Unit unit, uint token, uint first) {
    return four_at(source, place_of(unit, token, strides), ADJACENT != 0 ? 1 : strides[3], first);
}
void store_four(Floats to, uint place, uint first, vec4 four) {
    if (QUADS) {
        if (first < D) quad_store(to, place + first, four);
    } else if (WHOLE)
        store4_inside(to, place, first, four);
    else
        store4(to, place, first, D, four);
}
uint at_tile(uint token, uint slice) {
    return (token * SPLIT + slice) * D4;
}

// Row as a key and limit as a query of a token; beyond the last token nobody sees or is seen.
int row_of_key(Unit unit, uint token) {
    if (!one_of(token, args.tokens)) return SIGHT_HIDDEN;
    return args.sight.at[sight_rows(batch_count(), args.tokens, unit.batch) + token];
}
int limit_of_query(Unit unit, uint token) {
    if (!one_of(token, args.tokens)) return -1;
    return args.sight.at[sight_limits(batch_count(), args.tokens, unit.batch) + token];
}
// Extremes of the sight tile that holds a token.
int least_row(Unit unit, uint token) {
    return args.sight
        .at[sight_least(batch_count(), args.tokens, unit.batch) + min(token, args.tokens - 1) / SIGHT_TILE];
}
int greatest_limit(Unit unit, uint token) {
    return args.sight.at[sight_greatest(batch_count(), args.tokens, unit.batch) +
                         min(token, args.tokens - 1) / SIGHT_TILE];
}
// The same over tokens first .. first + count - 1, at least.
int least_row_of_block(Unit unit, uint first, uint count) {
    int least = SIGHT_HIDDEN;
    for (uint token = first; token < min(first + count, args.tokens);
         token = (token / SIGHT_TILE + 1) * SIGHT_TILE)
        least = min(least, least_row(unit, token));
    return least;
}
int greatest_limit_of_block(Unit unit, uint first, uint count) {
    int greatest = -1;
    for (uint token = first; token < min(first + count, args.tokens);
         token = (token / SIGHT_TILE + 1) * SIGHT_TILE)
        greatest = max(greatest, greatest_limit(unit, token));
    return greatest;
}

// The tile of keys first .. first + TILE - 1. Ends with a barrier; begins where all threads are done with the
// last.
void load_keys(Unit unit, uint first) {
    const uint local = gl_LocalInvocationID.x;
    for (uint index = local; index < TILE; index += THREADS)
        sight_tile[index] = row_of_key(unit, first + index);
    for (uint index = local; index < TILE * SPLIT * D4; index += THREADS) {
        const uint component = index % (SPLIT * D4) * 4;
        uint token = first + index / (SPLIT * D4);
        x_tile[index] = y_tile[index] = vec4(0);
        if (one_of(token, args.tokens)) {
            x_tile[index] = four_of(args.k, args.k_strides, unit, token, component);
            y_tile[index] = four_of(args.v, args.v_strides, unit, token, component);
        }
    }
    barrier();
}
