#version 460
// top_k.comp: the indices of the k greatest scores of a row, ascending; among equal scores the lower index
// wins.
//
// A workgroup owns a row. Scores become unsigned keys of the same order. Four passes over 8 bits each find
// the k-th greatest key and how many of its equals are wanted; then every invocation counts what it takes
// from its own run of scores, and writes it behind what those before it take. Where a graph's count leaves
// places over, the first scores that are not taken fill them: their number follows from the place in the row.
// The counters are integers, so their order does not matter.
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "top_k.args.h"
#include "lib/routing.glsl"

layout(local_size_x = 256) in;
layout(constant_id = 1) const uint COUNTED = 0;

shared uint histogram[256];
shared uint chosen_prefix, chosen_rest;
shared uvec2 taken[256]; // of each invocation: keys above the k-th, keys equal to it

// Hidden scores and NaN come last; -0 equals 0.
uint key_of(uint row, uint score) {
    const float s = score_at(row, score);
    if (!is_visible(row, score) || isnan(s)) return 0;
    const uint bits = floatBitsToUint(s == 0.0 ? 0.0 : s);
    return (bits & 0x80000000u) != 0 ? ~bits : bits | 0x80000000u;
}

void main() {
    uint row = linear_group();
    if (!one_of(row, args.rows)) return; // the whole group
    const uint local = gl_LocalInvocationIndex;
    uint wanted = args.k;
    if (COUNTED != 0) wanted = uint(clamp(args.counts.at[row / args.groups], 0, int(args.k)));
    uint prefix = 0,
         rest = wanted; // keys with a greater prefix are taken; of those that begin with it, `rest`
    for (uint shift = 32; shift > 0; shift -= 8) {
        histogram[local] = 0;
        barrier();
        for (uint j = local; j < args.m; j += 256) {
            const uint key = key_of(row, j);
            if (shift == 32 || key >> shift == prefix) atomicAdd(histogram[key >> (shift - 8) & 255u], 1u);
        }
        barrier();
        if (local == 0) {
            uint digit = 255;
            while (digit > 0 && histogram[digit] < rest) rest -= histogram[digit--];
            chosen_prefix = prefix << 8 | digit;
            chosen_rest = rest;
        }
        barrier();
        prefix = chosen_prefix;
        rest = chosen_rest;
    }

    const uint run = (args.m + 255) / 256, begin = min(local * run, args.m), end = min(begin + run, args.m);
    uvec2 mine = uvec2(0);
    for (uint j = begin; j < end; ++j) {
        const uint key = key_of(row, j);
        mine += uvec2(key > prefix ? 1u : 0u, key == prefix ? 1u : 0u);
    }
    taken[local] = mine;
    barrier();
    uvec2 before = uvec2(0);
    for (uint other = 0; other < local; ++other) before += taken[other];
    for (uint j = begin; j < end; ++j) {
        const uint key = key_of(row, j);
        const bool chosen = key > prefix || (key == prefix && before.y < rest);
        const uint ahead = before.x + min(before.y, rest), left = j - ahead; // before j: chosen ones, others
        if (chosen || left < args.k - wanted) {
            const uint place = row * args.k + min(ahead + min(left, args.k - wanted), args.k - 1);
            const int index = int(row % args.groups * args.m + j);
            args.result.at[place] = index;
            if (COUNTED != 0) args.positions.at[place] = chosen ? index : -1;
        }
        before += uvec2(key > prefix ? 1u : 0u, key == prefix ? 1u : 0u);
    }
}
