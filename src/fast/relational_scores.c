/* relational_scores.c (fast): the tuned scores of relational attention, on the kernels of the matrix product.
 *
 * The edges of one receiver i and a block of senders j are taken transposed, Et (De, J), so that all heads'
 * work on them stays in the cache:
 *   forward    Z = G_h Et
 *              s_j = base_j + sum_c Et_cj (Z_cj + sender_cj + receiver_c)
 *   backward   X_(h c)j = g_hj Et_cj
 *              de^T = S X + sum_h g_h (sender + receiver)
 *              dG += X e
 * where S = G + G^T of all heads side by side. dG is summed in parts, which are cut by shape alone and added
 * in order, so the bits do not depend on the number of threads.
 */
#include <omp.h>
#include <string.h>

#include "fast/matmul_kernel.h"
#include "fast/parts.h"
#include "ops/relational_scores.h"

enum { BLOCK = 128, MOST_PARTS = 16 };

typedef struct scores_job {
    quartic_relational_problem p;
    const quartic_matmul_kernels *kernels;
    const float *e;        // (b, i, j, De)
    const float *sender;   // (b, h, De, n)
    const float *receiver; // (b, h, n, De), or NULL
    const float *form;     // (h, De, De): G; or NULL
} scores_job;

static scores_job relational_job_of(const quartic_op_run *run) {
    return (scores_job){.p = quartic_relational_problem_of_run(run),
                        .kernels = quartic_matmul_kernels_best(false),
                        .e = run->inputs[QUARTIC_RELATIONAL_E].data,
                        .sender = run->inputs[QUARTIC_RELATIONAL_SENDER].data,
                        .receiver = run->inputs[QUARTIC_RELATIONAL_RECEIVER].data,
                        .form = run->inputs[QUARTIC_RELATIONAL_FORM].data};
}

/* The edges of receiver i of graph b from senders first .. first + count - 1. */
typedef struct edge_block {
    uint32_t b, i, first, count;
    const float *e; // (count, De)
} edge_block;

static edge_block relational_block_at(const scores_job *job, uint64_t receiver, uint32_t first) {
    const uint32_t n = job->p.n, count = n - first < BLOCK ? n - first : BLOCK;
    return (edge_block){.b = (uint32_t)(receiver / n),
                        .i = (uint32_t)(receiver % n),
                        .first = first,
                        .count = count,
                        .e = job->e + (receiver * n + first) * job->p.dim};
}

/* Of a head: sender's (De, n) from the block's first column on; receiver's (De), or NULL; the block's
 * place in (b, h, i, j). */
static const float *relational_sender_of(const scores_job *job, const edge_block *block, uint32_t head) {
    return job->sender + ((size_t)block->b * job->p.heads + head) * job->p.dim * job->p.n + block->first;
}
static const float *relational_receiver_of(const scores_job *job, const edge_block *block, uint32_t head) {
    if (job->receiver == NULL) return NULL;
    return job->receiver + (((size_t)block->b * job->p.heads + head) * job->p.n + block->i) * job->p.dim;
}
static size_t relational_pair_of(const scores_job *job, const edge_block *block, uint32_t head) {
    return (((size_t)block->b * job->p.heads + head) * job->p.n + block->i) * job->p.n + block->first;
}

/* to = the transpose of from. */
static void relational_transpose(size_t rows, size_t columns,
                                 const float *from, // (rows, columns), rows from_pitch apart
                                 size_t from_pitch,
                                 float *to, // (columns, rows), rows to_pitch apart
                                 size_t to_pitch) {
    enum { TILE = 16 };
    for (size_t r0 = 0; r0 < rows; r0 += TILE)
        for (size_t c0 = 0; c0 < columns; c0 += TILE)
            for (size_t r = r0; r < rows && r < r0 + TILE; ++r)
                for (size_t c = c0; c < columns && c < c0 + TILE; ++c)
                    to[c * to_pitch + r] = from[r * from_pitch + c];
}

/* c = a b, plus c itself if add; any number of columns. */
static void relational_product(const scores_job *job, bool add, size_t rows, size_t columns, size_t k,
                               const float *a, // (rows, k), rows a_row apart
                               size_t a_row,
                               const float *b, // (k, columns), rows b_k apart
                               size_t b_k,
                               float *c, // (rows, columns), rows pitch apart
                               size_t pitch) {
    const size_t width = (size_t)job->kernels->width;
    for (size_t at = 0; at < columns; at += width) {
        const quartic_matmul_tile tile = {.rows = (int64_t)rows,
                                          .columns = (int64_t)(columns - at < width ? columns - at : width),
                                          .k = (int64_t)k,
                                          .a = a,
                                          .a_row = (int64_t)a_row,
                                          .a_k = 1,
                                          .b = b + at,
                                          .b_k = (int64_t)b_k,
                                          .alpha = 1.0f,
                                          .add = add ? c + at : NULL,
                                          .c = c + at,
                                          .result_row = (int64_t)pitch};
        job->kernels->tile(&tile);
    }
}

/* ---- forward ---- */

