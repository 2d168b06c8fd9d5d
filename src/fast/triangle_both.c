/* triangle_both.c (fast): triangle attention of the kind both.
 *
 * A task's own nodes lie in the lanes of vectors. x are the operands of the edges (own, l), y those of the
 * edges (other, l). For one pivot l, the scores of all pairs of own and other nodes are one matrix product.
 * Values and their gradients are sums of products of three factors (triples.h).
 *
 * Forward, own is i. Pivots go FORWARD_PIVOTS at a time; between them, each other node keeps its running
 * softmax and its sums.
 *
 * Backward, own is i for the gradients of q and v, then j for those of k and v2. They are sums over the other
 * node, kept for BACKWARD_PIVOTS pivots at a time.
 */
#include <omp.h>
#include <string.h>

#include "fast/parts.h"
#include "fast/triangle.h"
#include "fast/triples.h"

enum {
    LANES = QUARTIC_FLASH_LANES,
    NEAR = 8, /* rows of one page: taken together where the other way strides over pages */
    FORWARD_PIVOTS = 32,
    BACKWARD_PIVOTS = 8,
    OTHERS = 24 /* a multiple of the rows that a matrix kernel computes at once */
};

/* ---- memory ---- */

/* Floats of y, packed as (pivot, other, component). */
static size_t triangle_both_side_floats(const quartic_triangle_problem *problem) {
    return (size_t)problem->n * problem->n * problem->d;
}

quartic_triangle_sizes quartic_triangle_both_sizes(const quartic_triangle_problem *problem, bool backward) {
    const size_t n = problem->n, column = (size_t)problem->d * LANES, sides = backward ? 4 : 2;
    quartic_triangle_sizes sizes = {.shared = quartic_triangle_units(problem) * sides *
                                              triangle_both_side_floats(problem)};
    if (backward)
        sizes.own = 4 * BACKWARD_PIVOTS * column + n * (column + 2 * LANES) + 2 * OTHERS * LANES + OTHERS;
    else
        sizes.own = 2 * FORWARD_PIVOTS * column + n * (column + 2 * LANES) + OTHERS * FORWARD_PIVOTS * LANES +
                    FORWARD_PIVOTS;
    return sizes;
}

/* ---- operands ---- */

static const quartic_triangle_operand *triangle_both_operand_of(const quartic_triangle_problem *problem,
                                                                uint32_t input) {
    return input == QUARTIC_TRIANGLE_Q   ? &problem->q
           : input == QUARTIC_TRIANGLE_K ? &problem->k
           : input == QUARTIC_TRIANGLE_V ? &problem->v
                                         : &problem->v2;
}

/* Edge (node, l) or (l, node), whichever the operand lies on. */
static int64_t triangle_both_at(const quartic_triangle_operand *operand, uint32_t b, uint32_t h,
                                uint32_t node, uint32_t l) {
    return quartic_triangle_at(operand, b, h, node, l, node);
}
static int64_t triangle_both_node_step(const quartic_triangle_operand *operand) {
    return operand->edge == QUARTIC_EDGE_IL ? operand->row : operand->column;
}

/* An input (pivot, n, d) in the shared memory of a unit. Forward needs k and v2 only. */
static float *triangle_both_packed(const quartic_triangle_job *job, uint64_t unit, uint32_t input) {
    const uint32_t slot = input == QUARTIC_TRIANGLE_K    ? 0
                          : input == QUARTIC_TRIANGLE_V2 ? 1
                          : input == QUARTIC_TRIANGLE_Q  ? 2
                                                         : 3;
    return job->shared + (unit * (job->backward ? 4 : 2) + slot) * triangle_both_side_floats(&job->problem);
}

