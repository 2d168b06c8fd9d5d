/* check_view.c: the definition of every view. See check_view.h. */
#include "verify/check_view.h"

#include <string.h>

#include "base/alloc.h"
#include "ops/view.h"

/* The index along each axis of element `index` of a shape. */
static void split_index(const quartic_shape *shape, uint64_t index, uint32_t out_axes[QUARTIC_MAX_RANK]) {
    for (uint32_t a = shape->rank; a-- > 0;) {
        out_axes[a] = (uint32_t)(index % shape->dims[a]);
        index /= shape->dims[a];
    }
}

/* The element of a shape at an index along each axis. */
static uint64_t join_index(const quartic_shape *shape, const uint32_t axes[QUARTIC_MAX_RANK]) {
    uint64_t index = 0;
    for (uint32_t a = 0; a < shape->rank; ++a) index = index * shape->dims[a] + axes[a];
    return index;
}

/* The element of the operand (of shape in) that element `index` of the result (of shape out) shows. */
static uint64_t source_of(const char *view, const quartic_view_attrs *attrs, const quartic_shape *in,
                          const quartic_shape *out, uint64_t index) {
    uint32_t at[QUARTIC_MAX_RANK] = {0}, from[QUARTIC_MAX_RANK] = {0};
    if (strcmp(view, "reshape") == 0) return index;
    split_index(out, index, at);
    if (strcmp(view, "permute") == 0) {
        for (uint32_t a = 0; a < out->rank; ++a) from[attrs->shape.dims[a]] = at[a];
    } else if (strcmp(view, "slice") == 0) {
        memcpy(from, at, sizeof from);
        from[attrs->axis] += attrs->start;
    } else if (strcmp(view, "broadcast") == 0) {
        for (uint32_t a = 0; a < in->rank; ++a) from[a] = in->dims[a] == 1 ? 0 : at[out->rank - in->rank + a];
    } else { /* diagonal */
        for (uint32_t a = 0; a < in->rank; ++a) from[a] = at[a <= attrs->axis ? a : a - 1];
    }
    return join_index(in, from);
}

static double operand_at(const quartic_fixture *fixture, uint32_t operand, uint64_t index) {
    const float *base = fixture->feeds[operand].data;
    return (double)base[quartic_layout_at(&fixture->layouts[operand], index)];
}

quartic_status quartic_view_want(const quartic_fixture *fixture, bool gradient, double factor) {
    const quartic_fixture_output *result = &fixture->results[0];
    const quartic_view_attrs *attrs = (const void *)fixture->test->attrs;
    const quartic_shape *in = &fixture->layouts[0].shape,
                        *out = gradient ? &fixture->layouts[1].shape : &result->shape;
    const uint64_t shown = quartic_shape_elements(out), count = result->count;
    double *sums = quartic_alloc(count, sizeof *sums);
    if (sums == NULL) return QUARTIC_OUT_OF_MEMORY;
    for (uint64_t k = 0; k < shown; ++k) {
        const uint64_t source = source_of(fixture->op->name, attrs, in, out, k);
        if (gradient)
            sums[source] += operand_at(fixture, 1, k);
        else
            sums[k] = operand_at(fixture, 0, source);
    }
    for (uint64_t k = 0; k < count; ++k) ((float *)result->want)[k] = (float)(factor * sums[k]);
    quartic_free(sums);
    return QUARTIC_OK;
}
