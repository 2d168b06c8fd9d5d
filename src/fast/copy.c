/* copy.c (fast): tuned copy, concat and pad: strided moves of 4-byte elements.
 *
 * After merging axes a move is rows along the last axis. Rows of unit stride on both sides are memcpy. Where
 * the source is fastest along another axis than the destination, squares are transposed in registers, a few
 * columns of the source at a time.
 */
#include <string.h>

#include "fast/parts.h"
#include "fast/transpose.h"
#include "ops/movement.h"

/* y[c] = x[c * stride] for c < count, y contiguous. */
QUARTIC_CLONES static void copy_gather_row(const int32_t *restrict x, // (count), stride apart
                                           int64_t stride,
                                           int32_t *restrict y, // (count)
                                           int64_t count) {
    if (stride == 0) {
        for (int64_t c = 0; c < count; ++c) y[c] = x[0];
    } else {
        for (int64_t c = 0; c < count; ++c) y[c] = x[c * stride];
    }
}

/* Row by row along the last axis. */
static void copy_move_rows(const int32_t *x, // as `from` says
                           const quartic_layout *from,
                           int32_t *y, // as `to` says
                           const quartic_layout *to, uint32_t threads) {
    uint32_t last = from->shape.rank - 1;
    int64_t length = from->shape.dims[last], x_step = from->strides[last], y_step = to->strides[last];
    uint64_t count = quartic_layout_elements(from), rows = count / (uint64_t)length;
    uint32_t parts = quartic_parts(count, threads);
    /* With fewer rows than threads every row is cut into pieces. */
    int64_t pieces = rows < parts ? (int64_t)parts : 1;
    uint64_t units = rows * (uint64_t)pieces;
#pragma omp parallel for num_threads(parts) schedule(static) if (parts > 1)
    for (uint32_t part = 0; part < parts; ++part) {
        uint64_t unit = quartic_part_begin(units, parts, part),
                 end = quartic_part_begin(units, parts, part + 1);
        quartic_walk walk = {.layouts = {from, to}, .count = 2, .rank = last};
        quartic_walk_start(&walk, unit / (uint64_t)pieces);
        for (int64_t piece = (int64_t)(unit % (uint64_t)pieces); unit < end; ++unit) {
            int64_t begin = length * piece / pieces, width = length * (piece + 1) / pieces - begin;
            const int32_t *source = x + walk.at[0] + begin * x_step; // (width), x_step apart
            int32_t *target = y + walk.at[1] + begin * y_step;       // (width), y_step apart
            if (x_step == 1 && y_step == 1)
                memcpy(target, source, (size_t)width * sizeof *target);
            else if (y_step == 1)
                copy_gather_row(source, x_step, target, width);
            else
                for (int64_t c = 0; c < width; ++c) target[c * y_step] = source[c * x_step];
            if (++piece < pieces) continue;
            piece = 0;
            quartic_walk_next(&walk);
        }
    }
}

/* Transposes the axes last - 1 (unit stride in x) and last (unit stride in y). */
static void copy_move_transposed(const int32_t *x, // as `from` says
                                 const quartic_layout *from,
                                 int32_t *y, // as `to` says
                                 const quartic_layout *to, uint32_t threads) {
    /* Rows of one unit of work: their part of y stays in the second-level cache while x is read column by
     * column, and each column is long enough to be prefetched. */
    enum { STRIP_ELEMENTS = 1 << 17, LEAST_STRIP = 64, MOST_STRIP = 1024 };
    uint32_t last = from->shape.rank - 1;
    int64_t rows = from->shape.dims[last - 1], columns = from->shape.dims[last];
    uint64_t count = quartic_layout_elements(from);
    uint32_t parts = quartic_parts(count, threads);
    int64_t strip = STRIP_ELEMENTS / columns;
    if (strip > MOST_STRIP) strip = MOST_STRIP;
    if (strip > rows / (int64_t)parts) strip = rows / (int64_t)parts;
    if (strip < LEAST_STRIP) strip = LEAST_STRIP;
    uint64_t strips = ((uint64_t)rows + (uint64_t)strip - 1) / (uint64_t)strip;
    uint64_t units = count / (uint64_t)(rows * columns) * strips;
#pragma omp parallel for num_threads(parts) schedule(static) if (parts > 1)
    for (uint32_t part = 0; part < parts; ++part) {
        uint64_t end = quartic_part_begin(units, parts, part + 1);
        for (uint64_t unit = quartic_part_begin(units, parts, part); unit < end; ++unit) {
            quartic_walk walk = {.layouts = {from, to}, .count = 2, .rank = last - 1};
            quartic_walk_start(&walk, unit / strips);
            int64_t row = (int64_t)(unit % strips) * strip, stop = row + strip < rows ? row + strip : rows;
            const int64_t y_step = to->strides[last - 1];
            quartic_transpose(x + walk.at[0] + row, from->strides[last], 2 * QUARTIC_LINE,
                              y + walk.at[1] + row * y_step, y_step, stop - row, columns);
        }
    }
}