/* An input at the visible pivots t .. t + count - 1 as (pivot, node, d); q with its scale. */
static void triangle_both_pack(const quartic_triangle_job *job, uint64_t unit, uint32_t input, uint32_t t,
                               uint32_t count) {
    const quartic_triangle_problem *problem = &job->problem;
    const uint32_t n = problem->n, d = problem->d, b = (uint32_t)(unit / problem->heads);
    const uint32_t h = (uint32_t)(unit % problem->heads);
    const quartic_triangle_operand *operand = triangle_both_operand_of(problem, input);
    const float factor = input == QUARTIC_TRIANGLE_Q ? problem->scale : 1.0f;
    const float *from = job->run->inputs[input].data;                       // at the operand's strides
    const int32_t *pivots = job->pivots + (size_t)b * n + t;                // (count)
    float *to = triangle_both_packed(job, unit, input) + (size_t)t * n * d; // (count, n, d)
    for (uint32_t node = 0; node < n; ++node)
        for (uint32_t k = 0; k < count; ++k)
            quartic_triangle_row(from + triangle_both_at(operand, b, h, node, (uint32_t)pivots[k]),
                                 operand->component, d, factor, to + ((size_t)k * n + node) * d);
}

/* ---- a task ---- */

/* Own nodes first .. first + count - 1 of one side of a unit: they are i, or j if exchanged. */
typedef struct task {
    const quartic_triangle_job *job;
    uint32_t b, h, first, count;
    bool exchanged;
    const int32_t *pivots; // (pivot_count): the visible ones
    uint32_t pivot_count;
    uint32_t x, xv;        /* inputs: q and v, or k and v2 */
    const float *y, *yv;   // (pivot, other, d)
    int32_t limits[LANES]; /* of own nodes, see flash.h */
} task;

/* What limits of own nodes are compared with: with causality own = i sees l <= i, own = j sees l >= j. The
 * other node's half of j <= l <= i is seen to by ranges. */
static int32_t triangle_both_row_of(const task *t, uint32_t l) {
    return !t->job->problem.causal ? 0 : t->exchanged ? -(int32_t)l : (int32_t)l;
}

static task triangle_both_open_task(const quartic_triangle_job *job, uint64_t unit, bool exchanged,
                                    uint32_t first) {
    const quartic_triangle_problem *problem = &job->problem;
    task t = {.job = job,
              .b = (uint32_t)(unit / problem->heads),
              .h = (uint32_t)(unit % problem->heads),
              .first = first,
              .count = quartic_triangle_least(problem->n - first, LANES),
              .exchanged = exchanged,
              .x = exchanged ? QUARTIC_TRIANGLE_K : QUARTIC_TRIANGLE_Q,
              .xv = exchanged ? QUARTIC_TRIANGLE_V2 : QUARTIC_TRIANGLE_V};
    t.pivots = job->pivots + (size_t)t.b * problem->n;
    t.pivot_count = job->pivot_counts[t.b];
    t.y = triangle_both_packed(job, unit, exchanged ? QUARTIC_TRIANGLE_Q : QUARTIC_TRIANGLE_K);
    t.yv = triangle_both_packed(job, unit, exchanged ? QUARTIC_TRIANGLE_V : QUARTIC_TRIANGLE_V2);
    for (uint32_t i = 0; i < LANES; ++i)
        t.limits[i] = triangle_both_row_of(&t, first + quartic_triangle_least(i, t.count - 1));
    return t;
}

static uint32_t triangle_both_pivot(const task *t, uint32_t number) {
    return (uint32_t)t->pivots[number];
}

/* An input at the own nodes and `pivots` pivots from a number as columns. */
static void triangle_both_to_columns(const task *t, uint32_t input, uint32_t number, uint32_t pivots,
                                     float factor,
                                     float *columns // (pivots, d, LANES)
) {
    const quartic_triangle_operand *operand = triangle_both_operand_of(&t->job->problem, input);
    const float *from = t->job->run->inputs[input].data; // at the operand's strides
    const uint32_t d = t->job->problem.d;
    const size_t column = (size_t)d * LANES;
    if (t->count < LANES) memset(columns, 0, pivots * column * sizeof *columns);
    for (uint32_t i = 0; i < t->count; i += NEAR)
        for (uint32_t k = 0; k < pivots; ++k)
            quartic_flash_to_columns(from + triangle_both_at(operand, t->b, t->h, t->first + i,
                                                             triangle_both_pivot(t, number + k)),
                                     triangle_both_node_step(operand), operand->component,
                                     quartic_triangle_least(t->count - i, NEAR), d, factor,
                                     columns + k * column + i);
}

