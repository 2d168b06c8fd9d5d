/* matmul_channels.c (fast): batched products of operands whose batch axis is the dense one. See
 * matmul_channels.h.
 *
 * Read by itself, each matrix of such an operand uses one element of every cache line. So the channels are
 * taken in groups of a line: a block of rows of all the group's A and a block of columns of all its B, over a
 * step of k, are transposed into panels (channel, panel of rows or columns, k, row or column) as the kernels
 * read them, each element once; then every channel is multiplied by itself, from panels that stay in the
 * cache.
 *
 * A unit of work is (group, rows). Blocks of about 128 rows and columns and steps of at most 64 k bound the
 * panels of a thread to about 1 MiB, which mostly stays in a second-level cache. Steps depend on shapes
 * alone, and the kernels add the products of a result in one order however rows are cut, so the bits do not
 * depend on the number of threads.
 */
#include "fast/matmul_channels.h"

#include <omp.h>

#include "fast/transpose.h"

enum {
    GROUP = QUARTIC_LINE, /* channels */
    MOST_EXTENT = 128,    /* rows or columns of a block, about */
    MOST_STEP = 64,       /* k of a step */
    LEAST_CHANNELS = 4,   /* fewer are not worth it */
    AHEAD = 4,            /* k to prefetch */
    FEW = 4,              /* rows or columns that are packed at once */
    SPAN = 16             /* k of them, where k is the faster axis */
};

/* How an operand's panels lie: `width` rows of A or columns of B each, k elements of stride `width` in it. */
typedef struct panels {
    int64_t width, pitch; /* of a panel, and from channel to channel */
} panels;

typedef struct channels_plan {
    uint32_t channels, groups;       /* of the last batch axis */
    int64_t most_rows, most_columns; /* of a block: whole panels */
    int64_t step;                    /* k */
    int64_t unit_rows;               /* of a unit */
    uint64_t cuts, units;            /* of the rows into units */
    panels a, b;
    uint32_t threads;
} channels_plan;

static int64_t channels_round_up(int64_t number, int64_t to) {
    return (number + to - 1) / to * to;
}

/* An odd number of lines between channels: lines of the same place are then in different cache sets. */
static panels channels_panels(int64_t extent, int64_t width, int64_t step) {
    const int64_t floats = channels_round_up(extent, width) * step;
    return (panels){width, (floats + QUARTIC_LINE - 1) / QUARTIC_LINE / 2 * 2 * QUARTIC_LINE + QUARTIC_LINE};
}

static const quartic_matmul_axis *channels_channel_axis(const quartic_matmul_problem *p) {
    return &p->axes[p->batch_axes - 1];
}

static bool channels_dense_by_channel(int64_t stride, int64_t row, int64_t column) {
    return stride == 1 && row > 1 && column > 1;
}

bool quartic_matmul_is_by_channels(const quartic_matmul_problem *p) {
    if (p->batch_axes == 0 || channels_channel_axis(p)->extent < LEAST_CHANNELS) return false;
    return channels_dense_by_channel(channels_channel_axis(p)->a_stride, p->a_row, p->a_k) ||
           channels_dense_by_channel(channels_channel_axis(p)->b_stride, p->b_k, p->b_col);
}

static channels_plan channels_plan_work(const quartic_matmul_problem *p,
                                        const quartic_matmul_kernels *kernels, uint32_t threads) {
    channels_plan plan = {.channels = channels_channel_axis(p)->extent, .threads = threads};
    plan.groups = (plan.channels + GROUP - 1) / GROUP;
    const int64_t height = kernels->height, width = kernels->width;
    plan.most_rows = channels_round_up(p->m < MOST_EXTENT ? (int64_t)p->m : MOST_EXTENT, height);
    plan.most_columns = channels_round_up(p->n < MOST_EXTENT ? (int64_t)p->n : MOST_EXTENT, width);
    const int64_t steps = (p->k + MOST_STEP - 1) / MOST_STEP;
    plan.step = (p->k + steps - 1) / steps;

    const uint64_t pieces = p->batches / plan.channels * plan.groups;
    const uint64_t wanted = pieces >= 4ull * threads ? 1 : (threads + pieces - 1) / pieces;
    plan.unit_rows = channels_round_up((int64_t)((p->m + wanted - 1) / wanted), height);
    if (plan.most_rows > plan.unit_rows) plan.most_rows = plan.unit_rows;
    plan.cuts = (p->m + (uint64_t)plan.unit_rows - 1) / (uint64_t)plan.unit_rows;
    plan.units = pieces * plan.cuts;
    plan.a = channels_panels(plan.most_rows, height, plan.step);
    plan.b = channels_panels(plan.most_columns, width, plan.step);
    if (plan.threads > plan.units) plan.threads = (uint32_t)plan.units;
    return plan;
}

