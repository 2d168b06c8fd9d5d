// taylor_pairs.glsl: tiles and slices of the quadratic form's shaders. Include after lib/taylor.glsl.
//
// A thread holds a row (a query, or a key in the adjoint for keys); the other side passes through shared
// memory, TILE tokens at a time. With wide heads SPLIT threads share a row: each holds a slice of its
// components and adds its part of a dot product through shared memory, so that no thread needs many
// registers.
// BLOCK: 0, or the length of the blocks of the sequence: a query sees no key beyond the end of its own.
layout(constant_id = 6) const uint SPLIT = 1;
layout(constant_id = 7) const uint TILE = 32;
layout(constant_id = 8) const int Q_COMPONENT = 1; // strides of the last axis
layout(constant_id = 9) const int K_COMPONENT = 1;
layout(constant_id = 10) const int V_COMPONENT = 1;
layout(constant_id = 11) const uint BLOCK = 0;

const uint Q4 = (D + 4 * SPLIT - 1) / (4 * SPLIT);  // vec4s of a thread's slice of q or k
const uint V4 = (DV + 4 * SPLIT - 1) / (4 * SPLIT); // and of v or g
const uint LANES = THREADS / SPLIT;                 // rows held at once

shared vec4 x_tile[TILE * SPLIT * Q4]; // k, or q in the adjoint for keys
shared vec4 y_tile[TILE * SPLIT * V4]; // v, or a
shared float one[TILE];                // 0 where a token is hidden or beyond the last: then its row is zero

uint at_x(uint token, uint slice) {
    return (token * SPLIT + slice) * Q4;
}
uint at_y(uint token, uint slice) {
    return (token * SPLIT + slice) * V4;
}

// The keys of a query at a position end here, or before.
uint block_end(uint position) {
    return BLOCK == 0 ? args.tokens : min((position / BLOCK + 1) * BLOCK, args.tokens);
}
// The first query that sees a key at a position.
uint block_begin(uint position) {
    return BLOCK == 0 ? 0 : position / BLOCK * BLOCK;
}

// The tile of keys first .. first + TILE - 1. Ends with a barrier; begins where all threads are done with the
// last.
void load_keys(Unit unit, uint first, uint key_end) {
    const uint local = gl_LocalInvocationID.x;
    for (uint index = local; index < TILE; index += THREADS) {
        const uint position = min(first + index, args.tokens - 1);
        one[index] = 0;
        if (first + index < key_end)
            if (is_visible(unit, position)) one[index] = 1;
    }
    barrier();
    for (uint index = local; index < TILE * SPLIT * Q4; index += THREADS) {
        const uint key = index / (SPLIT * Q4);
        x_tile[index] = vec4(0);
        if (one[key] != 0)
            x_tile[index] = load4(args.k, place_of(unit, min(first + key, args.tokens - 1), args.k_strides),
                                  K_COMPONENT, index % (SPLIT * Q4) * 4, D);
    }
    for (uint index = local; index < TILE * SPLIT * V4; index += THREADS) {
        const uint key = index / (SPLIT * V4);
        y_tile[index] = vec4(0);
        if (one[key] != 0)
            y_tile[index] = load4(args.v, place_of(unit, min(first + key, args.tokens - 1), args.v_strides),
                                  V_COMPONENT, index % (SPLIT * V4) * 4, DV);
    }
    barrier();
}
