/* triangle_rows.c (fast): triangle attention of the kinds start and end.
 *
 * The edges (first, p) with one first node are a sequence. It attends over the edges (first, l), with the
 * bias (l, p) of the third edge, which all sequences of a unit share. A sequence is a task: its keys and
 * values are packed, visible pivots only; queries go LANES at a time, pivots PIVOTS at a time (flash.h).
 * The bias is packed once per unit as (block of p, pivot, lane). Backward, sequences are dealt to parts; a
 * part sums its own gradient of the bias in that form, and the parts are added in order.
 */
#include <omp.h>
#include <string.h>

#include "fast/parts.h"
#include "fast/triangle.h"

enum { LANES = QUARTIC_FLASH_LANES, PIVOTS = 96 /* a multiple of the rows that a kernel computes at once */ };

/* ---- memory ---- */

/* Parts of a unit: sequences are dealt to them in turn. Without a bias there is nothing to sum in parts. */
static uint32_t triangle_rows_parts(const quartic_triangle_problem *problem, bool backward) {
    const uint64_t units = quartic_triangle_units(problem);
    if (!backward || !problem->bias.present) return problem->n;
    const uint64_t wanted = (QUARTIC_TRIANGLE_TASKS + units - 1) / units;
    return wanted < problem->n ? (uint32_t)wanted : problem->n;
}

/* Floats of one unit's bias, packed. */
static size_t triangle_rows_bias_floats(const quartic_triangle_problem *problem) {
    return problem->bias.present ? (size_t)quartic_triangle_blocks(problem->n) * problem->n * LANES : 0;
}

quartic_triangle_sizes quartic_triangle_rows_sizes(const quartic_triangle_problem *problem, bool backward) {
    const size_t units = quartic_triangle_units(problem), n = problem->n, d = problem->d;
    const size_t block = LANES * d, scores = (size_t)PIVOTS * LANES;
    quartic_triangle_sizes sizes = {.shared = units * triangle_rows_bias_floats(problem)};
    if (backward) {
        sizes.shared += units * triangle_rows_parts(problem, true) * triangle_rows_bias_floats(problem);
        sizes.own = 4 * n * d + 5 * block + 2 * scores + n;
    } else {
        sizes.own = 2 * n * d + 2 * block + scores + n;
    }
    return sizes;
}

/* ---- a sequence ---- */

/* A sequence and its visible pivots: begin <= t < end of the graph's list. */
typedef struct sequence {
    const quartic_triangle_job *job;
    uint64_t unit;
    uint32_t b, h, first;
    bool turned;           /* first is j: kind end */
    const int32_t *pivots; // (pivot_count): the graph's list
    uint32_t begin, end;
    float *keys, *values; // (end - begin, d)
    int32_t *rows;        // (end - begin): what limits are compared with
    float *rest;          /* scratch */
} sequence;

static int64_t triangle_rows_at(const sequence *s, const quartic_triangle_operand *operand, uint32_t second) {
    return s->turned ? quartic_triangle_at(operand, s->b, s->h, second, second, s->first)
                     : quartic_triangle_at(operand, s->b, s->h, s->first, second, second);
}

static const float *triangle_rows_input(const sequence *s, uint32_t index) {
    return s->job->run->inputs[index].data;
}

/* rows = an operand at the sequence's pivots. */
static void triangle_rows_pack(const sequence *s, uint32_t index, const quartic_triangle_operand *operand,
                               float *rows // (end - begin, d)
) {
    const uint32_t d = s->job->problem.d;
    for (uint32_t t = s->begin; t < s->end; ++t, rows += d)
        quartic_triangle_row(triangle_rows_input(s, index) +
                                 triangle_rows_at(s, operand, (uint32_t)s->pivots[t]),
                             operand->component, d, 1.0f, rows);
}

