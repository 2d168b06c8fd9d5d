/* sum.c (fast): the tuned sum.
 *
 * The kept and the reduced axes are merged each for themselves. Where the reduced ones lie closer in memory
 * an output is a sum along a row; else outputs lie side by side and whole rows are added up. Long sums with
 * few outputs are cut into chunks whose partial sums (chunk, output) go to scratch and are added in order.
 * Chunks depend on the shape only, so the bits do not depend on the number of threads.
 */
#include "fast/sum.h"

#include <string.h>

#include "fast/parts.h"
#include "ops/movement.h"

enum { CHUNK_ELEMENTS = 65536, MAX_CHUNKS = 64 };

typedef struct sum_plan {
    quartic_layout kept, reduced; /* merged */
    bool along;                   /* outputs are sums along rows */
    uint64_t outputs, length;
    uint64_t units;  /* outputs, or rows of outputs side by side */
    uint64_t width;  /* outputs of one unit */
    uint64_t outer;  /* steps over the reduced axes but the last */
    uint64_t chunks; /* pieces of the reduced range: of the outer steps, or of the last axis if outer is 1 */
} sum_plan;

static int64_t sum_least_step(const quartic_layout *layout) {
    uint32_t last = layout->shape.rank - 1;
    return layout->shape.dims[last] == 1 ? INT64_MAX : layout->strides[last];
}

static sum_plan sum_make_plan(const quartic_layout *x, const quartic_sum_attrs *attrs) {
    sum_plan plan = {.kept = quartic_sum_part(x, ~attrs->axes), .reduced = quartic_sum_part(x, attrs->axes)};
    quartic_layouts_simplify((quartic_layout *const[]){&plan.kept}, 1);
    quartic_layouts_simplify((quartic_layout *const[]){&plan.reduced}, 1);
    plan.outputs = quartic_layout_elements(&plan.kept);
    plan.length = quartic_layout_elements(&plan.reduced);
    plan.along = sum_least_step(&plan.reduced) < sum_least_step(&plan.kept);
    plan.width = plan.along ? 1 : plan.kept.shape.dims[plan.kept.shape.rank - 1];
    plan.units = plan.outputs / plan.width;
    uint64_t last = plan.reduced.shape.dims[plan.reduced.shape.rank - 1];
    plan.outer = plan.length / last;
    uint64_t most = plan.outer > 1 ? plan.outer : last;
    plan.chunks = plan.width * plan.length / CHUNK_ELEMENTS;
    if (plan.chunks > MAX_CHUNKS / plan.units) plan.chunks = MAX_CHUNKS / plan.units;
    if (plan.chunks > most) plan.chunks = most;
    if (plan.chunks < 1) plan.chunks = 1;
    return plan;
}

/* Sixteen running sums, which vectorise, added up in pairs at the end. */
QUARTIC_CLONES static float sum_along_row(const float *x, // (count), step apart
                                          int64_t step, int64_t count) {
    enum { SUMS = 16 };
    float sums[SUMS] = {0};
    int64_t i = 0;
    if (step == 1)
        for (; i + SUMS <= count; i += SUMS)
            for (int64_t k = 0; k < SUMS; ++k) sums[k] += x[i + k];
    for (; i < count; ++i) sums[i % SUMS] += x[i * step];
    for (int64_t half = SUMS / 2; half > 0; half /= 2)
        for (int64_t k = 0; k < half; ++k) sums[k] += sums[k + half];
    return sums[0];
}

/* Adds up rows of one block of columns in registers; width is a constant where it is COLUMNS. */
enum { COLUMNS = 32, ROWS = 256 };
QUARTIC_INLINE void sum_add_block(const float *x, // (rows, width) at these strides
                                  int64_t row_step, int64_t rows, int64_t column_step,
                                  float *y, // (width)
                                  int64_t width) {
    float sums[COLUMNS] = {0};
    for (int64_t r = 0; r < rows; ++r)
        for (int64_t c = 0; c < width; ++c) sums[c] += x[r * row_step + c * column_step];
    for (int64_t c = 0; c < width; ++c) y[c] += sums[c];
}

