/* matmul.c (fast): the tuned matrix product.
 *
 * The work is cut into units (batch, part of the contraction, block of rows or columns), each done by one
 * thread:
 *
 * DOT     few results of dense rows: dot products.
 * TILE    register tiles; B's columns are packed unless they already are neighbours that are used few times,
 *         and so are A's rows where they are not dense.
 *
 * Batches that lie side by side, element by element, go to matmul_channels.c instead.
 *
 * The contraction is cut into parts by its length alone, and both paths add the products of a result in one
 * order however rows and columns are cut, so the bits do not depend on the number of threads. No BLAS is
 * called: docs/rejected.md tells why.
 */
#include <omp.h>
#include <string.h>

#include "fast/matmul_channels.h"
#include "fast/matmul_kernel.h"
#include "fast/parts.h"
#include "fast/transpose.h"
#include "ops/matmul/problem.h"

enum {
    STEP_TILE = 256, /* k of one pass: STEP_TILE x PACK_COLUMNS floats of B stay in the second-level cache */
    PACK_COLUMNS = 512,
    STEP_DOT = 2048,   /* k of one pass over the dot tiles: their rows stay in the cache between tiles */
    ROW_BLOCK = 8,     /* times the kernels' height: rows of A that stay in the first-level cache */
    MAX_PARTS = 16,    /* of the contraction */
    PART_LENGTH = 1024 /* k that a part has at least */
};

/* Operations below which sums are in double. Such a product takes microseconds either way, and small models
 * then come as close to the exact result as numbers stored in float32 can. */
#define IN_DOUBLE_BELOW 1e6

typedef enum matmul_path { PATH_DOT, PATH_TILE, PATH_CHANNELS } matmul_path;

typedef struct matmul_work {
    quartic_matmul_problem p;
    const quartic_matmul_kernels *kernels;
    matmul_path path;
    uint64_t step, steps_of_k, steps; /* k of a step; steps along k; of the whole contraction */
    uint32_t parts;                   /* of the contraction */
    bool by_rows;                     /* blocks cut rows, else columns */
    uint32_t block, blocks;           /* rows or columns of a block */
    bool packs, packs_rows;           /* B's columns; A's rows */
    uint64_t units;
    uint32_t threads;
} matmul_work;

/* A piece of the result: of one batch and one part. */
typedef struct matmul_piece {
    const float *a, *b; // (m, k), (k, n) of the batch, at the problem's strides
    uint64_t first_step, end_step;
    int64_t row, end_row, col, end_col;
    float *c;            // (m, n) of the batch
    const float *bias;   // (n), or NULL
    const float *addend; // (m, n) of the batch, or NULL
    float alpha;
    float *pack; // (matmul_pack_floats): the thread's
} matmul_piece;

/* ---- planning ---- */

/* Cycles, about: half a cycle per vector of products, twelve to add up a vector's lanes, two to pack an
 * element. */
static bool matmul_worth_dot(const quartic_matmul_problem *p, const quartic_matmul_kernels *kernels,
                             bool packs) {
    if (p->a_k != 1 || p->b_k != 1) return false;
    double lanes = (double)kernels->width / 2, results = (double)p->m * p->n;
    double vectors = p->n / lanes < 1 ? 1 : p->n / lanes;
    double dot = results * (0.75 * p->k / lanes + 12);
    double tile = vectors * p->m * (0.5 * p->k + 2) + (packs ? 2.0 * p->k * p->n : 0);
    return dot < tile;
}

static uint64_t matmul_divide_up(uint64_t number, uint64_t by) {
    return (number + by - 1) / by;
}

