/* row_linear.c (fast): tuned norm_linear and gated_linear, in blocks of rows; see src/ops/row_linear.c.
 *
 * A block of rows is normed, gated or put through gelu into a buffer that stays in the cache, and multiplied
 * with every weight by the matmul kernels; the weights are packed once, as panels of the kernels' width. A
 * row's result is the same whatever block it is in, so the bits do not depend on the number of threads.
 */
#include <omp.h>
#include <string.h>

#include "fast/matmul_kernel.h"
#include "fast/norm_fast.h"
#include "fast/parts.h"
#include "ops/row_linear.h"
#include "shaders/lib/functions.h"

enum {
    BLOCK_ROWS = 96,          /* a multiple of the kernels' heights */
    BLOCK_FLOATS = 96 * 1024, /* of a block's buffer: it stays in the second-level cache */
    GRAIN = 12                /* rows that a kernel computes at once, at most */
};

/* Operations below which sums are in double, as in matmul.c, which says why. */
#define IN_DOUBLE_BELOW 1e6

typedef struct row_work {
    row_linear_problem p;
    const quartic_matmul_kernels *kernels[QUARTIC_ROW_PARTS];
    size_t packed[QUARTIC_ROW_PARTS]; /* where a weight's panels begin, in floats */
    size_t weights, buffers;          /* where the norm's weights and the blocks' buffers begin */
    size_t buffer;                    /* floats of one */
    uint32_t block, threads;          /* rows of a block */
    uint64_t blocks;
} row_work;

static row_work row_linear_plan(const quartic_op_call *call, uint32_t threads) {
    row_work work = {.p = row_linear_describe(call)};
    const row_linear_problem *p = &work.p;
    size_t at = 0;
    double flops = 0;
    for (uint32_t part = 0; part < p->parts; ++part) {
        double part_flops = 2.0 * (double)p->rows * p->k * p->n[part];
        work.kernels[part] = quartic_matmul_kernels_best(part_flops < IN_DOUBLE_BELOW);
        size_t width = (size_t)work.kernels[part]->width;
        work.packed[part] = at;
        at += (p->n[part] + width - 1) / width * width * p->k;
        flops += part_flops;
    }
    work.threads = flops < 2e5 ? 1 : threads;
    uint64_t most = BLOCK_FLOATS / p->k / GRAIN * GRAIN, share = (p->rows + work.threads - 1) / work.threads;
    uint64_t block = (share + GRAIN - 1) / GRAIN * GRAIN;
    if (block > BLOCK_ROWS) block = BLOCK_ROWS;
    if (block > most) block = most;
    if (block < GRAIN) block = GRAIN;
    work.block = (uint32_t)block;
    work.blocks = (p->rows + block - 1) / block;
    work.weights = at;
    work.buffers = at + p->k;
    work.buffer = (size_t)block * p->k;
    return work;
}

static size_t row_linear_scratch(const quartic_op_call *call, uint32_t threads) {
    row_work work = row_linear_plan(call, threads);
    return (work.buffers + work.buffer * work.threads) * sizeof(float);
}

/* A weight as panels; the kernels do not read lanes beyond n. */
static void row_linear_pack(const float *w, // (n, k)
                            uint32_t n, uint32_t k, size_t width,
                            float *panels // (n / width, k, width)
) {
    for (size_t col = 0; col < n; ++col) {
        float *to = panels + col / width * width * k + col % width; // (k), width apart
        for (size_t i = 0; i < k; ++i) to[i * width] = w[col * k + i];
    }
}

QUARTIC_CLONES
static void row_linear_gelu_rows(const float *x, // (count)
                                 float *y,       // (count)
                                 uint64_t count) {
#pragma omp simd
    for (uint64_t i = 0; i < count; ++i) y[i] = x[i] * approx_normal_cdf(x[i], approx_normal_bell(x[i]));
}

/* y = x * sigmoid(gates), `width` elements a gate. */
QUARTIC_CLONES
static void row_linear_gate_rows(const float *x,     // (heads, width)
                                 const float *gates, // (heads)
                                 float *y,           // (heads, width)
                                 uint64_t heads, uint32_t width) {
    for (uint64_t h = 0; h < heads; ++h) {
        float open = approx_sigmoid(gates[h]);
#pragma omp simd
        for (uint32_t d = 0; d < width; ++d) y[h * width + d] = x[h * width + d] * open;
    }
}

