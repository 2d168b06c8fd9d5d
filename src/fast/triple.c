/* triple.c (fast): tuned triple attention; formulas in src/ops/triple/problem.h.
 *
 * A unit is one head of one graph. Kernels look at visible pivots only, through the graph's list of them, so
 * padding changes no bit. For one edge (i, j) the scores of all pairs are a matrix product Q K^T, taken
 * ROWS pivots l at a time; what follows are matrix products too. The operands on edges of j are packed once
 * for a unit, those of i once for every i.
 *
 * Forward, a task is a node i of a unit. Backward it is a part of a unit's nodes i, by shape alone: every
 * part has sums of its own for the gradients on edges of j and for the bias, and the parts are added in order.
 * So the result does not depend on the number of threads.
 */
#include <omp.h>
#include <string.h>

#include "fast/flash.h"
#include "fast/parts.h"
#include "ops/triple/problem.h"

enum {
    ROWS = 32,
    TASKS_WANTED = 16,   /* backward: enough parts for so many threads */
    FLOPS_OF_THREAD = 16 /* operations that quartic_parts counts as one element */
};

typedef struct triple_job {
    quartic_triple_problem problem;
    const quartic_op_run *run;
    const quartic_matmul_kernels *kernels;
    bool backward;
    uint32_t threads, parts;
    int32_t *pivots;        // (b, n): the visible ones of a graph, in order
    uint32_t *pivot_counts; // (b)
    float *sides;           // (units, triple_side_floats)
    float *sums;            // backward: (units, parts, triple_sum_floats)
    float *own;             // (threads, own_floats)
    size_t own_floats;
} triple_job;

/* ---- memory ---- */

static size_t triple_block(const quartic_triple_problem *problem) {
    return (size_t)problem->n * problem->d;
}

/* What is packed of a unit: q2, k2^T, v2 and, backward, k2, v2^T, each (n, count, d) or (n, d, count); then
 * the bias (count, count). */
static size_t triple_side_floats(const quartic_triple_problem *problem, bool backward) {
    const size_t n = problem->n;
    return quartic_round_up((backward ? 5 : 3) * n * triple_block(problem) + n * n, 16);
}

/* Sums of a part: dq2, dk2, dv2 (n, count, d), dbias (count, count). */
static size_t triple_sum_floats(const quartic_triple_problem *problem) {
    const size_t n = problem->n;
    return quartic_round_up(3 * n * triple_block(problem) + n * n, 16);
}

static size_t triple_own_floats(const quartic_triple_problem *problem, bool backward) {
    const size_t n = problem->n, d = problem->d;
    return quartic_round_up(
        (backward ? 12 : 5) * triple_block(problem) + (backward ? 2 : 1) * (size_t)ROWS * (n + d) + d, 16);
}

static uint32_t triple_parts(const quartic_triple_problem *problem) {
    const uint64_t units = quartic_triple_units(problem), parts = (TASKS_WANTED + units - 1) / units;
    return parts < problem->n ? (uint32_t)parts : problem->n;
}

static size_t triple_list_ints(const quartic_triple_problem *problem) {
    return quartic_round_up((size_t)problem->batch * (problem->n + 1), 16);
}

static size_t triple_sums_floats(const quartic_triple_problem *problem, bool backward) {
    return backward ? quartic_triple_units(problem) * triple_parts(problem) * triple_sum_floats(problem) : 0;
}

static size_t triple_scratch(const quartic_op_call *call, uint32_t threads) {
    const quartic_triple_problem problem = quartic_triple_of_call(call);
    const bool backward = call->input_count == QUARTIC_TRIPLE_INPUTS;
    return (triple_list_ints(&problem) +
            quartic_triple_units(&problem) * triple_side_floats(&problem, backward) +
            triple_sums_floats(&problem, backward) + threads * triple_own_floats(&problem, backward) + 16) *
           sizeof(float);
}

/* ---- one unit ---- */