static matmul_work matmul_plan_work(const quartic_op_call *call, uint32_t threads) {
    matmul_work work = {.p = quartic_matmul_describe(call)};
    const quartic_matmul_problem *p = &work.p;
    double flops = quartic_matmul_flops(p);
    work.kernels = quartic_matmul_kernels_best(flops < IN_DOUBLE_BELOW);
    work.threads = flops < 2e5 ? 1 : threads;
    if (quartic_matmul_is_by_channels(p)) {
        work.path = PATH_CHANNELS;
        return work;
    }
    bool neighbours = p->b_col == 1 || p->n == 1;
    /* Rows far apart share few cache sets, so columns that are used often are packed all the same. */
    work.packs = !neighbours || (p->b_k > 2 * work.kernels->width && p->m >= 4 * work.kernels->height);
    /* Rows that are not dense take a cache line for a few floats, again for every vector of columns. */
    work.packs_rows = p->a_k != 1 && p->m >= work.kernels->height && p->n > 2 * work.kernels->width;
    work.path = matmul_worth_dot(p, work.kernels, work.packs) ? PATH_DOT : PATH_TILE;
    work.step = work.path == PATH_DOT ? STEP_DOT : STEP_TILE;
    if (work.step > p->k) work.step = p->k;
    work.steps_of_k = matmul_divide_up(p->k, work.step);
    work.steps = p->sums * work.steps_of_k;

    /* A long contraction of few results is cut where the parts cost little next to the operands. */
    double contraction = p->k * (double)p->sums, results = (double)p->batches * p->m * p->n;
    double most = contraction / (double)PART_LENGTH,
           cheap = ((double)p->m + p->n) * contraction / (8.0 * p->m * p->n);
    if (most > cheap) most = cheap;
    if (most > (double)MAX_PARTS) most = (double)MAX_PARTS;
    if (results > 1e6) most = 1;
    if (most > (double)work.steps) most = (double)work.steps;
    work.parts = most < 2 ? 1 : (uint32_t)most;

    uint64_t pieces = p->batches * work.parts;
    uint64_t height = (uint64_t)work.kernels->height, width = (uint64_t)work.kernels->width;
    work.by_rows = p->m / height >= p->n / width;
    uint32_t extent = work.by_rows ? p->m : p->n;
    uint64_t grain = work.by_rows ? height : width;
    uint64_t wanted = pieces >= 4ull * work.threads ? 1 : matmul_divide_up(work.threads, pieces);
    uint64_t block = matmul_divide_up(matmul_divide_up(extent, wanted), grain) * grain;
    work.block = block > extent ? extent : (uint32_t)block;
    work.blocks = (uint32_t)matmul_divide_up(extent, work.block);
    work.units = pieces * work.blocks;
    if (work.threads > work.units) work.threads = (uint32_t)work.units;
    return work;
}

/* Floats of `extent` rows or columns, at most `most`, packed over a step in panels of `width`. */
static size_t matmul_panel_floats(const matmul_work *work, uint64_t extent, uint64_t most, uint64_t width) {
    uint64_t whole = matmul_divide_up(extent, width) * width;
    return (size_t)(work->step * (whole < most ? whole : most));
}

static size_t matmul_column_floats(const matmul_work *work) {
    if (work->path != PATH_TILE || !work->packs) return 0;
    return matmul_panel_floats(work, work->p.n, PACK_COLUMNS, (uint64_t)work->kernels->width);
}

/* Packed columns, and behind them packed rows. */
static size_t matmul_pack_floats(const matmul_work *work) {
    uint64_t height = (uint64_t)work->kernels->height;
    bool rows = work->path == PATH_TILE && work->packs_rows;
    return matmul_column_floats(work) +
           (rows ? matmul_panel_floats(work, work->p.m, ROW_BLOCK * height, height) : 0);
}

static uint64_t matmul_part_floats(const matmul_work *work) {
    return work->parts == 1 ? 0 : work->parts * work->p.batches * work->p.m * work->p.n;
}

static size_t matmul_tuned_scratch(const quartic_op_call *call, uint32_t threads) {
    matmul_work work = matmul_plan_work(call, threads);
    if (work.path == PATH_CHANNELS)
        return quartic_matmul_channels_scratch(&work.p, work.kernels, work.threads) * sizeof(float);
    return (matmul_pack_floats(&work) * work.threads + matmul_part_floats(&work)) * sizeof(float);
}