static size_t channels_thread_floats(const channels_plan *plan) {
    return GROUP * (size_t)(plan->a.pitch + plan->b.pitch);
}

size_t quartic_matmul_channels_scratch(const quartic_matmul_problem *problem,
                                       const quartic_matmul_kernels *kernels, uint32_t threads) {
    const channels_plan work = channels_plan_work(problem, kernels, threads);
    return channels_thread_floats(&work) * work.threads;
}

/* One k of up to FEW rows of A or columns of B of some channels; strides: of channels, of rows or columns.
 * The common case has constants in its place, which the compiler unrolls. */
QUARTIC_INLINE void channels_pack_few(const float *from, // (channels, count) at these strides
                                      int64_t channels, int64_t channel_stride, int64_t count, int64_t stride,
                                      int64_t ahead,
                                      float *to, // (channels, count), channels pitch apart
                                      int64_t pitch) {
    if (channel_stride != 1) {
        for (int64_t channel = 0; channel < channels; ++channel)
            for (int64_t i = 0; i < count; ++i)
                to[channel * pitch + i] = from[channel * channel_stride + i * stride];
    } else if (channels == GROUP && count == FEW) {
        quartic_transpose(from, stride, ahead, to, pitch, GROUP, FEW);
    } else {
        quartic_transpose(from, stride, ahead, to, pitch, channels, count);
    }
}

/* Rows of A or columns of B of some channels over k as panels. What a last panel lacks is left as it is: no
 * kernel reads it. A few rows at a time are read along k if that is the faster axis, as they are often a
 * power of two apart and would push each other out of the cache. */
static void channels_pack(const panels *to,
                          const float *x, // (channels, extent, k) at these strides
                          int64_t channels, int64_t channel_stride, int64_t extent, int64_t stride, int64_t k,
                          int64_t k_stride,
                          float *packed // (channels, extent / width, k, width), channels to->pitch apart
) {
    const int64_t span = stride > k_stride ? SPAN : 1;
    for (int64_t begin = 0; begin < extent; begin += to->width) {
        const int64_t end = begin + to->width < extent ? begin + to->width : extent;
        for (int64_t first = 0; first < k; first += span) {
            const int64_t last = first + span < k ? first + span : k;
            for (int64_t i = begin; i < end; i += FEW) {
                const int64_t count = end - i < FEW ? end - i : FEW;
                for (int64_t l = first; l < last; ++l)
                    channels_pack_few(x + i * stride + l * k_stride, channels, channel_stride, count, stride,
                                      AHEAD * k_stride, packed + begin * k + l * to->width + i - begin,
                                      to->pitch);
            }
        }
    }
}

/* A block of the results of some channels. */
typedef struct block {
    uint64_t batch; /* of the first channel */
    int64_t channels, row, rows, column, columns;
} block;