typedef struct triple_unit {
    const triple_job *job;
    uint32_t b, h, count;   /* count: of the visible pivots */
    const int32_t *pivots;  // (count)
    float *q2, *v2, *k2;    // (n, count, d)
    float *k2_columns;      // (n, d, count)
    float *v2_columns;      // (n, d, count)
    float *bias;            // (count, count)
    float *dq2, *dk2, *dv2; // (n, count, d): of the first part
    float *dbias;           // (count, count): of the first part
} triple_unit;

static triple_unit triple_unit_at(const triple_job *job, uint64_t index) {
    const quartic_triple_problem *problem = &job->problem;
    const size_t side = problem->n * triple_block(problem);
    triple_unit at = {.job = job,
                      .b = (uint32_t)(index / problem->heads),
                      .h = (uint32_t)(index % problem->heads),
                      .q2 = job->sides + index * triple_side_floats(problem, job->backward)};
    at.count = job->pivot_counts[at.b];
    at.pivots = job->pivots + (size_t)at.b * problem->n;
    at.k2_columns = at.q2 + side;
    at.v2 = at.k2_columns + side;
    at.k2 = at.v2 + side; /* backward only, and so is v2_columns */
    at.v2_columns = at.k2 + side;
    at.bias = job->backward ? at.v2_columns + side : at.k2;
    at.dq2 = job->sums + index * job->parts * triple_sum_floats(problem);
    at.dk2 = at.dq2 + side;
    at.dv2 = at.dk2 + side;
    at.dbias = at.dv2 + side;
    return at;
}

/* rows = factor * an operand at the visible pivots of the edges (node, pivot), or (pivot, node) if turned. */
static void triple_pack_rows(const triple_unit *at, uint32_t input, bool turned, uint32_t node, float factor,
                             float *rows // (count, d)
) {
    const quartic_triple_operand *operand = &at->job->problem.operands[input];
    const float *from = at->job->run->inputs[input].data;
    const uint32_t d = at->job->problem.d;
    for (uint32_t p = 0; p < at->count; ++p, rows += d) {
        const uint32_t pivot = (uint32_t)at->pivots[p];
        const float *row = from + quartic_triple_at(operand, at->b, at->h, turned ? pivot : node,
                                                    turned ? node : pivot); // (d)
        for (uint32_t c = 0; c < d; ++c) rows[c] = factor * row[c * operand->component];
    }
}

static void triple_to_columns(const float *rows, // (count, d)
                              uint32_t count, uint32_t d,
                              float *columns // (d, count)
) {
    for (uint32_t p = 0; p < count; ++p)
        for (uint32_t c = 0; c < d; ++c) columns[(size_t)c * count + p] = rows[(size_t)p * d + c];
}

/* The operands on edges (pivot, j), and row j of the pivots' bias. rows (count, d): scratch. */
static void triple_pack_side(const triple_unit *at, uint32_t j, float *rows) {
    const quartic_triple_problem *problem = &at->job->problem;
    const uint32_t d = problem->d;
    const size_t place = (size_t)j * at->count * d;
    float *k2 = at->job->backward ? at->k2 + place : rows; // (count, d)
    triple_pack_rows(at, QUARTIC_TRIPLE_Q2, true, j, problem->scale, at->q2 + place);
    triple_pack_rows(at, QUARTIC_TRIPLE_V2, true, j, 1.0f, at->v2 + place);
    triple_pack_rows(at, QUARTIC_TRIPLE_K2, true, j, 1.0f, k2);
    triple_to_columns(k2, at->count, d, at->k2_columns + place);
    if (at->job->backward) triple_to_columns(at->v2 + place, at->count, d, at->v2_columns + place);
    if (j >= at->count) return;
    const float *bias = at->job->run->inputs[QUARTIC_TRIPLE_BIAS].data;
    for (uint32_t m = 0; m < at->count; ++m)
        at->bias[(size_t)j * at->count + m] =
            bias[quartic_triple_at(&problem->operands[QUARTIC_TRIPLE_BIAS], at->b, at->h,
                                   (uint32_t)at->pivots[j], (uint32_t)at->pivots[m])];
}

/* ---- one edge ---- */