/* The scores of `count` other nodes: y x. */
static void triangle_both_score(const task *t, uint32_t count,
                                const float *y, // (count, d)
                                const float *x, // (d, LANES)
                                float *scores,  // (count, LANES), rows row_step apart
                                size_t row_step) {
    const uint32_t d = t->job->problem.d;
    quartic_flash_product(t->job->kernels, count, LANES, d, y, d, 1, x, NULL, scores, (int64_t)row_step);
}

/* ---- forward ---- */

/* Of the other nodes, and of one block of pivots. */
typedef struct forward {
    float *top, *total; // (other, LANES)
    float *sums;        // (other, d, LANES)
    float *x, *xv;      // (FORWARD_PIVOTS, d, LANES)
    float *scores;      // (OTHERS, FORWARD_PIVOTS, LANES)
    int32_t *rows;      // (FORWARD_PIVOTS)
} forward;

/* `others` other nodes from `other` on attend over `pivots` pivots from a number. */
static void triangle_both_attend_pivots(const task *t, const forward *f, uint32_t number, uint32_t pivots,
                                        uint32_t other, uint32_t others) {
    const quartic_triangle_problem *problem = &t->job->problem;
    const uint32_t n = problem->n, d = problem->d;
    const size_t column = (size_t)d * LANES, block = (size_t)FORWARD_PIVOTS * LANES;
    for (uint32_t k = 0; k < pivots; ++k) {
        f->rows[k] = triangle_both_row_of(t, triangle_both_pivot(t, number + k));
        triangle_both_score(t, others, t->y + ((size_t)(number + k) * n + other) * d, f->x + k * column,
                            f->scores + (size_t)k * LANES, block);
    }
    for (uint32_t o = 0; o < others; ++o) {
        uint32_t begin = 0; /* pivots below j are hidden from it */
        if (problem->causal)
            while (begin < pivots && triangle_both_pivot(t, number + begin) < other + o) ++begin;
        if (begin == pivots) continue;
        float scale[LANES];
        float *weights = f->scores + o * block + (size_t)begin * LANES; // (pivots - begin, LANES)
        float *sums = f->sums + (other + o) * column;                   // (d, LANES)
        const size_t lane = (size_t)(other + o) * LANES;
        quartic_flash_weigh(pivots - begin, f->rows + begin, t->limits, weights, f->top + lane,
                            f->total + lane, scale);
        quartic_flash_scale(scale, d, sums);
        const quartic_triples values = {.rows = d,
                                        .depth = pivots - begin,
                                        .w = weights,
                                        .x = f->xv + begin * column,
                                        .x_row = LANES,
                                        .x_depth = column,
                                        .y = t->yv + ((size_t)(number + begin) * n + other + o) * d,
                                        .y_row = 1,
                                        .y_depth = (size_t)n * d,
                                        .result = sums};
        quartic_triples_add(&values);
    }
}

static void triangle_both_write_edges(const task *t, const forward *f) {
    const quartic_triangle_problem *problem = &t->job->problem;
    float *out = t->job->run->outputs[0].data; // (b, n, n, h, d)
    float *lse = t->job->run->outputs[1].data; // (b, n, n, h)
    for (uint32_t j = 0; j < problem->n; ++j) {
        const float *top = f->top + (size_t)j * LANES, *total = f->total + (size_t)j * LANES; // (LANES)
        float *sums = f->sums + (size_t)j * problem->d * LANES, inverse[LANES]; // sums: (d, LANES)
        for (uint32_t i = 0; i < LANES; ++i) {
            const bool sees =
                total[i] == 0 && i < t->count && quartic_triangle_sees(t->job, t->b, t->first + i, j);
            const float own_lse = quartic_flash_lse(top[i], total[i], sees, &inverse[i]);
            if (i < t->count)
                lse[quartic_triangle_at(&problem->narrow, t->b, t->h, t->first + i, 0, j)] = own_lse;
        }
        quartic_flash_scale(inverse, problem->d, sums);
        quartic_flash_from_columns(sums, t->count, problem->d, 1.0f,
                                   out + quartic_triangle_at(&problem->wide, t->b, t->h, t->first, 0, j),
                                   problem->wide.row);
    }
}

