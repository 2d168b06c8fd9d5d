// strided.glsl: where the row-major index-th element of a strided tensor lies, without a division.

// n / extent for n < 2^31, where multiplier and shift are those of src/ops/strided.h.
uint strided_divide(uint n, uint multiplier, uint shift) {
    uint high, low;
    umulExtended(2u * n, multiplier, high, low);
    return high >> shift;
}

// STRIDED_WALK_FROM(begin, index, rank, dims, divide, step): runs step(axis, within) for axes begin + rank - 1 .. begin,
// with the place of the row-major index-th element of a tensor with these axes within that axis. divide is that of
// all axes of dims. The first axis takes what is left of the index; with rank 0 the only index is 0. A macro, since
// arrays of push constants passed by value may be copied to registers.
#define STRIDED_WALK_FROM(begin, index, rank, dims, divide, step)                                            \
    {                                                                                                        \
        uint rest = index;                                                                                   \
        for (int axis = int(begin) + int(rank) - 1; axis > int(begin); --axis) {                             \
            const uint shift = divide[5] >> 5 * (axis - 1) & 31u;                                            \
            const uint above = strided_divide(rest, divide[axis - 1], shift);                                \
            const uint within = rest - above * dims[axis];                                                   \
            step(axis, within) rest = above;                                                                 \
        }                                                                                                    \
        step(begin, rest)                                                                                    \
    }

// The same from axis 0 on.
#define STRIDED_WALK(index, rank, dims, divide, step) STRIDED_WALK_FROM(0, index, rank, dims, divide, step)
