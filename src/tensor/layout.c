/* layout.c: arithmetic of shapes and strides that saturates instead of overflowing. See layout.h. */
#include "tensor/layout.h"

#include <stdio.h>
#include <string.h>

#include "base/call.h"

/* The number of axes to loop over. A rank that is too large is the caller's error; it must not lead past
 * dims. */
static uint32_t axes_of(const quartic_shape *shape) {
    return shape->rank <= QUARTIC_MAX_RANK ? shape->rank : QUARTIC_MAX_RANK;
}

/* a * b, or the greatest magnitude with its sign if that overflows. */
static int64_t times(int64_t a, int64_t b) {
    int64_t product;
    if (!__builtin_mul_overflow(a, b, &product)) return product;
    return (a < 0) == (b < 0) ? INT64_MAX : -INT64_MAX;
}

/* a + b, or the greatest magnitude with its sign if that overflows. */
static int64_t plus(int64_t a, int64_t b) {
    int64_t sum;
    if (!__builtin_add_overflow(a, b, &sum)) return sum;
    return a < 0 ? -INT64_MAX : INT64_MAX;
}

uint64_t quartic_shape_elements(const quartic_shape *shape) {
    uint64_t elements = 1;
    bool overflows = false;
    if (shape == NULL) {
        QUARTIC_CALL();
        quartic_fail_null("shape");
        return 0;
    }
    if (shape->rank > QUARTIC_MAX_RANK) return 0;
    for (uint32_t a = 0; a < shape->rank; ++a) {
        if (shape->dims[a] == 0) return 0;
        overflows = overflows || __builtin_mul_overflow(elements, (uint64_t)shape->dims[a], &elements);
    }
    return overflows ? UINT64_MAX : elements;
}

size_t quartic_dtype_size(quartic_dtype dtype) {
    return dtype == QUARTIC_FLOAT32 || dtype == QUARTIC_INT32 ? 4 : 0;
}

quartic_layout quartic_layout_contiguous(quartic_dtype dtype, const quartic_shape *shape) {
    quartic_layout layout = {.dtype = dtype, .shape = *shape};
    int64_t stride = 1;
    for (uint32_t a = axes_of(shape); a-- > 0;) {
        layout.strides[a] = stride;
        stride = times(stride, shape->dims[a]);
    }
    return layout;
}

bool quartic_layout_is_contiguous(const quartic_layout *layout) {
    int64_t stride = 1;
    for (uint32_t a = axes_of(&layout->shape); a-- > 0;) {
        if (layout->shape.dims[a] != 1 && layout->strides[a] != stride) return false;
        stride = times(stride, layout->shape.dims[a]);
    }
    return true;
}

bool quartic_shape_equal(const quartic_shape *a, const quartic_shape *b) {
    return a->rank == b->rank && memcmp(a->dims, b->dims, axes_of(a) * sizeof a->dims[0]) == 0;
}

void quartic_layout_extent(const quartic_layout *layout, int64_t *out_begin, int64_t *out_end) {
    int64_t low = layout->offset, high = layout->offset;
    for (uint32_t a = 0; a < axes_of(&layout->shape); ++a) {
        if (layout->shape.dims[a] == 0) {
            *out_begin = *out_end = layout->offset;
            return;
        }
        int64_t reach = times(layout->strides[a], (int64_t)layout->shape.dims[a] - 1);
        if (reach < 0)
            low = plus(low, reach);
        else
            high = plus(high, reach);
    }
    *out_begin = low;
    *out_end = plus(high, 1);
}

bool quartic_shape_broadcast(const quartic_shape *a, const quartic_shape *b, quartic_shape *out_shape) {
    if (a->rank > QUARTIC_MAX_RANK || b->rank > QUARTIC_MAX_RANK) return false;
    quartic_shape shape = {.rank = a->rank > b->rank ? a->rank : b->rank};
    for (uint32_t k = 0; k < shape.rank; ++k) {
        uint32_t in_a = k < a->rank ? a->dims[a->rank - 1 - k] : 1;
        uint32_t in_b = k < b->rank ? b->dims[b->rank - 1 - k] : 1;
        if (in_a != in_b && in_a != 1 && in_b != 1) return false;
        shape.dims[shape.rank - 1 - k] = in_a == 1 ? in_b : in_a;
    }
    *out_shape = shape;
    return true;
}