static void triangle_both_run_forward(const task *t, float *scratch) {
    const quartic_triangle_problem *problem = &t->job->problem;
    const uint32_t n = problem->n;
    const size_t column = (size_t)problem->d * LANES;
    forward f = {.x = scratch, .xv = scratch + FORWARD_PIVOTS * column};
    f.sums = f.xv + FORWARD_PIVOTS * column;
    f.top = f.sums + n * column;
    f.total = f.top + (size_t)n * LANES;
    f.scores = f.total + (size_t)n * LANES;
    f.rows = (int32_t *)(f.scores + (size_t)OTHERS * FORWARD_PIVOTS * LANES);
    memset(f.sums, 0, n * column * sizeof *f.sums);
    memset(f.total, 0, (size_t)n * LANES * sizeof *f.total);
    for (size_t k = 0; k < (size_t)n * LANES; ++k) f.top[k] = quartic_flash_lowest;
    for (uint32_t number = 0; number < t->pivot_count; number += FORWARD_PIVOTS) {
        const uint32_t pivots = quartic_triangle_least(t->pivot_count - number, FORWARD_PIVOTS);
        if (problem->causal && triangle_both_pivot(t, number) >= t->first + t->count) break;
        triangle_both_to_columns(t, t->x, number, pivots, problem->scale, f.x);
        triangle_both_to_columns(t, t->xv, number, pivots, 1.0f, f.xv);
        /* With causality j is at most the block's last pivot. */
        const uint32_t end = problem->causal ? triangle_both_pivot(t, number + pivots - 1) + 1 : n;
        for (uint32_t other = 0; other < end; other += OTHERS)
            triangle_both_attend_pivots(t, &f, number, pivots, other,
                                        quartic_triangle_least(end - other, OTHERS));
    }
    triangle_both_write_edges(t, &f);
}

/* ---- backward ---- */

/* Of all other nodes, of one block of pivots, and of one block of other nodes. */
typedef struct backward {
    float *g;                 // (other, d, LANES)
    float *lse, *delta;       // (other, LANES)
    float *x, *xv, *dx, *dxv; // (BACKWARD_PIVOTS, d, LANES)
    float *scores, *products; // (OTHERS, LANES): then A and ds
    int32_t *rows;            // (OTHERS)
} backward;

static void triangle_both_read_cotangents(const task *t, const backward *bw) {
    const quartic_triangle_problem *problem = &t->job->problem;
    const uint32_t n = problem->n, d = problem->d;
    const size_t column = (size_t)d * LANES;
    const float *g = t->job->run->inputs[QUARTIC_TRIANGLE_G].data;     // (b, n, n, h, d)
    const float *lse = t->job->run->inputs[QUARTIC_TRIANGLE_LSE].data; // (b, n, n, h)
    const int64_t step = t->exchanged ? problem->wide.column : problem->wide.row;
    if (t->count < LANES) {
        memset(bw->g, 0, n * column * sizeof *bw->g);
        memset(bw->lse, 0, (size_t)n * LANES * sizeof *bw->lse);
        memset(bw->delta, 0, (size_t)n * LANES * sizeof *bw->delta);
    }
    for (uint32_t i = 0; i < t->count; i += NEAR)
        for (uint32_t other = 0; other < n; ++other) {
            const uint32_t rows = quartic_triangle_least(t->count - i, NEAR), own = t->first + i;
            const int64_t edge = t->exchanged
                                     ? quartic_triangle_at(&problem->wide, t->b, t->h, other, 0, own)
                                     : quartic_triangle_at(&problem->wide, t->b, t->h, own, 0, other);
            quartic_flash_to_columns(g + edge, step, 1, rows, d, 1.0f, bw->g + other * column + i);
            for (uint32_t k = 0; k < rows; ++k) {
                const size_t lane = (size_t)other * LANES + i + k;
                bw->lse[lane] = lse[(edge + k * step) / d];
                bw->delta[lane] = t->job->deltas[(edge + k * step) / d];
            }
        }
}

