/* fill.c: numbers and placement of operands. See fill.h. */
#include "verify/fill.h"

#include <math.h>
#include <string.h>

#include "base/rng.h"

/* Beside its value, each element draws from a second stream whether it is an outlier. */
enum { OUTLIER_STREAM = 0x40000000, OUTLIER_ONE_IN = 61, LONGEST_DIAGONAL = 512 };

static float draw_float(quartic_fill_kind kind, uint64_t seed, uint32_t stream, uint64_t index) {
    switch (kind) {
    case QUARTIC_FILL_SMALL:
        return 0.3f * quartic_random_normal(seed, stream, index);
    case QUARTIC_FILL_POSITIVE:
        return 0.5f + 1.5f * quartic_random_uniform(seed, stream, index);
    case QUARTIC_FILL_ZERO:
        return 0.0f;
    case QUARTIC_FILL_HUGE:
        return 1e30f * quartic_random_normal(seed, stream, index);
    case QUARTIC_FILL_TINY:
        return 1e-30f * quartic_random_normal(seed, stream, index);
    default:
        break;
    }
    float number = quartic_random_normal(seed, stream, index);
    bool outlier = quartic_random_bits(seed, stream | OUTLIER_STREAM, index) % OUTLIER_ONE_IN == 0;
    return outlier ? copysignf(10.0f, number) : number;
}

/* About a third zeros; one row in eight is all zeros. */
static int32_t draw_mask(uint64_t seed, uint32_t stream, uint64_t index, uint64_t row) {
    if (quartic_random_bits(seed, stream | OUTLIER_STREAM, row) % 8 == 0) return 0;
    return quartic_random_bits(seed, stream, index) % 3 != 0;
}

/* Ascending indices: one from each of row_length equal parts of [0, limit). Neighbours may be equal. */
static int32_t draw_sorted(uint32_t limit, uint32_t bits, uint64_t column, uint64_t row_length) {
    double stratum = (double)column + bits * 0x1p-32;
    return (int32_t)(stratum / (double)row_length * limit);
}

static int32_t draw_int(quartic_fill_kind kind, uint32_t limit, uint64_t seed, uint32_t stream,
                        uint64_t index, uint64_t row_length) {
    uint32_t bits = quartic_random_bits(seed, stream, index);
    switch (kind) {
    case QUARTIC_FILL_SORTED_INDEX:
        return draw_sorted(limit, bits, index % row_length, row_length);
    case QUARTIC_FILL_MASK:
        return draw_mask(seed, stream, index, index / row_length);
    case QUARTIC_FILL_SIGNED_INDEX:
        return (int32_t)(bits % (limit + 1)) - 1;
    case QUARTIC_FILL_ZERO:
        return 0;
    default:
        return (int32_t)(bits % (limit == 0 ? 1 : limit));
    }
}

void quartic_fill_operand(quartic_fill_kind kind, quartic_dtype dtype, uint32_t limit, uint64_t seed,
                          uint32_t stream, uint64_t count, uint64_t row_length, void *out_numbers) {
    for (uint64_t i = 0; i < count; ++i) {
        if (dtype == QUARTIC_FLOAT32)
            ((float *)out_numbers)[i] = draw_float(kind, seed, stream, i);
        else
            ((int32_t *)out_numbers)[i] = draw_int(kind, limit, seed, stream, i, row_length);
    }
}

static void place_offset(quartic_dtype dtype, const quartic_shape *shape, quartic_placed *out) {
    out->base = *shape;
    if (shape->rank == 0) out->base = QUARTIC_SHAPE(1);
    int64_t row = (int64_t)quartic_shape_elements(&out->base) / out->base.dims[0];
    out->base.dims[0] += 2;
    out->layout = quartic_layout_contiguous(dtype, shape);
    out->layout.offset = row;
}

static bool place_strided(quartic_dtype dtype, const quartic_shape *shape, quartic_placed *out) {
    out->layout = (quartic_layout){.dtype = dtype, .shape = *shape};
    if (shape->rank == 1) {
        if (shape->dims[0] > LONGEST_DIAGONAL) return false;
        uint32_t extent = shape->dims[0] + 2;
        out->base = QUARTIC_SHAPE(extent, extent);
        out->layout.strides[0] = out->layout.offset = (int64_t)extent + 1;
        return true;
    }
    out->base.rank = shape->rank;
    for (uint32_t a = 0; a < shape->rank; ++a) out->base.dims[a] = shape->dims[shape->rank - 1 - a] + 2;
    quartic_layout whole = quartic_layout_contiguous(dtype, &out->base);
    for (uint32_t a = 0; a < shape->rank; ++a) {
        out->layout.strides[a] = whole.strides[shape->rank - 1 - a];
        out->layout.offset += out->layout.strides[a];
    }
    return true;
}

static uint32_t first_wide_axis(const quartic_shape *shape) {
    uint32_t axis = 0;
    while (axis < shape->rank && shape->dims[axis] == 1) ++axis;
    return axis;
}

bool quartic_place(quartic_placement placement, quartic_dtype dtype, const quartic_shape *shape,
                   quartic_placed *out) {
    *out = (quartic_placed){.placement = placement};
    uint32_t wide = first_wide_axis(shape);
    if (placement == QUARTIC_PLACE_OFFSET) {
        place_offset(dtype, shape, out);
    } else if (placement == QUARTIC_PLACE_STRIDED) {
        return wide < shape->rank && place_strided(dtype, shape, out);
    } else {
        out->base = *shape;
        if (placement == QUARTIC_PLACE_REPEATED) {
            if (wide == shape->rank) return false;
            out->base.dims[wide] = 1;
        }
        quartic_layout base = quartic_layout_contiguous(dtype, &out->base);
        out->layout = quartic_layout_broadcast(&base, shape);
    }
    return true;
}

quartic_value quartic_place_view(quartic_graph *graph, const quartic_placed *placed, quartic_value base) {
    const quartic_shape *shape = &placed->layout.shape;
    if (placed->placement == QUARTIC_PLACE_WHOLE) return base;
    if (placed->placement == QUARTIC_PLACE_REPEATED) return quartic_broadcast(graph, base, shape);
    if (placed->placement == QUARTIC_PLACE_OFFSET) {
        quartic_value inner = quartic_slice(graph, base, 0, 1, placed->base.dims[0] - 2);
        return shape->rank == 0 ? quartic_reshape(graph, inner, shape) : inner;
    }
    if (shape->rank == 1) return quartic_slice(graph, quartic_diagonal(graph, base, 0), 0, 1, shape->dims[0]);
    uint32_t reversed[QUARTIC_MAX_RANK];
    for (uint32_t a = 0; a < shape->rank; ++a) {
        base = quartic_slice(graph, base, a, 1, placed->base.dims[a] - 2);
        reversed[a] = shape->rank - 1 - a;
    }
    return quartic_permute(graph, base, reversed);
}

void quartic_place_write(const quartic_placed *placed, const void *numbers, void *out_base) {
    uint64_t whole = quartic_shape_elements(&placed->base), count = quartic_layout_elements(&placed->layout);
    if (placed->layout.dtype == QUARTIC_FLOAT32) {
        for (uint64_t i = 0; i < whole; ++i) ((float *)out_base)[i] = NAN;
    } else {
        for (uint64_t i = 0; i < whole; ++i) ((int32_t *)out_base)[i] = INT32_MIN;
    }
    for (uint64_t i = 0; i < count; ++i)
        memcpy((uint32_t *)out_base + quartic_layout_at(&placed->layout, i), (const uint32_t *)numbers + i,
               4);
}