/* The rows of node i, what a thread needs beside, and backward its sums. */
typedef struct triple_node {
    const triple_unit *unit;
    uint32_t i;
    float *q, *v, *k;      // (count, d); k backward only
    float *k_columns;      // (d, count)
    float *query;          // (count, d): Q of an edge
    float *key_columns;    // (d, count): K of an edge
    float *key;            // (count, d): backward, K of an edge
    float *gv;             // (count, d): backward, g * v of an edge
    float *dkey;           // (count, d): backward, dK of an edge
    float *dq, *dk, *dv;   // (count, d): backward
    float *scores, *slope; // (ROWS, count)
    float *part;           // (ROWS, d): one of two
    float *sums;           // (d)
} triple_node;

static triple_node triple_node_at(const triple_unit *unit, uint32_t i, float *memory) {
    const triple_job *job = unit->job;
    const size_t block = triple_block(&job->problem), n = job->problem.n;
    triple_node at = {.unit = unit, .i = i};
    float **const blocks[] = {&at.q,   &at.v,  &at.k_columns, &at.query, &at.key_columns, &at.k,
                              &at.key, &at.gv, &at.dkey,      &at.dq,    &at.dk,          &at.dv};
    for (uint32_t k = 0; k < (job->backward ? 12 : 5); ++k, memory += block) *blocks[k] = memory;
    at.scores = memory;
    at.part = at.scores + ROWS * n;
    at.sums = at.part + ROWS * (size_t)job->problem.d;
    if (job->backward) at.slope = at.sums + job->problem.d;
    triple_pack_rows(unit, QUARTIC_TRIPLE_Q, false, i, job->problem.scale, at.q);
    triple_pack_rows(unit, QUARTIC_TRIPLE_V, false, i, 1.0f, at.v);
    float *k = job->backward ? at.k : at.query; // (count, d)
    triple_pack_rows(unit, QUARTIC_TRIPLE_K, false, i, 1.0f, k);
    triple_to_columns(k, unit->count, job->problem.d, at.k_columns);
    return at;
}

/* The visible pivots first .. first + count - 1 of the list that causality leaves to edge (i, j). */
typedef struct triple_range {
    uint32_t first, count;
} triple_range;

static triple_range triple_range_of(const triple_unit *unit, uint32_t i, uint32_t j) {
    uint32_t begin, end, first = 0, last;
    quartic_triple_pivots(&unit->job->problem, i, j, &begin, &end);
    while (first < unit->count && (uint32_t)unit->pivots[first] < begin) ++first;
    for (last = first; last < unit->count && (uint32_t)unit->pivots[last] < end;) ++last;
    return (triple_range){first, last - first};
}

/* sum = a + b, `rows` rows of `width`, each of the three with its own step from row to row. */
QUARTIC_CLONES static void triple_add_blocks(const float *a, size_t a_step, const float *b, size_t b_step,
                                             size_t rows, size_t width, float *sum, size_t sum_step) {
    for (size_t r = 0; r < rows; ++r)
#pragma omp simd
        for (size_t c = 0; c < width; ++c) sum[r * sum_step + c] = a[r * a_step + c] + b[r * b_step + c];
}

/* sums += factor * x, or factor * x * row with a row of d factors. */
QUARTIC_CLONES static void triple_accumulate(const float *x, // (rows, d)
                                             size_t rows, size_t d, float factor,
                                             const float *row, // (d), or NULL
                                             float *sums) {    // (rows, d)
    for (size_t r = 0; r < rows; ++r, x += d, sums += d)
        if (row == NULL)
#pragma omp simd
            for (size_t c = 0; c < d; ++c) sums[c] += factor * x[c];
        else
#pragma omp simd
            for (size_t c = 0; c < d; ++c) sums[c] += factor * x[c] * row[c];
}

/* Q and K^T of an edge. */
static void triple_combine(const triple_node *at, uint32_t j, triple_range range) {
    const triple_unit *unit = at->unit;
    const size_t d = unit->job->problem.d, count = unit->count, from = range.first;
    const size_t place = (size_t)j * count * d;
    triple_add_blocks(at->q + from * d, d, unit->q2 + place + from * d, d, range.count, d, at->query, d);
    triple_add_blocks(at->k_columns + from, count, unit->k2_columns + place + from, count, d, range.count,
                      at->key_columns, range.count);
}