/* y = alpha rows weight^T + add. */
static void row_linear_multiply(const row_work *work, uint32_t part,
                                const float *rows,   // (count, k)
                                const float *panels, // (n / width, k, width)
                                int64_t count, float alpha,
                                const float *add, // (count, n), or NULL
                                float *y          // (count, n)
) {
    const quartic_matmul_kernels *kernels = work->kernels[part];
    int64_t n = work->p.n[part], k = work->p.k;
    for (int64_t col = 0; col < n; col += kernels->width) {
        const quartic_matmul_tile tile = {.rows = count,
                                          .columns = n - col < kernels->width ? n - col : kernels->width,
                                          .k = k,
                                          .a = rows,
                                          .a_row = k,
                                          .a_k = 1,
                                          .b = panels + col * k,
                                          .b_k = kernels->width,
                                          .alpha = alpha,
                                          .add = add == NULL ? NULL : add + col,
                                          .c = y + col,
                                          .result_row = n};
        kernels->tile(&tile);
    }
}

static void row_linear_run(const quartic_op_run *run) {
    const row_linear_attrs *attrs = run->attrs;
    quartic_layout layouts[QUARTIC_OP_MAX_INPUTS] = {{0}};
    for (uint32_t i = 0; i < run->input_count; ++i)
        if (run->inputs[i].data != NULL) layouts[i] = *run->inputs[i].layout;
    const quartic_op_call call = {.attrs = attrs, .input_count = run->input_count, .inputs = layouts};
    const row_work work = row_linear_plan(&call, run->threads);
    const row_linear_problem *p = &work.p;
    const norm_attrs norm = {.kind = attrs->form == QUARTIC_ROW_L2 ? QUARTIC_NORM_L2 : QUARTIC_NORM_RMS,
                             .eps = attrs->eps,
                             .offset = attrs->offset};
    float *scratch = run->scratch;
    float *weights = scratch + work.weights;                // (k): of the norm
    const float *x = run->inputs[ROW_LINEAR_X].data;        // (rows, k)
    const float *side = run->inputs[ROW_LINEAR_SCALE].data; // norm: (k), or NULL; gate: (rows, heads)
    if (p->norms) quartic_fast_norm_weights(&norm, side, p->k, weights);
    for (uint32_t part = 0; part < p->parts; ++part)
        row_linear_pack(run->inputs[ROW_LINEAR_WEIGHTS + part].data, p->n[part], p->k,
                        (size_t)work.kernels[part]->width, scratch + work.packed[part]);
    const float *addend = p->has_addend ? run->inputs[ROW_LINEAR_ADDEND].data : NULL; // (rows, n)
#pragma omp parallel for num_threads(work.threads) schedule(static) if (work.threads > 1)
    for (int64_t block = 0; block < (int64_t)work.blocks; ++block) {
        uint64_t row = (uint64_t)block * work.block;
        uint64_t count = p->rows - row < work.block ? p->rows - row : work.block;
        const float *from = x + row * p->k; // (count, k)
        float *buffer =                     // (count, k)
            scratch + work.buffers + work.buffer * (size_t)omp_get_thread_num();
        if (p->norms)
            quartic_fast_norm_rows(&norm, weights, from, buffer, count, p->k);
        else if (attrs->form == QUARTIC_ROW_GELU)
            row_linear_gelu_rows(from, buffer, count * p->k);
        else
            row_linear_gate_rows(from, side + row * p->heads, buffer, count * p->heads, p->k / p->heads);
        for (uint32_t part = 0; part < p->parts; ++part) {
            bool raw = p->norms && (attrs->raw >> part & 1u);
            size_t at = row * p->n[part];
            row_linear_multiply(&work, part, raw ? from : buffer, scratch + work.packed[part], (int64_t)count,
                                part == 0 ? attrs->alpha : 1.0f, addend == NULL ? NULL : addend + at,
                                (float *)run->outputs[part].data + at);
        }
    }
}

const quartic_fast_kernel quartic_fast_norm_linear = {
    .op = &quartic_op_norm_linear, .run = row_linear_run, .scratch = row_linear_scratch};
const quartic_fast_kernel quartic_fast_gated_linear = {
    .op = &quartic_op_gated_linear, .run = row_linear_run, .scratch = row_linear_scratch};
