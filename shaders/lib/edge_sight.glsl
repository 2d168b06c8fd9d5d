// edge_sight.glsl: where the parts of a sight buffer begin: who sees whom among tokens that are edges.
//
// The buffer holds, one after the other, as ints:
//     rows of keys (b, m), limits of queries (b, m),
//     the least row (b, tiles) and the greatest limit (b, tiles) of each tile of SIGHT_TILE tokens
// A key is visible to a query iff its row <= the query's limit.
const uint SIGHT_TILE = 32;
const int SIGHT_HIDDEN = 0x7fffffff;

uint sight_tiles(uint tokens) {
    return (tokens + SIGHT_TILE - 1) / SIGHT_TILE;
}
uint sight_rows(uint batches, uint tokens, uint batch) {
    return batch * tokens;
}
uint sight_limits(uint batches, uint tokens, uint batch) {
    return (batches + batch) * tokens;
}
uint sight_least(uint batches, uint tokens, uint batch) {
    return 2 * batches * tokens + batch * sight_tiles(tokens);
}
uint sight_greatest(uint batches, uint tokens, uint batch) {
    return 2 * batches * tokens + (batches + batch) * sight_tiles(tokens);
}