/* c = add + a b over a block of rows; the rows of add and c are c_step apart. */
static void triple_product(const triple_node *at, size_t rows, size_t columns, size_t depth,
                           const float *a, // (rows, depth) at the strides a_row, a_depth
                           size_t a_row, size_t a_depth,
                           const float *b, // (depth, columns), rows b_step apart
                           size_t b_step,
                           const float *add, // (rows, columns), or NULL
                           float *c,         // (rows, columns)
                           size_t c_step) {
    const quartic_matmul_tile tile = {.rows = (int64_t)rows,
                                      .columns = (int64_t)columns,
                                      .k = (int64_t)depth,
                                      .a = a,
                                      .a_row = (int64_t)a_row,
                                      .a_k = (int64_t)a_depth,
                                      .b = b,
                                      .b_k = (int64_t)b_step,
                                      .alpha = 1,
                                      .add = add,
                                      .c = c,
                                      .result_row = (int64_t)c_step};
    quartic_flash_multiply(at->unit->job->kernels, tile);
}

/* Scores of the rows begin .. begin + rows - 1 of the range with its first `columns` pivots. */
static void triple_find_scores(const triple_node *at, triple_range range, size_t begin, size_t rows,
                               size_t columns) {
    const size_t d = at->unit->job->problem.d, count = at->unit->count;
    const float *bias = at->unit->bias + (range.first + begin) * count + range.first;
    triple_product(at, rows, columns, d, at->query + begin * d, d, 1, at->key_columns, range.count, bias,
                   at->scores, count);
}

/* How many of the first `columns` pivots row r of a block sees: all, or causal those up to its own. */
static size_t triple_seen(const triple_job *job, size_t begin, size_t r, size_t columns) {
    return job->problem.causal ? begin + r + 1 : columns;
}

/* The scores of one row become weights exp(score - top); returns their sum. */
QUARTIC_CLONES static float triple_weigh(float *scores, // (count)
                                         size_t count, float top) {
    float total = 0;
#pragma omp simd reduction(+ : total)
    for (size_t m = 0; m < count; ++m) {
        scores[m] = approx_exp(scores[m] - top);
        total += scores[m];
    }
    return total;
}

QUARTIC_CLONES static float triple_largest(const float *scores, // (count)
                                           size_t count, float top) {
#pragma omp simd reduction(max : top)
    for (size_t m = 0; m < count; ++m) top = scores[m] > top ? scores[m] : top;
    return top;
}

/* ---- forward ---- */

/* out and lse of an edge. */
static void triple_attend(const triple_node *at, uint32_t j) {
    const triple_unit *unit = at->unit;
    const triple_job *job = unit->job;
    const quartic_triple_problem *problem = &job->problem;
    const triple_range range = triple_range_of(unit, at->i, j);
    const size_t d = problem->d, count = unit->count;
    const float *v2 = unit->v2 + ((size_t)j * count + range.first) * d; // (range.count, d)
    float top = quartic_flash_lowest, total = 0, inverse;
    memset(at->sums, 0, d * sizeof *at->sums);
    triple_combine(at, j, range);
    for (size_t begin = 0; begin < range.count; begin += ROWS) {
        const size_t rows = range.count - begin < ROWS ? range.count - begin : ROWS;
        const size_t columns = problem->causal ? begin + rows : range.count;
        triple_find_scores(at, range, begin, rows, columns);
        float largest = top;
        for (size_t r = 0; r < rows; ++r)
            largest = triple_largest(at->scores + r * count, triple_seen(job, begin, r, columns), largest);
        const float scale = approx_exp(top - largest);
        total *= scale;
        for (size_t c = 0; c < d; ++c) at->sums[c] *= scale;
        for (size_t r = 0; r < rows; ++r) {
            const size_t seen = triple_seen(job, begin, r, columns);
            total += triple_weigh(at->scores + r * count, seen, largest);
            memset(at->scores + r * count + seen, 0, (columns - seen) * sizeof *at->scores);
        }
        top = largest;
        triple_product(at, rows, d, columns, at->scores, count, 1, v2, d, NULL, at->part, d);
        for (size_t r = 0; r < rows; ++r)
            triple_accumulate(at->part + r * d, 1, d, 1.0f, at->v + (range.first + begin + r) * d, at->sums);
    }
    float *out = (float *)job->run->outputs[0].data +
                 quartic_triple_at(&problem->wide, unit->b, unit->h, at->i, j); // (d)
    float *lse =
        (float *)job->run->outputs[1].data + quartic_triple_at(&problem->narrow, unit->b, unit->h, at->i, j);
    *lse = quartic_flash_lse(top, total, range.count != 0, &inverse);
    for (size_t c = 0; c < d; ++c) out[c] = at->sums[c] * inverse;
}

