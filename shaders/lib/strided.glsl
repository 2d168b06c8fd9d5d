// strided.glsl: STRIDED_POSITION(name, begin, rank, dims, strides) defines int name(uint index): where the
// row-major index-th element of a tensor lies whose axes are begin .. begin + rank - 1 of the arrays. A
// macro, since arrays of push constants passed by value may be copied to registers. The first axis takes what
// is left of the index, without a division; with rank 0 the only index is 0.
#define STRIDED_POSITION(name, begin, rank, dims, strides)                                                   \
    int name(uint index) {                                                                                   \
        int position = 0;                                                                                    \
        for (int axis = int(begin) + int(rank) - 1; axis > int(begin); --axis) {                             \
            position += int(index % dims[axis]) * strides[axis];                                             \
            index /= dims[axis];                                                                             \
        }                                                                                                    \
        return position + int(index) * strides[begin];                                                       \
    }

// n / extent for n < 2^31, where multiplier and shift are those of src/ops/strided.h.
uint strided_divide(uint n, uint multiplier, uint shift) {
    uint high, low;
    umulExtended(2u * n, multiplier, high, low);
    return high >> shift;
}

// STRIDED_WALK(index, rank, dims, divide, step): runs step(axis, within) for each axis, the last one first, with
// the place of the row-major index-th element within that axis. No axis costs a division.
#define STRIDED_WALK(index, rank, dims, divide, step)                                                        \
    {                                                                                                        \
        uint rest = index;                                                                                   \
        for (int axis = int(rank) - 1; axis > 0; --axis) {                                                   \
            const uint shift = divide[5] >> 5 * (axis - 1) & 31u;                                            \
            const uint above = strided_divide(rest, divide[axis - 1], shift);                                \
            const uint within = rest - above * dims[axis];                                                   \
            step(axis, within) rest = above;                                                                 \
        }                                                                                                    \
        step(0, rest)                                                                                        \
    }