/* Adds a step of k to one channel's results, or starts them. */
static void channels_multiply(const quartic_matmul_problem *p, const quartic_matmul_kernels *kernels,
                              const quartic_matmul_data *data, const block *at, int64_t channel, int64_t k,
                              bool first,
                              const float *a, // (rows / height, k, height)
                              const float *b  // (columns / width, k, width)
) {
    const int64_t height = kernels->height, width = kernels->width, n = p->n;
    const int64_t result = ((int64_t)at->batch + channel) * p->m * n;
    for (int64_t column = 0; column < at->columns; column += width)
        for (int64_t row = 0; row < at->rows; row += height) {
            const int64_t c = result + (at->row + row) * n + at->column + column;
            const quartic_matmul_tile tile = {
                .rows = at->rows - row < height ? at->rows - row : height,
                .columns = at->columns - column < width ? at->columns - column : width,
                .k = k,
                .a = a + row * k,
                .a_row = 1,
                .a_k = height,
                .b = b + column * k,
                .b_k = width,
                .alpha = p->alpha,
                .bias = first && data->bias != NULL ? data->bias + at->column + column : NULL,
                .add = !first                 ? data->c + c
                       : data->addend != NULL ? data->addend + c
                                              : NULL,
                .c = data->c + c,
                .result_row = n};
            kernels->tile(&tile);
        }
}

static void channels_run_block(const quartic_matmul_problem *p, const quartic_matmul_kernels *kernels,
                               const channels_plan *plan, const quartic_matmul_data *data, const block *at,
                               float *scratch // (channels_thread_floats)
) {
    const quartic_matmul_axis *axis = channels_channel_axis(p);
    /* Channels that share an operand share its panels. */
    const int64_t a_channels = axis->a_stride == 0 ? 1 : at->channels;
    const int64_t b_channels = axis->b_stride == 0 ? 1 : at->channels;
    float *a = scratch;                         // (GROUP, a.pitch)
    float *b = scratch + GROUP * plan->a.pitch; // (GROUP, b.pitch)
    int64_t a_at, b_at, a_sum = 0, b_sum = 0;
    quartic_matmul_batch_offsets(p, at->batch, &a_at, &b_at);
    a_at += at->row * p->a_row;
    b_at += at->column * p->b_col;
    for (uint64_t sum = 0; sum < p->sums; ++sum) {
        quartic_matmul_sum_offsets(p, sum, &a_sum, &b_sum);
        for (int64_t l = 0; l < p->k; l += plan->step) {
            const int64_t k = p->k - l < plan->step ? p->k - l : plan->step;
            channels_pack(&plan->a, data->a + a_at + a_sum + l * p->a_k, a_channels, axis->a_stride, at->rows,
                          p->a_row, k, p->a_k, a);
            channels_pack(&plan->b, data->b + b_at + b_sum + l * p->b_k, b_channels, axis->b_stride,
                          at->columns, p->b_col, k, p->b_k, b);
            for (int64_t channel = 0; channel < at->channels; ++channel)
                channels_multiply(p, kernels, data, at, channel, k, sum == 0 && l == 0,
                                  a + (a_channels == 1 ? 0 : channel * plan->a.pitch),
                                  b + (b_channels == 1 ? 0 : channel * plan->b.pitch));
        }
    }
}

void quartic_matmul_channels(const quartic_matmul_problem *p, const quartic_matmul_kernels *kernels,
                             uint32_t threads, const quartic_matmul_data *data, float *scratch) {
    const channels_plan work = channels_plan_work(p, kernels, threads);
#pragma omp parallel for num_threads(work.threads) schedule(static)
    for (int64_t unit = 0; unit < (int64_t)work.units; ++unit) {
        const uint64_t piece = (uint64_t)unit / work.cuts;
        const int64_t channel = (int64_t)(piece % work.groups) * GROUP;
        const int64_t first_row = (int64_t)((uint64_t)unit % work.cuts) * work.unit_rows;
        const int64_t end_row = first_row + work.unit_rows < p->m ? first_row + work.unit_rows : p->m;
        block at = {.batch = piece / work.groups * work.channels + (uint64_t)channel,
                    .channels = work.channels - channel < GROUP ? work.channels - channel : GROUP};
        float *mine = // (channels_thread_floats)
            scratch + channels_thread_floats(&work) * (size_t)omp_get_thread_num();
        for (at.column = 0; at.column < p->n; at.column += work.most_columns)
            for (at.row = first_row; at.row < end_row; at.row += work.most_rows) {
                at.columns = p->n - at.column < work.most_columns ? p->n - at.column : work.most_columns;
                at.rows = end_row - at.row < work.most_rows ? end_row - at.row : work.most_rows;
                channels_run_block(p, kernels, &work, data, &at, mine);
            }
    }
}