/* ---- pieces ---- */

/* Where a step's operands (m, k) and (k, n) begin; returns its k. */
static int64_t matmul_step(const matmul_work *work, const matmul_piece *piece, uint64_t step,
                           const float **out_a, const float **out_b) {
    int64_t a_sum = 0, b_sum = 0, k = 0;
    if (work->steps > 1) { /* most products have one step, and divisions cost as much as a tiny product */
        k = (int64_t)(step % work->steps_of_k * work->step);
        quartic_matmul_sum_offsets(&work->p, step / work->steps_of_k, &a_sum, &b_sum);
    }
    *out_a = piece->a + a_sum + k * work->p.a_k;
    *out_b = piece->b + b_sum + k * work->p.b_k;
    int64_t left = work->p.k - k;
    return left < (int64_t)work->step ? left : (int64_t)work->step;
}

static void matmul_run_dot(const matmul_work *work, const matmul_piece *piece) {
    enum { TILE = QUARTIC_MATMUL_DOT_TILE };
    const quartic_matmul_problem *p = &work->p;
    for (uint64_t step = piece->first_step; step < piece->end_step; ++step) {
        const float *a, *b; // (m, k), (k, n)
        int64_t k = matmul_step(work, piece, step, &a, &b);
        for (int64_t row = piece->row; row < piece->end_row; row += TILE)
            for (int64_t col = piece->col; col < piece->end_col; col += TILE) {
                int64_t rows = piece->end_row - row < TILE ? piece->end_row - row : TILE;
                int64_t columns = piece->end_col - col < TILE ? piece->end_col - col : TILE;
                float sums[TILE * TILE];
                work->kernels->dot(rows, columns, k, a + row * p->a_row, p->a_row, b + col * p->b_col,
                                   p->b_col, sums);
                for (int64_t i = 0; i < rows; ++i)
                    for (int64_t j = 0; j < columns; ++j) {
                        int64_t at = (row + i) * p->n + col + j;
                        float y = piece->alpha * sums[i * TILE + j];
                        if (step != piece->first_step)
                            y += piece->c[at];
                        else if (piece->bias != NULL)
                            y += piece->bias[col + j];
                        if (step == piece->first_step && piece->addend != NULL) y += piece->addend[at];
                        piece->c[at] = y;
                    }
            }
    }
}

/* Columns [0, columns) of B over k as panels of the kernels' width; the last may be narrower, and no kernel
 * reads beyond its columns. */
static void matmul_pack_columns(const matmul_work *work,
                                const float *b, // (k, columns) at the problem's strides
                                int64_t k, int64_t columns,
                                float *pack // (columns / width, k, width)
) {
    int64_t width = work->kernels->width, b_k = work->p.b_k, b_col = work->p.b_col;
    for (int64_t col = 0; col < columns; col += width) {
        int64_t here = columns - col < width ? columns - col : width;
        float *panel = pack + col * k; // (k, width)
        if (b_col == 1)
            for (int64_t i = 0; i < k; ++i)
                memcpy(panel + i * width, b + i * b_k + col, (size_t)here * sizeof(float));
        else if (b_k == 1)
            quartic_transpose(b + col * b_col, b_col, STEP_TILE, panel, width, k, here);
        else
            for (int64_t j = 0; j < here; ++j)
                for (int64_t i = 0; i < k; ++i) panel[i * width + j] = b[i * b_k + (col + j) * b_col];
    }
}