quartic_layout quartic_layout_broadcast(const quartic_layout *layout, const quartic_shape *shape) {
    quartic_layout wide = {.dtype = layout->dtype, .shape = *shape, .offset = layout->offset};
    uint32_t rank = layout->shape.rank;
    for (uint32_t k = 0; k < rank; ++k) {
        uint32_t from = rank - 1 - k, to = shape->rank - 1 - k;
        wide.strides[to] = layout->shape.dims[from] == 1 ? 0 : layout->strides[from];
    }
    return wide;
}

/* Cuts the axes of the layout, joined where one goes on from the other, from the last to the first. */
bool quartic_layout_reshape(const quartic_layout *layout, const quartic_shape *shape,
                            quartic_layout *out_layout) {
    quartic_layout joined = *layout,
                   cut = {.dtype = layout->dtype, .shape = *shape, .offset = layout->offset};
    quartic_layouts_simplify((quartic_layout *const[]){&joined}, 1);
    uint32_t axis = joined.shape.rank; /* the axes from here on are used up */
    uint64_t left = 1;                 /* elements of the axis that is being cut */
    int64_t stride = 1;
    for (uint32_t a = shape->rank; a-- > 0;) {
        if (shape->dims[a] == 0) return false;
        while (left == 1 && axis > 0 && shape->dims[a] > 1) {
            left = joined.shape.dims[--axis];
            stride = joined.strides[axis];
        }
        if (left % shape->dims[a] != 0) return false;
        cut.strides[a] = stride;
        stride *= (int64_t)shape->dims[a];
        left /= shape->dims[a];
    }
    *out_layout = cut;
    return true;
}

void quartic_layouts_simplify(quartic_layout *const *layouts, uint32_t count) {
    quartic_shape *shape = &layouts[0]->shape;
    uint32_t kept = 0;
    quartic_shape merged = {0};
    for (uint32_t a = 0; a < shape->rank; ++a) {
        if (shape->dims[a] == 1) continue;
        bool joins = kept > 0;
        for (uint32_t l = 0; l < count && joins; ++l)
            joins = layouts[l]->strides[kept - 1] == layouts[l]->strides[a] * (int64_t)shape->dims[a];
        if (!joins)
            merged.dims[kept++] = shape->dims[a];
        else
            merged.dims[kept - 1] *= shape->dims[a];
        for (uint32_t l = 0; l < count; ++l) layouts[l]->strides[kept - 1] = layouts[l]->strides[a];
    }
    if (kept == 0) {
        merged.dims[0] = 1;
        kept = 1;
        for (uint32_t l = 0; l < count; ++l) layouts[l]->strides[0] = 1;
    }
    merged.rank = kept;
    for (uint32_t l = 0; l < count; ++l) layouts[l]->shape = merged;
}

const char *quartic_shape_text(const quartic_shape *shape, char *buffer) {
    size_t used = (size_t)snprintf(buffer, QUARTIC_SHAPE_TEXT, "(");
    for (uint32_t a = 0; a < axes_of(shape); ++a)
        used += (size_t)snprintf(buffer + used, QUARTIC_SHAPE_TEXT - used, a ? ", %u" : "%u", shape->dims[a]);
    if (shape->rank > QUARTIC_MAX_RANK) {
        snprintf(buffer, QUARTIC_SHAPE_TEXT, "of %u axes", shape->rank);
        return buffer;
    }
    snprintf(buffer + used, QUARTIC_SHAPE_TEXT - used, ")");
    return buffer;
}

int64_t quartic_layout_at(const quartic_layout *layout, uint64_t index) {
    int64_t position = layout->offset;
    for (uint32_t a = layout->shape.rank; a-- > 0;) {
        uint32_t extent = layout->shape.dims[a];
        position += (int64_t)(index % extent) * layout->strides[a];
        index /= extent;
    }
    return position;
}
