// streams.glsl: columns of heads in workgroups; src/ops/streams.h says how. A tile lies in shared memory as
// (HEADS, COLUMNS). Invocation (lane, column) owns the elements of its column at the heads
//     lane + k LANES, k < STEPS
layout(local_size_x = 256) in;
layout(constant_id = 0) const uint HEADS = 1;
layout(constant_id = 1) const uint COLUMNS = 64; // a power of two
layout(constant_id = 2) const uint STEPS = 1;    // LANES * STEPS >= HEADS
const uint LANES = 256u / COLUMNS;

uint own_column() {
    return gl_LocalInvocationIndex % COLUMNS;
}
uint own_lane() {
    return gl_LocalInvocationIndex / COLUMNS;
}
uint own_head(uint step) {
    return own_lane() + step * LANES;
}

// Where a group's tile lies: of batch group / tiles.
struct Place {
    uint base;   // of the own column's first head, or of the last column's
    bool inside; // whether that column exists
};

Place place_of(uint group, uint tiles, uint positions) {
    uint position = group % tiles * COLUMNS + own_column();
    bool inside = one_of(position, positions);
    return Place(group / tiles * HEADS * positions + position, inside);
}