static sequence triangle_rows_open_sequence(const quartic_triangle_job *job, uint64_t unit, uint32_t first,
                                            float *scratch) {
    const quartic_triangle_problem *problem = &job->problem;
    sequence s = {.job = job,
                  .unit = unit,
                  .b = (uint32_t)(unit / problem->heads),
                  .h = (uint32_t)(unit % problem->heads),
                  .first = first,
                  .turned = problem->kind == QUARTIC_TRIANGLE_END};
    s.pivots = job->pivots + (size_t)s.b * problem->n;
    s.end = job->pivot_counts[s.b];
    if (problem->causal && s.turned) /* first <= l <= p */
        while (s.begin < s.end && (uint32_t)s.pivots[s.begin] < first) ++s.begin;
    else if (problem->causal) /* p <= l <= first */
        while (s.end > 0 && (uint32_t)s.pivots[s.end - 1] > first) --s.end;
    s.keys = scratch;
    s.values = s.keys + (size_t)problem->n * problem->d;
    s.rows = (int32_t *)(s.values + (size_t)problem->n * problem->d);
    s.rest = (float *)s.rows + problem->n;
    triangle_rows_pack(&s, QUARTIC_TRIANGLE_K, &problem->k, s.keys);
    triangle_rows_pack(&s, QUARTIC_TRIANGLE_V, &problem->v, s.values);
    for (uint32_t t = s.begin; t < s.end; ++t)
        s.rows[t - s.begin] = !problem->causal ? 0 : s.turned ? s.pivots[t] : -s.pivots[t];
    return s;
}

/* A block of queries p .. p + count - 1, and which of the sequence's pivots they may see. */
typedef struct query_block {
    uint32_t p, count, begin, end;
    int32_t limits[LANES];
} query_block;

static query_block triangle_rows_open_block(const sequence *s, uint32_t p) {
    const quartic_triangle_problem *problem = &s->job->problem;
    query_block block = {
        .p = p, .count = quartic_triangle_least(problem->n - p, LANES), .begin = s->begin, .end = s->end};
    for (uint32_t i = 0; i < LANES; ++i) {
        const int32_t own = (int32_t)(p + quartic_triangle_least(i, block.count - 1));
        block.limits[i] = !problem->causal ? 0 : s->turned ? own : -own;
    }
    if (problem->causal && s->turned)
        while (block.end > block.begin && (uint32_t)s->pivots[block.end - 1] >= p + block.count) --block.end;
    else if (problem->causal)
        while (block.begin < block.end && (uint32_t)s->pivots[block.begin] < p) ++block.begin;
    return block;
}

/* q or g of a block as columns. */
static void triangle_rows_to_columns(const sequence *s, const query_block *block, uint32_t index,
                                     const quartic_triangle_operand *operand, float factor,
                                     float *columns // (d, LANES)
) {
    const int64_t step = s->turned ? operand->row : operand->column;
    quartic_flash_to_padded_columns(triangle_rows_input(s, index) + triangle_rows_at(s, operand, block->p),
                                    step, operand->component, block->count, s->job->problem.d, factor,
                                    columns);
}

/* The packed bias (n - t, LANES), or a sum of its gradient, at a block and a pivot of the graph's list; NULL
 * without a bias. */
static float *triangle_rows_bias_at(const sequence *s,
                                    float *biases, // (blocks, n, LANES)
                                    uint32_t p, uint32_t t) {
    if (!s->job->problem.bias.present) return NULL;
    return biases + ((size_t)(p / LANES) * s->job->problem.n + t) * LANES;
}

/* The sequence's pivots t .. t + count - 1 before `end`, at most PIVOTS of them. */
static quartic_flash_keys triangle_rows_keys_at(const sequence *s, uint32_t t, uint32_t end,
                                                const float *bias // (count, LANES), or NULL
) {
    const size_t row = t - s->begin, d = s->job->problem.d;
    return (quartic_flash_keys){.count = quartic_triangle_least(end - t, PIVOTS),
                                .d = (uint32_t)d,
                                .keys = s->keys + row * d,
                                .values = s->values + row * d,
                                .bias = bias,
                                .rows = s->rows + row};
}

/* ---- forward ---- */

