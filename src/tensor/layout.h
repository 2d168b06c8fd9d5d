/* layout.h: where a tensor's elements lie in their storage.
 *
 *   element (i0, i1, .., ik) is at    offset + i0 strides[0] + i1 strides[1] + .. + ik strides[k]
 *
 * counted in elements from the start of the storage. Strides may be 0 (broadcast) or negative. Everything
 * here is pure arithmetic: nothing allocates, and nothing fails but quartic_shape_broadcast.
 */
#ifndef QUARTIC_TENSOR_LAYOUT_H
#define QUARTIC_TENSOR_LAYOUT_H

#include <stdbool.h>
#include <stdint.h>

#include "quartic/tensor.h"

typedef struct quartic_layout {
    quartic_dtype dtype; /* QUARTIC_NO_DTYPE: an optional operand that was left out */
    quartic_shape shape;
    int64_t strides[QUARTIC_MAX_RANK];
    int64_t offset;
} quartic_layout;

/* Row-major strides, offset 0. A stride that would overflow becomes the greatest int64. Such a shape has more
 * elements than a tensor may hold, and is refused where its elements are counted. */
quartic_layout quartic_layout_contiguous(quartic_dtype dtype, const quartic_shape *shape);
bool quartic_layout_is_contiguous(const quartic_layout *layout);
bool quartic_shape_equal(const quartic_shape *a, const quartic_shape *b);

/* The range [begin, end) of the storage that holds all elements; empty if there are none. */
void quartic_layout_extent(const quartic_layout *layout, int64_t *out_begin, int64_t *out_end);

/* Gives the common shape of two shapes under broadcasting. Returns false, and gives nothing, if they do not
 * fit. */
bool quartic_shape_broadcast(const quartic_shape *a, const quartic_shape *b, quartic_shape *out_shape);

/* Gives the same elements in the same order with another shape of as many elements. Returns false, and gives
 * nothing, if no strides do that. */
bool quartic_layout_reshape(const quartic_layout *layout, const quartic_shape *shape,
                            quartic_layout *out_layout);

/* The same elements seen with a shape that the layout broadcasts to: strides are 0 on repeated axes. */
quartic_layout quartic_layout_broadcast(const quartic_layout *layout, const quartic_shape *shape);

/* Simplifies layouts of one common shape, so that kernels loop over as few axes as possible: drops axes of
 * extent 1, and merges two neighbouring axes where in every layout stride[a] = stride[a + 1] * extent[a + 1].
 * At least one axis remains. */
void quartic_layouts_simplify(quartic_layout *const *layouts, uint32_t count);

/* Writes "(2, 3, 5)" to a buffer of QUARTIC_SHAPE_TEXT bytes, or "of 9 axes" if the rank is too large.
 * Returns the buffer. */
enum { QUARTIC_SHAPE_TEXT = 80 };
const char *quartic_shape_text(const quartic_shape *shape, char *buffer);

static inline uint64_t quartic_layout_elements(const quartic_layout *layout) {
    return quartic_shape_elements(&layout->shape);
}

/* The position in the storage of the element with that index in row-major order. */
int64_t quartic_layout_at(const quartic_layout *layout, uint64_t index);

#endif
