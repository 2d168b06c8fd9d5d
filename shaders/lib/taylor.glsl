// taylor.glsl: what the shaders of Taylor attention share. Include after lib/common.glsl and the args.
//
// Every args block has tokens (of one sequence), others (sequences of a batch element), heads, units. A unit
// is one head of one sequence; units are numbered heads fastest, then others, then batch.
// Constants 0..6: width of q and k, width of v, mask (0 none, 1 per token, 2 per pair), causal, axis of the
// sequence, threads of a group.
#include "lib/rows4.glsl"

layout(constant_id = 0) const uint D = 16;
layout(constant_id = 1) const uint DV = 16;
layout(constant_id = 2) const uint MASK = 0;
layout(constant_id = 3) const uint CAUSAL = 0;
layout(constant_id = 4) const uint AXIS = 2;
layout(constant_id = 5) const uint THREADS = 64;
layout(local_size_x_id = 5) in;

const uint MASK_TOKENS = 1, MASK_PAIRS = 2;

struct Unit {
    uint batch, other, head;
};

Unit unit_at(uint index) {
    return Unit(index / args.heads / args.others, index / args.heads % args.others, index % args.heads);
}

// Index of a token in row-major (b, r, c).
uint token_of(Unit unit, uint position) {
    return AXIS == 2 ? (unit.batch * args.others + unit.other) * args.tokens + position
                     : (unit.batch * args.tokens + position) * args.others + unit.other;
}

// Index of a token's head in contiguous (b, r, c, h).
uint row_of(Unit unit, uint position) {
    return token_of(unit, position) * args.heads + unit.head;
}

// First element of a token's head; strides of batch, other, position, head.
int place_of(Unit unit, uint position, int strides[4]) {
    return int(unit.batch) * strides[0] + int(unit.other) * strides[1] + int(position) * strides[2] +
           int(unit.head) * strides[3];
}

// Keys at or beyond this position are hidden.
uint key_end_of(Unit unit) {
    if (MASK == MASK_PAIRS)
        if (args.mask.at[unit.batch * args.others + unit.other] == 0) return 0;
    return CAUSAL != 0 ? min(unit.other + 1, args.tokens) : args.tokens;
}

// Whether the key at a position before that end is visible.
bool is_visible(Unit unit, uint position) {
    if (MASK == MASK_PAIRS) return args.mask.at[unit.batch * args.tokens + position] != 0;
    if (MASK == MASK_TOKENS) return args.mask.at[token_of(unit, position)] != 0;
    return true;
}
