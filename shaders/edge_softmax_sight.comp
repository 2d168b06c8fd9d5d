#version 460
// edge_softmax_sight.comp: for each token its row as a key and its limit as a query, and their extremes per
// tile.
//
// Token (i, j): row i, or hidden if masked (or causal and j > i); limit n (causal: i, or -1 where j > i). A
// position outside the graph is hidden and sees nothing. A thread does a tile of tokens.
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "edge_softmax_sight.args.h"
#include "lib/edge_sight.glsl"

layout(local_size_x = 64) in;
layout(constant_id = 0) const uint HAS_POSITIONS = 0;
layout(constant_id = 1) const uint HAS_MASK = 0;

bool is_real(uint batch, uint node) {
    return args.mask.at[batch * args.nodes + node] != 0;
}

void main() {
    const uint tiles = sight_tiles(args.tokens);
    uint index = linear_group() * 64 + gl_LocalInvocationID.x;
    if (!one_of(index, args.batches * tiles)) return;
    const uint batch = index / tiles, tile = index % tiles;
    int least = SIGHT_HIDDEN, greatest = -1;
    for (uint next = tile * SIGHT_TILE; next < min((tile + 1) * SIGHT_TILE, args.tokens); ++next) {
        const uint token = min(next, args.tokens - 1);
        uint position = token;
        if (HAS_POSITIONS != 0) position = uint(args.positions.at[batch * args.tokens + token]);
        int row = SIGHT_HIDDEN, limit = -1;
        if (one_of(position, args.nodes * args.nodes)) { // a negative position is a large one
            const uint i = position / args.nodes, j = position % args.nodes;
            const bool ordered = args.causal == 0 || j <= i;
            bool visible = ordered;
            if (HAS_MASK != 0) visible = ordered && is_real(batch, i) && is_real(batch, j);
            if (visible) row = int(i);
            if (ordered) limit = args.causal != 0 ? int(i) : int(args.nodes);
        }
        args.sight.at[sight_rows(args.batches, args.tokens, batch) + token] = row;
        args.sight.at[sight_limits(args.batches, args.tokens, batch) + token] = limit;
        least = min(least, row);
        greatest = max(greatest, limit);
    }
    args.sight.at[sight_least(args.batches, args.tokens, batch) + tile] = least;
    args.sight.at[sight_greatest(args.batches, args.tokens, batch) + tile] = greatest;
}