/* ---- backward ---- */

/* Scores become p = exp(score - lse), products dp become ds = p (dp - delta), 0 if lone; both 0 from `seen`
 * to `count`. */
QUARTIC_CLONES static void triple_slopes(size_t seen, size_t count, float lse, float delta, bool lone,
                                         float *scores,   // (count)
                                         float *products) // (count)
{
#pragma omp simd
    for (size_t m = 0; m < seen; ++m) {
        scores[m] = approx_exp(scores[m] - lse);
        products[m] = scores[m] * (products[m] - delta);
    }
    memset(scores + seen, 0, (count - seen) * sizeof *scores);
    const size_t kept = lone ? 0 : seen;
    memset(products + kept, 0, (count - kept) * sizeof *products);
}

/* Adds what edge (i, j) gives to the sums of its node and to those of a part. */
static void triple_attend_grad(const triple_node *at, const triple_unit *sums, uint32_t j) {
    const triple_unit *unit = at->unit;
    const triple_job *job = unit->job;
    const quartic_triple_problem *problem = &job->problem;
    const quartic_operand *in = job->run->inputs;
    const triple_range range = triple_range_of(unit, at->i, j);
    if (range.count == 0) return;
    const size_t d = problem->d, count = unit->count, from = range.first;
    const size_t place = (size_t)j * count * d, first = place + from * d;
    const int64_t edge = quartic_triple_at(&problem->wide, unit->b, unit->h, at->i, j);
    const float *g = (const float *)in[QUARTIC_TRIPLE_G].data + edge;     // (d)
    const float *out = (const float *)in[QUARTIC_TRIPLE_OUT].data + edge; // (d)
    const float lse = ((const float *)in[QUARTIC_TRIPLE_LSE]
                           .data)[quartic_triple_at(&problem->narrow, unit->b, unit->h, at->i, j)];
    double delta = 0;
    for (size_t c = 0; c < d; ++c) delta += (double)g[c] * out[c];
    triple_combine(at, j, range);
    triple_add_blocks(at->k + from * d, d, unit->k2 + first, d, range.count, d, at->key, d);
    memset(at->gv, 0, range.count * d * sizeof *at->gv);
    triple_accumulate(at->v + from * d, range.count, d, 1.0f, g, at->gv);
    memset(at->dkey, 0, range.count * d * sizeof *at->dkey);
    for (size_t begin = 0; begin < range.count; begin += ROWS) {
        const size_t rows = range.count - begin < ROWS ? range.count - begin : ROWS;
        const size_t columns = problem->causal ? begin + rows : range.count, own = (from + begin) * d;
        const float *gv = at->gv + begin * d; // (rows, d)
        float *dbias = sums->dbias + (from + begin) * count + from;
        triple_find_scores(at, range, begin, rows, columns);
        triple_product(at, rows, columns, d, gv, d, 1, unit->v2_columns + place + from, count, NULL,
                       at->slope, count);
        for (size_t r = 0; r < rows; ++r)
            triple_slopes(triple_seen(job, begin, r, columns), columns, lse, (float)delta, range.count == 1,
                          at->scores + r * count, at->slope + r * count);
        triple_product(at, rows, d, columns, at->slope, count, 1, at->key, d, NULL, at->part, d);
        triple_accumulate(at->part, rows, d, problem->scale, NULL, at->dq + own);
        triple_accumulate(at->part, rows, d, problem->scale, NULL, sums->dq2 + place + own);
        triple_product(at, rows, d, columns, at->scores, count, 1, unit->v2 + first, d, NULL, at->part, d);
        triple_accumulate(at->part, rows, d, 1.0f, g, at->dv + own);
        triple_product(at, columns, d, rows, at->slope, 1, count, at->query + begin * d, d, at->dkey,
                       at->dkey, d);
        triple_product(at, columns, d, rows, at->scores, 1, count, gv, d, sums->dv2 + first,
                       sums->dv2 + first, d);
        triple_add_blocks(dbias, count, at->slope, count, rows, columns, dbias, count);
    }
    triple_accumulate(at->dkey, range.count, d, 1.0f, NULL, at->dk + from * d);
    triple_accumulate(at->dkey, range.count, d, 1.0f, NULL, sums->dk2 + first);
}

