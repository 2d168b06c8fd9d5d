/* strided.c: divisions as multiplications, and quads. See strided.h.
 *
 * With s = ceil(log2 d) and m = ceil(2^(31 + s) / d), 2^31 <= m < 2^32, the error e = m d - 2^(31 + s) is less
 * than d <= 2^s. So n m / 2^(31 + s) exceeds n / d by n e / (d 2^(31 + s)) < 1 / d for n < 2^31, which never
 * reaches the next integer.
 */
#include "ops/strided.h"

uint32_t quartic_strided_multiplier(uint32_t extent, uint32_t *out_shift) {
    uint32_t shift = 0;
    while (UINT64_C(1) << shift < extent) ++shift;
    *out_shift = shift;
    return (uint32_t)(((UINT64_C(1) << (31 + shift)) + extent - 1) / extent);
}

void quartic_strided_divide(const quartic_shape *shape, uint32_t divide[QUARTIC_MAX_RANK]) {
    for (uint32_t k = 0; k < QUARTIC_MAX_RANK; ++k) divide[k] = 0;
    for (uint32_t axis = 1; axis < shape->rank; ++axis) {
        uint32_t shift;
        divide[axis - 1] = quartic_strided_multiplier(shape->dims[axis], &shift);
        divide[QUARTIC_MAX_RANK - 1] |= shift << 5 * (axis - 1);
    }
}

quartic_strided_quad quartic_strided_quads(const quartic_layout *layout) {
    const uint32_t last = layout->shape.rank - 1;
    if (layout->shape.rank == 0 || layout->shape.dims[last] % 4 != 0) return QUARTIC_QUAD_NONE;
    if (layout->strides[last] == 0) return QUARTIC_QUAD_SAME;
    if (layout->strides[last] != 1 || layout->offset % 4 != 0) return QUARTIC_QUAD_NONE;
    for (uint32_t axis = 0; axis < last; ++axis)
        if (layout->strides[axis] % 4 != 0) return QUARTIC_QUAD_NONE;
    return QUARTIC_QUAD_ONE;
}