/* out and lse of a block of queries. */
static void triangle_rows_forward_block(const sequence *s, uint32_t p,
                                        float *biases // (blocks, n, LANES), of the unit
) {
    const quartic_triangle_problem *problem = &s->job->problem;
    const uint32_t d = problem->d;
    const query_block block = triangle_rows_open_block(s, p);
    float *columns = s->rest;                  // (d, LANES)
    float *sums = columns + (size_t)LANES * d; // (LANES, d)
    float *scores = sums + (size_t)LANES * d;  // (PIVOTS, LANES)
    quartic_flash_softmax softmax = quartic_flash_softmax_begin(sums, d);
    triangle_rows_to_columns(s, &block, QUARTIC_TRIANGLE_Q, &problem->q, problem->scale, columns);
    for (uint32_t t = block.begin; t < block.end; t += PIVOTS) {
        const quartic_flash_keys keys =
            triangle_rows_keys_at(s, t, block.end, triangle_rows_bias_at(s, biases, p, t));
        quartic_flash_attend(s->job->kernels, &keys, columns, block.limits, scores, &softmax);
    }
    float *out = s->job->run->outputs[0].data; // (b, n, n, h, d)
    float *lse = s->job->run->outputs[1].data; // (b, n, n, h)
    for (uint32_t i = 0; i < block.count; ++i) {
        const float total = softmax.total[i];
        const uint32_t edge_i = s->turned ? p + i : s->first, edge_j = s->turned ? s->first : p + i;
        const bool sees = total == 0 && quartic_triangle_sees(s->job, s->b, edge_i, edge_j);
        float inverse, *to = out + triangle_rows_at(s, &problem->wide, p + i); // to: (d)
        lse[triangle_rows_at(s, &problem->narrow, p + i)] =
            quartic_flash_lse(softmax.top[i], total, sees, &inverse);
        for (uint32_t c = 0; c < d; ++c) to[c] = sums[(size_t)i * d + c] * inverse;
    }
}

/* ---- backward ---- */

/* dq of a block of queries; adds its share of the gradients of keys, values and the bias. */
static void triangle_rows_backward_block(const sequence *s, uint32_t p,
                                         float *biases,  // (blocks, n, LANES), of the unit
                                         float *dbiases, // (blocks, n, LANES), of the part
                                         float *dkeys,   // (end - begin, d)
                                         float *dvalues, // (end - begin, d)
                                         float *scratch) {
    const quartic_triangle_problem *problem = &s->job->problem;
    const uint32_t d = problem->d;
    const query_block block = triangle_rows_open_block(s, p);
    const size_t size = (size_t)LANES * d;
    float *q_columns = scratch;                        // (d, LANES)
    float *g_columns = q_columns + size;               // (d, LANES)
    float *q = g_columns + size;                       // (LANES, d)
    float *g = q + size;                               // (LANES, d)
    float *dq = g + size;                              // (LANES, d)
    float *scores = dq + size;                         // (PIVOTS, LANES), then A
    float *products = scores + (size_t)PIVOTS * LANES; // (PIVOTS, LANES), then ds
    float lse[LANES] = {0}, delta[LANES] = {0};
    triangle_rows_to_columns(s, &block, QUARTIC_TRIANGLE_Q, &problem->q, problem->scale, q_columns);
    triangle_rows_to_columns(s, &block, QUARTIC_TRIANGLE_G, &problem->wide, 1.0f, g_columns);
    for (uint32_t i = 0; i < LANES; ++i)
        for (uint32_t c = 0; c < d; ++c) {
            q[(size_t)i * d + c] = q_columns[(size_t)c * LANES + i];
            g[(size_t)i * d + c] = g_columns[(size_t)c * LANES + i];
        }
    const float *all_lse = triangle_rows_input(s, QUARTIC_TRIANGLE_LSE); // (b, n, n, h)
    for (uint32_t i = 0; i < block.count; ++i) {
        lse[i] = all_lse[triangle_rows_at(s, &problem->narrow, p + i)];
        delta[i] = s->job->deltas[triangle_rows_at(s, &problem->narrow, p + i)];
    }
    memset(dq, 0, size * sizeof *dq);
    const quartic_flash_cotangents queries = {.count = block.count,
                                              .q = q,
                                              .g = g,
                                              .q_columns = q_columns,
                                              .g_columns = g_columns,
                                              .limits = block.limits,
                                              .lse = lse,
                                              .delta = delta,
                                              .dq = dq};
    for (uint32_t t = block.begin; t < block.end; t += PIVOTS) {
        const quartic_flash_keys keys =
            triangle_rows_keys_at(s, t, block.end, triangle_rows_bias_at(s, biases, p, t));
        const size_t at = (size_t)(t - s->begin) * d;
        quartic_flash_attend_grad(s->job->kernels, &keys, &queries, scores, products, dkeys + at,
                                  dvalues + at);
        float *dbias = triangle_rows_bias_at(s, dbiases, p, t); // (count, LANES)
        if (dbias != NULL)
            for (uint32_t k = 0; k < keys.count * LANES; ++k) dbias[k] += products[k];
    }
    float *to = s->job->run->outputs[QUARTIC_TRIANGLE_DQ].data; // (b, n, n, h, d)
    for (uint32_t i = 0; i < block.count; ++i)
        for (uint32_t c = 0; c < d; ++c)
            to[triangle_rows_at(s, &problem->wide, p + i) + c] = problem->scale * dq[(size_t)i * d + c];
}