void quartic_fast_move(const void *x, const quartic_layout *from, void *y, const quartic_layout *to,
                       uint32_t threads) {
    quartic_layout source = *from, target = *to;
    quartic_layouts_simplify((quartic_layout *const[]){&source, &target}, 2);
    uint32_t last = source.shape.rank - 1;
    for (uint32_t axis = 0; axis < last; ++axis) {
        if (source.strides[axis] != 1 || source.strides[last] <= 1 || target.strides[last] != 1) continue;
        quartic_swap_axes(&source, axis, last - 1);
        quartic_swap_axes(&target, axis, last - 1);
        copy_move_transposed(x, &source, y, &target, threads);
        return;
    }
    copy_move_rows(x, &source, y, &target, threads);
}

/* ---- the ops ---- */

static void copy_run(const quartic_op_run *run) {
    quartic_fast_move(run->inputs[0].data, run->inputs[0].layout, run->outputs[0].data,
                      run->outputs[0].layout, run->threads);
}

const quartic_fast_kernel quartic_fast_copy = {.op = &quartic_op_copy, .run = copy_run};

static void concat_run(const quartic_op_run *run) {
    const quartic_concat_attrs *attrs = run->attrs;
    int32_t *out = run->outputs[0].data; // contiguous
    uint32_t start = 0;
    for (uint32_t k = 0; k < run->input_count; ++k) {
        const quartic_layout *part = run->inputs[k].layout;
        quartic_layout window =
            quartic_concat_window(run->outputs[0].layout, &part->shape, attrs->axis, start);
        quartic_fast_move(run->inputs[k].data, part, out + window.offset, &window, run->threads);
        start += part->shape.dims[attrs->axis];
    }
}

const quartic_fast_kernel quartic_fast_concat = {.op = &quartic_op_concat, .run = concat_run};

/* Zeros before and behind x along the axis, then x. */
static void pad_run(const quartic_op_run *run) {
    const quartic_pad_attrs *attrs = run->attrs;
    const quartic_layout *x = run->inputs[0].layout, *out = run->outputs[0].layout;
    int32_t *y = run->outputs[0].data;         // (outer, extent, inner)
    int64_t inner = out->strides[attrs->axis]; /* elements behind the axis */
    int64_t before = attrs->start * inner, width = x->shape.dims[attrs->axis] * inner;
    int64_t block = attrs->extent * inner, outer = (int64_t)quartic_layout_elements(out) / block;
    for (int64_t o = 0; o < outer; ++o) {
        memset(y + o * block, 0, (size_t)before * sizeof *y);
        memset(y + o * block + before + width, 0, (size_t)(block - before - width) * sizeof *y);
    }
    quartic_layout window = quartic_concat_window(out, &x->shape, attrs->axis, attrs->start);
    quartic_fast_move(run->inputs[0].data, x, y + window.offset, &window, run->threads);
}

const quartic_fast_kernel quartic_fast_pad = {.op = &quartic_op_pad, .run = pad_run};