/* The gradients at pivot number + k gain the sums over `others` other nodes. */
static void triangle_both_add_others(const task *t, const backward *bw, uint32_t number, uint32_t k,
                                     uint32_t other, uint32_t others) {
    const uint32_t n = t->job->problem.n, d = t->job->problem.d;
    const size_t column = (size_t)d * LANES, at = ((size_t)(number + k) * n + other) * d;
    const float *g = bw->g + other * column; // (others, d, LANES)
    float *dx = bw->dx + k * column;         // (d, LANES)
    for (uint32_t o = 0; o < others; ++o)
        bw->rows[o] = triangle_both_row_of(t, triangle_both_pivot(t, number + k));
    triangle_both_score(t, others, t->y + at, bw->x + k * column, bw->scores, LANES);
    memset(bw->products, 0, (size_t)others * LANES * sizeof *bw->products);
    const quartic_triples slopes = {.rows = others,
                                    .depth = d,
                                    .w = bw->xv + k * column,
                                    .x = g,
                                    .x_row = column,
                                    .x_depth = LANES,
                                    .y = t->yv + at,
                                    .y_row = d,
                                    .y_depth = 1,
                                    .result = bw->products};
    quartic_triples_add(&slopes);
    quartic_flash_slopes(others, bw->rows, t->limits, LANES, bw->lse + (size_t)other * LANES,
                         bw->delta + (size_t)other * LANES, bw->scores, bw->products);
    quartic_flash_product(t->job->kernels, d, LANES, others, t->y + at, 1, d, bw->products, dx, dx, LANES);
    const quartic_triples values = {.rows = d,
                                    .depth = others,
                                    .w = bw->scores,
                                    .x = g,
                                    .x_row = LANES,
                                    .x_depth = column,
                                    .y = t->yv + at,
                                    .y_row = 1,
                                    .y_depth = d,
                                    .result = bw->dxv + k * column};
    quartic_triples_add(&values);
}

/* Where the gradient of an input lies in its output. */
static quartic_triangle_operand triangle_both_gradient_of(const task *t, uint32_t input) {
    quartic_triangle_operand to = t->job->problem.wide;
    to.edge = triangle_both_operand_of(&t->job->problem, input)->edge;
    return to;
}

/* Gradients at `pivots` pivots from a number, to their places. */
static void triangle_both_write_columns(const task *t, uint32_t input, uint32_t number, uint32_t pivots,
                                        float factor,
                                        const float *columns, // (pivots, d, LANES)
                                        uint32_t output) {
    const quartic_triangle_operand to = triangle_both_gradient_of(t, input);
    const uint32_t d = t->job->problem.d;
    float *gradient = t->job->run->outputs[output].data; // (b, n, n, h, d)
    for (uint32_t i = 0; i < t->count; i += NEAR)
        for (uint32_t k = 0; k < pivots; ++k)
            quartic_flash_from_columns(columns + (size_t)k * d * LANES + i,
                                       quartic_triangle_least(t->count - i, NEAR), d, factor,
                                       gradient + triangle_both_at(&to, t->b, t->h, t->first + i,
                                                                   triangle_both_pivot(t, number + k)),
                                       triangle_both_node_step(&to));
}

/* Zeros at the hidden pivots. */
static void triangle_both_clear_hidden(const task *t, uint32_t input, uint32_t output) {
    const quartic_triangle_operand to = triangle_both_gradient_of(t, input);
    float *gradient = t->job->run->outputs[output].data; // (b, n, n, h, d)
    for (uint32_t l = 0, number = 0; l < t->job->problem.n; ++l) {
        if (number < t->pivot_count && triangle_both_pivot(t, number) == l) {
            ++number;
            continue;
        }
        for (uint32_t i = 0; i < t->count; ++i)
            memset(gradient + triangle_both_at(&to, t->b, t->h, t->first + i, l), 0,
                   t->job->problem.d * sizeof *gradient);
    }
}