/* A gradient on the edges (node, pivot), or (pivot, node) if turned: rows of the visible pivots, zeros at the
 * others. */
static void triple_write_rows(const triple_unit *unit, uint32_t output, bool turned, uint32_t node,
                              const float *rows // (count, d)
) {
    const quartic_triple_problem *problem = &unit->job->problem;
    float *result = unit->job->run->outputs[output].data; // (b, n, n, h, d)
    for (uint32_t pivot = 0, p = 0; pivot < problem->n; ++pivot) {
        const bool seen = p < unit->count && (uint32_t)unit->pivots[p] == pivot;
        float *to = result + quartic_triple_at(&problem->wide, unit->b, unit->h, turned ? pivot : node,
                                               turned ? node : pivot); // (d)
        if (seen)
            memcpy(to, rows + (size_t)p++ * problem->d, problem->d * sizeof *to);
        else
            memset(to, 0, problem->d * sizeof *to);
    }
}

static void triple_run_part(const triple_job *job, uint64_t task, float *memory) {
    const quartic_triple_problem *problem = &job->problem;
    const triple_unit unit = triple_unit_at(job, task / job->parts);
    const uint32_t part = (uint32_t)(task % job->parts), n = problem->n;
    const size_t size = triple_sum_floats(problem), block = triple_block(problem);
    triple_unit sums = unit;
    sums.dq2 += part * size, sums.dk2 += part * size, sums.dv2 += part * size, sums.dbias += part * size;
    memset(sums.dq2, 0, size * sizeof *sums.dq2);
    const uint32_t end = (uint32_t)quartic_part_begin(n, job->parts, part + 1);
    for (uint32_t i = (uint32_t)quartic_part_begin(n, job->parts, part); i < end; ++i) {
        const triple_node at = triple_node_at(&unit, i, memory);
        float *const mine[] = {at.dq, at.dk, at.dv};
        static const uint32_t outputs[] = {QUARTIC_TRIPLE_Q, QUARTIC_TRIPLE_K, QUARTIC_TRIPLE_V};
        for (uint32_t k = 0; k < 3; ++k) memset(mine[k], 0, block * sizeof *mine[k]);
        for (uint32_t j = 0; j < n; ++j) triple_attend_grad(&at, &sums, j);
        for (uint32_t k = 0; k < 3; ++k) triple_write_rows(&unit, outputs[k], false, i, mine[k]);
    }
}

/* Adds the parts of what lies on edges (pivot, j), and of row j of the visible pivots' bias. */
static void triple_add_parts(const triple_unit *unit, uint32_t j) {
    const triple_job *job = unit->job;
    const quartic_triple_problem *problem = &job->problem;
    const size_t size = triple_sum_floats(problem), width = (size_t)unit->count * problem->d;
    float *const sums[] = {unit->dq2 + j * width, unit->dk2 + j * width, unit->dv2 + j * width};
    static const uint32_t outputs[] = {QUARTIC_TRIPLE_Q2, QUARTIC_TRIPLE_K2, QUARTIC_TRIPLE_V2};
    for (uint32_t k = 0; k < 3; ++k) {
        for (uint32_t part = 1; part < job->parts; ++part)
            triple_accumulate(sums[k] + part * size, 1, width, 1.0f, NULL, sums[k]);
        triple_write_rows(unit, outputs[k], true, j, sums[k]);
    }
    float *result = job->run->outputs[QUARTIC_TRIPLE_BIAS].data; // (b, n, n, h)
    for (uint32_t m = 0; m < problem->n; ++m)
        result[quartic_triple_at(&problem->narrow, unit->b, unit->h, j, m)] = 0;
    for (uint32_t l = 0; l < unit->count; ++l) {
        if ((uint32_t)unit->pivots[l] != j) continue;
        float *row = unit->dbias + (size_t)l * unit->count; // (count)
        for (uint32_t part = 1; part < job->parts; ++part)
            triple_accumulate(row + part * size, 1, unit->count, 1.0f, NULL, row);
        for (uint32_t m = 0; m < unit->count; ++m)
            result[quartic_triple_at(&problem->narrow, unit->b, unit->h, j, (uint32_t)unit->pivots[m])] =
                row[m];
    }
}