/* Rows [0, rows) of A over k as panels of the kernels' height, the rows of a panel side by side. */
static void matmul_pack_rows(const matmul_work *work,
                             const float *a, // (rows, k) at the problem's strides
                             int64_t k, int64_t rows,
                             float *pack // (rows / height, k, height)
) {
    int64_t height = work->kernels->height, a_row = work->p.a_row, a_k = work->p.a_k;
    for (int64_t row = 0; row < rows; row += height) {
        int64_t here = rows - row < height ? rows - row : height;
        float *panel = pack + row * k; // (k, height)
        for (int64_t i = 0; i < k; ++i)
            if (a_row == 1)
                memcpy(panel + i * height, a + i * a_k + row, (size_t)here * sizeof(float));
            else
                for (int64_t j = 0; j < here; ++j) panel[i * height + j] = a[i * a_k + (row + j) * a_row];
    }
}

/* The tiles of one vector of columns; packed rows are tiles of their own. */
static void matmul_run_tiles(const matmul_work *work, quartic_matmul_tile tile,
                             const float *packed_rows // (rows / height, k, height), or NULL
) {
    if (packed_rows == NULL) {
        work->kernels->tile(&tile);
        return;
    }
    int64_t rows = tile.rows, height = work->kernels->height;
    tile.a_row = 1;
    tile.a_k = height;
    for (int64_t row = 0; row < rows; row += height) {
        tile.rows = rows - row < height ? rows - row : height;
        tile.a = packed_rows + row * tile.k;
        work->kernels->tile(&tile);
        tile.c += height * tile.result_row;
        if (tile.add != NULL) tile.add += height * tile.result_row;
    }
}

static void matmul_run_tile(const matmul_work *work, const matmul_piece *piece) {
    const quartic_matmul_problem *p = &work->p;
    int64_t width = work->kernels->width, row_block = ROW_BLOCK * work->kernels->height;
    for (int64_t left = piece->col; left < piece->end_col; left += PACK_COLUMNS) {
        int64_t right = piece->end_col - left < PACK_COLUMNS ? piece->end_col : left + PACK_COLUMNS;
        for (uint64_t step = piece->first_step; step < piece->end_step; ++step) {
            const float *a, *b; // (m, k), (k, n)
            int64_t k = matmul_step(work, piece, step, &a, &b);
            bool first = step == piece->first_step;
            b += left * p->b_col;
            if (work->packs) matmul_pack_columns(work, b, k, right - left, piece->pack);
            for (int64_t row = piece->row; row < piece->end_row; row += row_block) {
                int64_t rows = piece->end_row - row < row_block ? piece->end_row - row : row_block;
                float *packed_rows = // (rows / height, k, height)
                    work->packs_rows ? piece->pack + matmul_column_floats(work) : NULL;
                if (packed_rows != NULL) matmul_pack_rows(work, a + row * p->a_row, k, rows, packed_rows);
                for (int64_t col = left; col < right; col += width) {
                    int64_t at = row * p->n + col;
                    const quartic_matmul_tile tile = {
                        .rows = rows,
                        .columns = right - col < width ? right - col : width,
                        .k = k,
                        .a = a + row * p->a_row,
                        .a_row = p->a_row,
                        .a_k = p->a_k,
                        .b = work->packs ? piece->pack + (col - left) * k : b + (col - left) * p->b_col,
                        .b_k = work->packs ? width : p->b_k,
                        .alpha = piece->alpha,
                        .bias = first && piece->bias != NULL ? piece->bias + col : NULL,
                        .add = !first                  ? piece->c + at
                               : piece->addend != NULL ? piece->addend + at
                                                       : NULL,
                        .c = piece->c + at,
                        .result_row = p->n};
                    matmul_run_tiles(work, tile, packed_rows);
                }
            }
        }
    }
}

/* ---- running ---- */

/* The sum of the parts, in order, and what was left out of them. */
static void matmul_add_parts(const matmul_work *work,
                             const float *parts,  // (parts, batches, m, n)
                             const float *bias,   // (n), or NULL
                             const float *addend, // (batches, m, n), or NULL
                             float *c             // (batches, m, n)
) {
    int64_t count = (int64_t)(work->p.batches * work->p.m * work->p.n), n = work->p.n;
#pragma omp parallel for num_threads(work->threads) schedule(static)
    for (int64_t i = 0; i < count; ++i) {
        float sum = 0.0f;
        for (int64_t part = 0; part < work->parts; ++part) sum += parts[part * count + i];
        sum *= work->p.alpha;
        if (bias != NULL) sum += bias[i % n];
        if (addend != NULL) sum += addend[i];
        c[i] = sum;
    }
}