static void triangle_both_run_backward(const task *t, float *scratch) {
    const quartic_triangle_problem *problem = &t->job->problem;
    const uint32_t n = problem->n;
    const size_t column = (size_t)problem->d * LANES, block = BACKWARD_PIVOTS * column;
    const uint32_t dx_output = t->exchanged ? QUARTIC_TRIANGLE_DK : QUARTIC_TRIANGLE_DQ;
    const uint32_t dxv_output = t->exchanged ? QUARTIC_TRIANGLE_DLAST : QUARTIC_TRIANGLE_DV;
    /* The scale is in q, wherever it is read, and so in dk; dq = scale * sum of ds k. */
    const float x_scale = t->exchanged ? 1.0f : problem->scale;
    backward bw = {
        .x = scratch, .xv = scratch + block, .dx = scratch + 2 * block, .dxv = scratch + 3 * block};
    bw.g = bw.dxv + block;
    bw.lse = bw.g + n * column;
    bw.delta = bw.lse + (size_t)n * LANES;
    bw.scores = bw.delta + (size_t)n * LANES;
    bw.products = bw.scores + (size_t)OTHERS * LANES;
    bw.rows = (int32_t *)(bw.products + (size_t)OTHERS * LANES);
    triangle_both_read_cotangents(t, &bw);
    for (uint32_t number = 0; number < t->pivot_count; number += BACKWARD_PIVOTS) {
        const uint32_t pivots = quartic_triangle_least(t->pivot_count - number, BACKWARD_PIVOTS);
        triangle_both_to_columns(t, t->x, number, pivots, x_scale, bw.x);
        triangle_both_to_columns(t, t->xv, number, pivots, 1.0f, bw.xv);
        memset(bw.dx, 0, 2 * block * sizeof *bw.dx);
        for (uint32_t other = 0; other < n; other += OTHERS)
            for (uint32_t k = 0; k < pivots; ++k) {
                /* With causality other = j is at most l, and other = i at least l. */
                const uint32_t l = triangle_both_pivot(t, number + k);
                uint32_t begin = other, end = quartic_triangle_least(n, other + OTHERS);
                if (problem->causal && t->exchanged && begin < l) begin = l;
                if (problem->causal && !t->exchanged) end = quartic_triangle_least(end, l + 1);
                if (begin < end) triangle_both_add_others(t, &bw, number, k, begin, end - begin);
            }
        triangle_both_write_columns(t, t->x, number, pivots, x_scale, bw.dx, dx_output);
        triangle_both_write_columns(t, t->xv, number, pivots, 1.0f, bw.dxv, dxv_output);
    }
    triangle_both_clear_hidden(t, t->x, dx_output);
    triangle_both_clear_hidden(t, t->xv, dxv_output);
}

/* ---- all ---- */

void quartic_triangle_both_run(const quartic_triangle_job *job) {
    static const uint32_t inputs[] = {QUARTIC_TRIANGLE_K, QUARTIC_TRIANGLE_V2, QUARTIC_TRIANGLE_Q,
                                      QUARTIC_TRIANGLE_V};
    const quartic_triangle_problem *problem = &job->problem;
    const int64_t units = (int64_t)quartic_triangle_units(problem), blocks = job->blocks;
    const int64_t sides = job->backward ? 2 : 1, packs = 2 * sides;
    const int64_t pieces = (problem->n + NEAR - 1) / NEAR;
#pragma omp parallel num_threads(job->threads) if (job->threads > 1)
    {
        float *own = job->own + (size_t)omp_get_thread_num() * job->own_floats;
#pragma omp for schedule(static)
        for (int64_t k = 0; k < pieces * packs * units; ++k) {
            const uint64_t unit = (uint64_t)(k % units);
            const uint32_t number = (uint32_t)(k / units / packs) * NEAR;
            const uint32_t count = job->pivot_counts[unit / problem->heads];
            if (number < count)
                triangle_both_pack(job, unit, inputs[k / units % packs], number,
                                   quartic_triangle_least(count - number, NEAR));
        }
#pragma omp for schedule(dynamic)
        for (int64_t k = 0; k < blocks * sides * units; ++k) {
            const task t = triangle_both_open_task(job, (uint64_t)(k % units), k / units % sides != 0,
                                                   (uint32_t)(k / units / sides) * LANES);
            (job->backward ? triangle_both_run_backward : triangle_both_run_forward)(&t, own);
        }
    }
}