/* score_j = sum_c et_cj (z_cj + sender_cj + receiver_c); z and receiver may be NULL, which stands for
 * zeros. */
QUARTIC_CLONES
static void relational_sum_components(uint32_t dim, uint32_t n, uint32_t count,
                                      const float *et,       // (De, BLOCK)
                                      const float *z,        // (De, BLOCK), or NULL
                                      const float *sender,   // (De, n)
                                      const float *receiver, // (De), or NULL
                                      float *score           // (BLOCK)
) {
    memset(score, 0, BLOCK * sizeof score[0]);
    for (uint32_t c = 0; c < dim; ++c, et += BLOCK, sender += n) {
        const float fixed = receiver == NULL ? 0.0f : receiver[c];
        if (z == NULL)
#pragma omp simd
            for (uint32_t j = 0; j < count; ++j) score[j] += et[j] * (sender[j] + fixed);
        else
#pragma omp simd
            for (uint32_t j = 0; j < count; ++j) score[j] += et[j] * (z[c * BLOCK + j] + (sender[j] + fixed));
    }
}

/* The scores of a block of edges, all heads. */
static void relational_score_block(const scores_job *job, const edge_block *block,
                                   const quartic_operand *base,
                                   float *scores, // (b, h, i, j)
                                   float *scratch) {
    const size_t dim = job->p.dim;
    float *et = scratch;            // (De, BLOCK)
    float *z = et + dim * BLOCK;    // (De, BLOCK)
    float *score = z + dim * BLOCK; // (BLOCK)
    relational_transpose(block->count, dim, block->e, dim, et, BLOCK);
    for (uint32_t head = 0; head < job->p.heads; ++head) {
        if (job->form != NULL)
            relational_product(job, false, dim, block->count, dim, job->form + head * dim * dim, dim, et,
                               BLOCK, z, BLOCK);
        relational_sum_components(job->p.dim, job->p.n, block->count, et, job->form == NULL ? NULL : z,
                                  relational_sender_of(job, block, head),
                                  relational_receiver_of(job, block, head), score);
        const int64_t *strides = base->layout->strides;
        const float *from = // (count), at base's stride
            (const float *)base->data + block->b * strides[0] + head * strides[1] + block->i * strides[2] +
            block->first * strides[3];
        float *to = scores + relational_pair_of(job, block, head); // (count)
        for (uint32_t j = 0; j < block->count; ++j) to[j] = from[j * strides[3]] + score[j];
    }
}

static size_t relational_forward_floats(const quartic_relational_problem *p) {
    return (2 * (size_t)p->dim + 1) * BLOCK;
}

static size_t relational_scores_scratch(const quartic_op_call *call, uint32_t threads) {
    const quartic_relational_problem p = quartic_relational_problem_of_call(call);
    return threads * relational_forward_floats(&p) * sizeof(float);
}

static void relational_scores_run(const quartic_op_run *run) {
    const scores_job job = relational_job_of(run);
    const int64_t receivers = (int64_t)job.p.b * job.p.n;
    const uint32_t threads =
        quartic_parts((uint64_t)quartic_relational_flops(&job.p, false) / 4, run->threads);
#pragma omp parallel for num_threads(threads) schedule(static) if (threads > 1)
    for (int64_t receiver = 0; receiver < receivers; ++receiver)
        for (uint32_t first = 0; first < job.p.n; first += BLOCK) {
            const edge_block block = relational_block_at(&job, (uint64_t)receiver, first);
            relational_score_block(&job, &block, &run->inputs[QUARTIC_RELATIONAL_BASE], run->outputs[0].data,
                                   (float *)run->scratch +
                                       (size_t)omp_get_thread_num() * relational_forward_floats(&job.p));
        }
}

/* ---- backward ---- */

/* x_cj = g_j et_cj */
QUARTIC_CLONES
static void relational_scale_columns(uint32_t dim, uint32_t count,
                                     const float *et, // (De, BLOCK)
                                     const float *g,  // (count)
                                     float *x         // (De, BLOCK)
) {
    for (uint32_t c = 0; c < dim; ++c, et += BLOCK, x += BLOCK)
#pragma omp simd
        for (uint32_t j = 0; j < count; ++j) x[j] = g[j] * et[j];
}

/* y_cj += g_j (sender_cj + receiver_c); receiver may be NULL, which stands for zeros. */
QUARTIC_CLONES
static void relational_add_node_terms(uint32_t dim, uint32_t n, uint32_t count,
                                      const float *g,        // (count)
                                      const float *sender,   // (De, n)
                                      const float *receiver, // (De), or NULL
                                      float *y               // (De, BLOCK)
) {
    for (uint32_t c = 0; c < dim; ++c, sender += n, y += BLOCK) {
        const float fixed = receiver == NULL ? 0.0f : receiver[c];
#pragma omp simd
        for (uint32_t j = 0; j < count; ++j) y[j] += g[j] * (sender[j] + fixed);
    }
}

