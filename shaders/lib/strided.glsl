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
