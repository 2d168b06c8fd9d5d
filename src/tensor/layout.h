/* layout.h: how a tensor's elements lie in memory.
 *
 * element (i0, .., ik) lies at offset + sum(i * stride), counted in elements from the start of its storage.
 * Strides may be 0 (broadcast) or, in principle, negative. rank and extents: quartic_shape.
 */
#ifndef QUARTIC_TENSOR_LAYOUT_H
#define QUARTIC_TENSOR_LAYOUT_H

#include <stdbool.h>
#include <stdint.h>

#include "quartic/tensor.h"

typedef struct quartic_layout {
    quartic_dtype dtype; /* QUARTIC_NO_DTYPE: the operand was left out */
    quartic_shape shape;
    int64_t strides[QUARTIC_MAX_RANK];
    int64_t offset;
} quartic_layout;

/* Row-major strides, offset 0. Strides that would overflow are the greatest int64: such a shape has more
 * elements than any tensor may hold, and is refused where its elements are counted. */
quartic_layout quartic_layout_contiguous(quartic_dtype dtype, const quartic_shape *shape);
bool quartic_layout_is_contiguous(const quartic_layout *layout);
bool quartic_shape_equal(const quartic_shape *a, const quartic_shape *b);

/* Lowest and one past the highest element of the storage that the layout touches. */
void quartic_layout_extent(const quartic_layout *layout, int64_t *out_begin, int64_t *out_end);

/* Common shape of two shapes under broadcasting; false if they do not fit. */
bool quartic_shape_broadcast(const quartic_shape *a, const quartic_shape *b, quartic_shape *out_shape);

/* The layout seen with another shape that it broadcasts to (strides 0 on repeated axes). */
quartic_layout quartic_layout_broadcast(const quartic_layout *layout, const quartic_shape *shape);

/* Drops axes of extent 1 and merges neighbouring axes that all the given layouts (same shape) walk as one.
 * Kernels use it to loop over as few axes as possible. At least one axis remains. */
void quartic_layouts_simplify(quartic_layout *const *layouts, uint32_t count);

/* "(2, 3, 5)" into a buffer of QUARTIC_SHAPE_TEXT bytes, "of 9 axes" for a rank beyond the most; returns the
 * buffer. */
enum { QUARTIC_SHAPE_TEXT = 80 };
const char *quartic_shape_text(const quartic_shape *shape, char *buffer);

static inline uint64_t quartic_layout_elements(const quartic_layout *layout) {
    return quartic_shape_elements(&layout->shape);
}

/* Storage position of the index-th element in row-major order. */
int64_t quartic_layout_at(const quartic_layout *layout, uint64_t index);

#endif