/* The gradients of keys or values of a sequence, zeros where a pivot is hidden. */
static void triangle_rows_write_pivots(const sequence *s, const quartic_triangle_operand *operand,
                                       const float *rows, // (end - begin, d)
                                       float *output      // (b, n, n, h, d)
) {
    const uint32_t n = s->job->problem.n, d = s->job->problem.d;
    quartic_triangle_operand to = s->job->problem.wide;
    to.edge = operand->edge;
    uint32_t t = s->begin;
    for (uint32_t l = 0; l < n; ++l) {
        float *row = output + triangle_rows_at(s, &to, l); // (d)
        if (t < s->end && (uint32_t)s->pivots[t] == l)
            memcpy(row, rows + (size_t)(t++ - s->begin) * d, d * sizeof *row);
        else
            memset(row, 0, d * sizeof *row);
    }
}

/* All gradients of a sequence. */
static void triangle_rows_backward_sequence(const quartic_triangle_job *job, uint64_t unit, uint32_t first,
                                            float *biases,  // (blocks, n, LANES), of the unit
                                            float *dbiases, // (blocks, n, LANES), of the part
                                            float *scratch) {
    const sequence s = triangle_rows_open_sequence(job, unit, first, scratch);
    const size_t side = (size_t)job->problem.n * job->problem.d;
    float *dkeys = s.rest, *dvalues = dkeys + side; // (n, d)
    memset(dkeys, 0, 2 * side * sizeof *dkeys);
    for (uint32_t p = 0; p < job->problem.n; p += LANES)
        triangle_rows_backward_block(&s, p, biases, dbiases, dkeys, dvalues, dvalues + side);
    triangle_rows_write_pivots(&s, &job->problem.k, dkeys, job->run->outputs[QUARTIC_TRIANGLE_DK].data);
    triangle_rows_write_pivots(&s, &job->problem.v, dvalues, job->run->outputs[QUARTIC_TRIANGLE_DV].data);
}

/* ---- the bias ---- */

/* Element (l, p) of one unit's bias or of its gradient. */
static int64_t triangle_rows_bias_place(const quartic_triangle_problem *problem,
                                        const quartic_triangle_operand *operand, uint64_t unit, uint32_t l,
                                        uint32_t p) {
    const bool turned = problem->kind == QUARTIC_TRIANGLE_END;
    return operand->batch * (int64_t)(unit / problem->heads) +
           operand->head * (int64_t)(unit % problem->heads) + (turned ? operand->column : operand->row) * l +
           (turned ? operand->row : operand->column) * p;
}

/* A block of a unit's bias; lanes beyond n are zeros. */
static void triangle_rows_pack_bias(const quartic_triangle_job *job, uint64_t unit, uint32_t block,
                                    float *packed // (pivots, LANES)
) {
    const quartic_triangle_problem *problem = &job->problem;
    const uint64_t b = unit / problem->heads;
    const float *bias = job->run->inputs[QUARTIC_TRIANGLE_BIAS].data; // (b, n, n, h) at its strides
    for (uint32_t t = 0; t < job->pivot_counts[b]; ++t, packed += LANES) {
        const uint32_t l = (uint32_t)job->pivots[b * problem->n + t];
        for (uint32_t i = 0; i < LANES; ++i) {
            const uint32_t p = block * LANES + i;
            packed[i] =
                p < problem->n ? bias[triangle_rows_bias_place(problem, &problem->bias, unit, l, p)] : 0.0f;
        }
    }
}