/* ---- the kernels ---- */

static void triple_list_pivots(triple_job *job) {
    const quartic_triple_problem *problem = &job->problem;
    const int32_t *mask = job->run->inputs[QUARTIC_TRIPLE_MASK].data; // (b, n)
    for (uint32_t b = 0; b < problem->batch; ++b) {
        const size_t first = (size_t)b * problem->n;
        uint32_t count = 0;
        for (uint32_t l = 0; l < problem->n; ++l)
            if (!problem->masked || mask[first + l] != 0) job->pivots[first + count++] = (int32_t)l;
        job->pivot_counts[b] = count;
    }
}

static void triple_run(const quartic_op_run *run) {
    triple_job job = {.problem = quartic_triple_of_run(run),
                      .run = run,
                      .kernels = quartic_matmul_kernels_best(false),
                      .backward = run->input_count == QUARTIC_TRIPLE_INPUTS};
    const quartic_triple_problem *problem = &job.problem;
    const uint64_t units = quartic_triple_units(problem), nodes = units * problem->n;
    const double flops = quartic_triple_flops(problem, job.backward);
    job.threads = quartic_parts((uint64_t)(flops / FLOPS_OF_THREAD), run->threads);
    job.parts = triple_parts(problem);
    job.pivots = (int32_t *)quartic_round_up((uintptr_t)run->scratch, 64);
    job.pivot_counts = (uint32_t *)job.pivots + (size_t)problem->batch * problem->n;
    job.sides = (float *)job.pivots + triple_list_ints(problem);
    job.sums = job.sides + units * triple_side_floats(problem, job.backward);
    job.own = job.sums + triple_sums_floats(problem, job.backward);
    job.own_floats = triple_own_floats(problem, job.backward);
    triple_list_pivots(&job);
#pragma omp parallel num_threads(job.threads) if (job.threads > 1)
    {
        float *memory = job.own + (size_t)omp_get_thread_num() * job.own_floats;
#pragma omp for schedule(static)
        for (uint64_t task = 0; task < nodes; ++task) {
            const triple_unit unit = triple_unit_at(&job, task / problem->n);
            triple_pack_side(&unit, (uint32_t)(task % problem->n), memory);
        }
        if (job.backward) {
#pragma omp for schedule(dynamic)
            for (uint64_t task = 0; task < units * job.parts; ++task) triple_run_part(&job, task, memory);
#pragma omp for schedule(static)
            for (uint64_t task = 0; task < nodes; ++task) {
                const triple_unit unit = triple_unit_at(&job, task / problem->n);
                triple_add_parts(&unit, (uint32_t)(task % problem->n));
            }
        } else {
#pragma omp for schedule(dynamic)
            for (uint64_t task = 0; task < nodes; ++task) {
                const triple_unit unit = triple_unit_at(&job, task / problem->n);
                const triple_node at = triple_node_at(&unit, (uint32_t)(task % problem->n), memory);
                for (uint32_t j = 0; j < problem->n; ++j) triple_attend(&at, j);
            }
        }
    }
}

const quartic_fast_kernel quartic_fast_triple_attention = {
    .op = &quartic_op_triple_attention, .run = triple_run, .scratch = triple_scratch};
const quartic_fast_kernel quartic_fast_triple_attention_grad = {
    .op = &quartic_op_triple_attention_grad, .run = triple_run, .scratch = triple_scratch};