/* S: all G_h + G_h^T side by side. */
static void relational_symmetrise(const scores_job *job,
                                  float *s // (De, h De)
) {
    const size_t dim = job->p.dim, heads = job->p.heads;
    for (size_t c = 0; c < dim; ++c)
        for (size_t head = 0; head < heads; ++head) {
            const float *form = job->form + head * dim * dim; // (De, De)
            for (size_t k = 0; k < dim; ++k)
                s[(c * heads + head) * dim + k] = form[c * dim + k] + form[k * dim + c];
        }
}

/* de of a block; adds its part of dG. */
static void relational_adjoint_block(const scores_job *job, const edge_block *block,
                                     const float *ds,  // (b, h, i, j)
                                     const float *s,   // (De, h De)
                                     float *de,        // (b, i, j, De)
                                     float *form_part, // (h De, De)
                                     float *scratch) {
    const size_t dim = job->p.dim, rows = job->p.heads * dim;
    float *et = scratch;         // (De, BLOCK)
    float *y = et + dim * BLOCK; // (De, BLOCK)
    float *x = y + dim * BLOCK;  // (h De, BLOCK)
    relational_transpose(block->count, dim, block->e, dim, et, BLOCK);
    if (job->form != NULL) {
        for (uint32_t head = 0; head < job->p.heads; ++head)
            relational_scale_columns(job->p.dim, block->count, et, ds + relational_pair_of(job, block, head),
                                     x + head * dim * BLOCK);
        relational_product(job, false, dim, block->count, rows, s, rows, x, BLOCK, y, BLOCK);
        relational_product(job, true, rows, dim, block->count, x, BLOCK, block->e, dim, form_part, dim);
    } else {
        memset(y, 0, dim * BLOCK * sizeof y[0]);
    }
    for (uint32_t head = 0; head < job->p.heads; ++head)
        relational_add_node_terms(
            job->p.dim, job->p.n, block->count, ds + relational_pair_of(job, block, head),
            relational_sender_of(job, block, head), relational_receiver_of(job, block, head), y);
    relational_transpose(dim, block->count, y, BLOCK, de + (block->e - job->e), dim);
}

static uint32_t relational_parts(const quartic_relational_problem *p) {
    const uint64_t receivers = (uint64_t)p->b * p->n;
    return receivers < MOST_PARTS ? (uint32_t)receivers : MOST_PARTS;
}

static size_t form_floats(const quartic_relational_problem *p) {
    return p->has_form ? (size_t)p->heads * p->dim * p->dim : 0;
}

static size_t backward_floats(const quartic_relational_problem *p) {
    return (2 + (p->has_form ? (size_t)p->heads : 0)) * p->dim * BLOCK;
}

static size_t relational_scores_grad_scratch(const quartic_op_call *call, uint32_t threads) {
    const quartic_relational_problem p = quartic_relational_problem_of_call(call);
    return (threads * backward_floats(&p) + (1 + (size_t)relational_parts(&p)) * form_floats(&p)) *
           sizeof(float);
}

static void relational_scores_grad_run(const quartic_op_run *run) {
    const scores_job job = relational_job_of(run);
    const size_t size = form_floats(&job.p), own = backward_floats(&job.p);
    const uint32_t parts = relational_parts(&job.p);
    const uint64_t receivers = (uint64_t)job.p.b * job.p.n;
    float *s = run->scratch, *form_parts = s + size, *scratch = form_parts + parts * size;
    float *de = run->outputs[0].data, *dform = job.form == NULL ? NULL : run->outputs[1].data;
    const float *ds = run->inputs[QUARTIC_RELATIONAL_DS].data;
    const uint32_t threads =
        quartic_parts((uint64_t)quartic_relational_flops(&job.p, true) / 4, run->threads);
    if (job.form != NULL) relational_symmetrise(&job, s);
#pragma omp parallel num_threads(threads) if (threads > 1)
    {
        float *mine = scratch + (size_t)omp_get_thread_num() * own;
#pragma omp for schedule(static)
        for (uint32_t part = 0; part < parts; ++part) {
            float *form_part = form_parts + part * size;
            memset(form_part, 0, size * sizeof form_part[0]);
            const uint64_t end = quartic_part_begin(receivers, parts, part + 1);
            for (uint64_t receiver = quartic_part_begin(receivers, parts, part); receiver < end; ++receiver)
                for (uint32_t first = 0; first < job.p.n; first += BLOCK) {
                    const edge_block block = relational_block_at(&job, receiver, first);
                    relational_adjoint_block(&job, &block, ds, s, de, form_part, mine);
                }
        }
#pragma omp for schedule(static)
        for (size_t k = 0; k < size; ++k) {
            double sum = 0;
            for (uint32_t part = 0; part < parts; ++part) sum += (double)form_parts[part * size + k];
            dform[k] = (float)sum;
        }
    }
}

const quartic_fast_kernel quartic_fast_relational_scores = {&quartic_op_relational_scores, NULL,
                                                            relational_scores_run, relational_scores_scratch};
const quartic_fast_kernel quartic_fast_relational_scores_grad = {
    &quartic_op_relational_scores_grad, NULL, relational_scores_grad_run, relational_scores_grad_scratch};