/* The gradient of a block of a unit's bias: the sum of the parts, in order; zeros where a pivot is hidden. */
static void triangle_rows_write_bias(const quartic_triangle_job *job, uint64_t unit, uint32_t block,
                                     const float *sums, // (parts, blocks, n, LANES)
                                     uint32_t parts) {
    const quartic_triangle_problem *problem = &job->problem;
    const uint64_t b = unit / problem->heads;
    const int32_t *pivots = job->pivots + b * problem->n; // (pivot_count)
    const size_t part_floats = triangle_rows_bias_floats(problem);
    float *to = job->run->outputs[QUARTIC_TRIANGLE_DLAST].data;    // (b, n, n, h)
    const float *from = sums + (size_t)block * problem->n * LANES; // (pivot, lane)
    const uint32_t lanes = quartic_triangle_least(problem->n - block * LANES, LANES);
    uint32_t t = 0;
    for (uint32_t l = 0; l < problem->n; ++l) {
        const bool shown = t < job->pivot_counts[b] && (uint32_t)pivots[t] == l;
        for (uint32_t i = 0; i < lanes; ++i) {
            float sum = 0;
            for (uint32_t part = 0; shown && part < parts; ++part)
                sum += from[part * part_floats + (size_t)t * LANES + i];
            to[triangle_rows_bias_place(problem, &problem->narrow, unit, l, block * LANES + i)] = sum;
        }
        t += shown;
    }
}

/* ---- all ---- */

void quartic_triangle_rows_run(const quartic_triangle_job *job) {
    const quartic_triangle_problem *problem = &job->problem;
    const int64_t units = (int64_t)quartic_triangle_units(problem), blocks = job->blocks;
    const uint32_t n = problem->n, parts = triangle_rows_parts(problem, job->backward);
    const size_t unit_bias = triangle_rows_bias_floats(problem);
    float *biases = job->shared;                         // (units, blocks, n, LANES)
    float *dbiases = biases + (size_t)units * unit_bias; // (units, parts, blocks, n, LANES)
#pragma omp parallel num_threads(job->threads) if (job->threads > 1)
    {
        float *own = job->own + (size_t)omp_get_thread_num() * job->own_floats;
        if (problem->bias.present) {
#pragma omp for schedule(static)
            for (int64_t k = 0; k < units * blocks; ++k)
                triangle_rows_pack_bias(job, (uint64_t)(k / blocks), (uint32_t)(k % blocks),
                                        biases + (size_t)k * n * LANES);
        }
#pragma omp for schedule(dynamic)
        for (int64_t task = 0; task < units * parts; ++task) {
            const uint64_t unit = (uint64_t)(task % units), part = (uint64_t)(task / units);
            float *bias = biases + unit * unit_bias, *dbias = dbiases + (unit * parts + part) * unit_bias;
            if (job->backward && problem->bias.present) memset(dbias, 0, unit_bias * sizeof *dbias);
            for (uint32_t first = (uint32_t)part; first < n; first += parts) {
                if (job->backward) {
                    triangle_rows_backward_sequence(job, unit, first, bias, dbias, own);
                } else {
                    const sequence s = triangle_rows_open_sequence(job, unit, first, own);
                    for (uint32_t p = 0; p < n; p += LANES) triangle_rows_forward_block(&s, p, bias);
                }
            }
        }
        if (job->backward && problem->bias.present) {
#pragma omp for schedule(static)
            for (int64_t k = 0; k < units * blocks; ++k)
                triangle_rows_write_bias(job, (uint64_t)(k / blocks), (uint32_t)(k % blocks),
                                         dbiases + (size_t)(k / blocks) * parts * unit_bias, parts);
        }
    }
}