/* Blocks of ROWS rows are added up for themselves, so that rounding errors stay those of short sums. */
QUARTIC_CLONES void quartic_fast_add_rows(const float *x, // (rows, columns) at these strides
                                          int64_t row_step, int64_t rows, int64_t column_step,
                                          float *y, // (columns)
                                          int64_t columns) {
    for (int64_t c = 0; c < columns; c += COLUMNS)
        for (int64_t r = 0; r < rows; r += ROWS) {
            int64_t width = columns - c < COLUMNS ? columns - c : COLUMNS,
                    height = rows - r < ROWS ? rows - r : ROWS;
            const float *block = x + r * row_step + c * column_step; // (height, width)
            if (width == COLUMNS && column_step == 1)
                sum_add_block(block, row_step, height, 1, y + c, COLUMNS);
            else if (column_step == 1)
                sum_add_block(block, row_step, height, 1, y + c, width);
            else
                sum_add_block(block, row_step, height, column_step, y + c, width);
        }
}

/* One unit over one chunk of the reduced range. */
static void sum_one_unit(const sum_plan *plan,
                         const float *x, // as plan->reduced says
                         uint64_t chunk,
                         float *y // (width)
) {
    uint32_t last = plan->reduced.shape.rank - 1;
    int64_t count = plan->reduced.shape.dims[last], step = plan->reduced.strides[last];
    uint64_t outer = 0, outer_end = 1;
    if (plan->outer > 1) {
        outer = plan->outer * chunk / plan->chunks;
        outer_end = plan->outer * (chunk + 1) / plan->chunks;
    } else {
        int64_t begin = count * (int64_t)chunk / (int64_t)plan->chunks;
        count = count * (int64_t)(chunk + 1) / (int64_t)plan->chunks - begin;
        x += begin * step;
        if (plan->along) {
            y[0] = sum_along_row(x, step, count);
            return;
        }
    }
    memset(y, 0, plan->width * sizeof *y);
    quartic_walk walk = {.layouts = {&plan->reduced}, .count = 1, .rank = last};
    quartic_walk_start(&walk, outer);
    for (; outer < outer_end; ++outer, quartic_walk_next(&walk)) {
        if (plan->along)
            y[0] += sum_along_row(x + walk.at[0], step, count);
        else
            quartic_fast_add_rows(x + walk.at[0], step, count, plan->kept.strides[plan->kept.shape.rank - 1],
                                  y, (int64_t)plan->width);
    }
}

static void sum_run(const quartic_op_run *run) {
    sum_plan plan = sum_make_plan(run->inputs[0].layout, run->attrs);
    const float *x = run->inputs[0].data;             // as the input's layout says
    float *y = run->outputs[0].data;                  // (outputs)
    float *sums = plan.chunks > 1 ? run->scratch : y; // (chunks, outputs)
    uint32_t kept_rank = plan.along ? plan.kept.shape.rank : plan.kept.shape.rank - 1;
    uint64_t jobs = plan.units * plan.chunks;
    uint32_t parts = quartic_parts(plan.outputs * plan.length, run->threads);
#pragma omp parallel for num_threads(parts) schedule(static) if (parts > 1)
    for (uint32_t part = 0; part < parts; ++part) {
        uint64_t job = quartic_part_begin(jobs, parts, part), end = quartic_part_begin(jobs, parts, part + 1);
        quartic_walk walk = {.layouts = {&plan.kept}, .count = 1, .rank = kept_rank};
        quartic_walk_start(&walk, job % plan.units);
        /* Behind the last unit the walk is back at the first. */
        for (; job < end; ++job, quartic_walk_next(&walk))
            sum_one_unit(&plan, x + walk.at[0], job / plan.units,
                         sums + job / plan.units * plan.outputs + job % plan.units * plan.width);
    }
    if (plan.chunks == 1) return;
    memset(y, 0, plan.outputs * sizeof *y);
    quartic_fast_add_rows(sums, (int64_t)plan.outputs, (int64_t)plan.chunks, 1, y, (int64_t)plan.outputs);
}

static size_t sum_scratch(const quartic_op_call *call, uint32_t threads) {
    (void)threads;
    sum_plan plan = sum_make_plan(&call->inputs[0], call->attrs);
    return plan.chunks > 1 ? plan.chunks * plan.outputs * sizeof(float) : 0;
}

const quartic_fast_kernel quartic_fast_sum = {.op = &quartic_op_sum, .run = sum_run, .scratch = sum_scratch};