static void matmul_run(const quartic_op_run *run) {
    quartic_layout layouts[4] = {{0}};
    for (uint32_t i = 0; i < run->input_count; ++i)
        if (run->inputs[i].data != NULL) layouts[i] = *run->inputs[i].layout;
    const quartic_op_call call = {.attrs = run->attrs, .input_count = run->input_count, .inputs = layouts};
    const matmul_work work = matmul_plan_work(&call, run->threads);
    const quartic_matmul_problem *p = &work.p;
    const float *bias = p->has_bias ? run->inputs[QUARTIC_MATMUL_BIAS].data : NULL;       // (n)
    const float *addend = p->has_addend ? run->inputs[QUARTIC_MATMUL_ADDEND].data : NULL; // (batches, m, n)
    float *c = run->outputs[0].data;                                                      // (batches, m, n)
    if (work.path == PATH_CHANNELS) {
        const quartic_matmul_data data = {run->inputs[QUARTIC_MATMUL_A].data,
                                          run->inputs[QUARTIC_MATMUL_B].data, bias, addend, c};
        quartic_matmul_channels(p, work.kernels, work.threads, &data, run->scratch);
        return;
    }
    bool whole = work.parts == 1;
    float *packs = matmul_pack_floats(&work) == 0 ? NULL : run->scratch; // (threads, matmul_pack_floats)
    float *parts =                                                       // (parts, batches, m, n)
        whole ? NULL : (float *)run->scratch + matmul_pack_floats(&work) * work.threads;
#pragma omp parallel for num_threads(work.threads) schedule(static)
    for (int64_t unit = 0; unit < (int64_t)work.units; ++unit) {
        uint64_t batch = (uint64_t)unit;
        int64_t block = 0;
        uint32_t part = 0;
        if (work.blocks > 1 || work.parts > 1) {
            block = (int64_t)(batch % work.blocks) * work.block;
            part = (uint32_t)(batch / work.blocks % work.parts);
            batch = batch / work.blocks / work.parts;
        }
        uint64_t result = batch * p->m * p->n;
        int64_t a_at, b_at, extent = work.by_rows ? p->m : p->n;
        int64_t end = extent - block < work.block ? extent : block + work.block;
        quartic_matmul_batch_offsets(p, batch, &a_at, &b_at);
        const matmul_piece piece = {
            .a = (const float *)run->inputs[QUARTIC_MATMUL_A].data + a_at,
            .b = (const float *)run->inputs[QUARTIC_MATMUL_B].data + b_at,
            .first_step = quartic_part_begin(work.steps, work.parts, part),
            .end_step = quartic_part_begin(work.steps, work.parts, part + 1),
            .row = work.by_rows ? block : 0,
            .end_row = work.by_rows ? end : p->m,
            .col = work.by_rows ? 0 : block,
            .end_col = work.by_rows ? p->n : end,
            .c = whole ? c + result : parts + part * p->batches * p->m * p->n + result,
            .bias = whole ? bias : NULL,
            .addend = whole && addend != NULL ? addend + result : NULL,
            .alpha = whole ? p->alpha : 1.0f,
            .pack = packs == NULL ? NULL : packs + matmul_pack_floats(&work) * (size_t)omp_get_thread_num()};
        if (work.path == PATH_DOT)
            matmul_run_dot(&work, &piece);
        else
            matmul_run_tile(&work, &piece);
    }
    if (!whole) matmul_add_parts(&work, parts, bias, addend, c);
}

const quartic_fast_kernel quartic_fast_matmul = {
    .op = &quartic_op_matmul, .run = matmul_run, .scratch = matmul_tuned_scratch};
