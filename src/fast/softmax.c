/* softmax.c (fast): masked softmax and its adjoint by rows; formulas in src/ops/softmax.c.
 *
 * A row is walked three times (maximum, exponentials and their sum, division) while it lies in the nearest
 * cache.
 */
#include <float.h>
#include <string.h>

#include "fast/parts.h"
#include "lib/functions.h"
#include "ops/softmax.h"

typedef struct softmax_job {
    softmax_attrs attrs;
    softmax_extents extents;
    const float *sim, *dp; /* (rows, keys); the adjoint has p for sim */
    const int32_t *mask;   /* (b, keys) or NULL */
    float *result;         /* (rows, keys) */
} softmax_job;

/* exp(s - largest) of the visible keys, 0 of the others, into p (end); returns their sum. */
QUARTIC_INLINE float open_row(const float *s, float *p, uint32_t end) {
    float largest = -FLT_MAX, sum = 0;
#pragma omp simd reduction(max : largest)
    for (uint32_t j = 0; j < end; ++j) largest = s[j] > largest ? s[j] : largest;
#pragma omp simd reduction(+ : sum)
    for (uint32_t j = 0; j < end; ++j) {
        float e = approx_exp(s[j] - largest);
        p[j] = e;
        sum += e;
    }
    return sum;
}

QUARTIC_INLINE float masked_row(const float *s, const int32_t *mask, float *p, uint32_t end) {
    float largest = -FLT_MAX, sum = 0;
#pragma omp simd reduction(max : largest)
    for (uint32_t j = 0; j < end; ++j) {
        float visible = mask[j] != 0 ? s[j] : -FLT_MAX;
        largest = visible > largest ? visible : largest;
    }
#pragma omp simd reduction(+ : sum)
    for (uint32_t j = 0; j < end; ++j) {
        float e = approx_exp(s[j] - largest);
        e = mask[j] != 0 ? e : 0.0f;
        p[j] = e;
        sum += e;
    }
    return sum;
}

QUARTIC_CLONES
static void forward_rows(const softmax_job *job, uint64_t begin, uint64_t end_row) {
    uint32_t keys = job->extents.keys;
    for (uint64_t r = begin; r < end_row; ++r) {
        const float *s = job->sim + r * keys;
        float *p = job->result + r * keys;
        uint32_t end = softmax_row_end(&job->attrs, &job->extents, r);
        float sum = job->mask == NULL
                        ? open_row(s, p, end)
                        : masked_row(s, job->mask + r / job->extents.rows_per_mask * keys, p, end);
        float factor = sum != 0.0f ? 1.0f / sum : 0.0f; /* a NaN stays one */
#pragma omp simd
        for (uint32_t j = 0; j < end; ++j) p[j] *= factor;
        memset(p + end, 0, (keys - end) * sizeof(float));
    }
}

QUARTIC_CLONES
static void adjoint_rows(const softmax_job *job, uint64_t begin, uint64_t end_row) {
    uint32_t keys = job->extents.keys;
    for (uint64_t r = begin; r < end_row; ++r) {
        const float *p = job->sim + r * keys, *dp = job->dp + r * keys;
        float *ds = job->result + r * keys, product = 0;
        uint32_t end = softmax_row_end(&job->attrs, &job->extents, r);
#pragma omp simd reduction(+ : product)
        for (uint32_t j = 0; j < end; ++j) product += dp[j] * p[j];
#pragma omp simd
        for (uint32_t j = 0; j < end; ++j) ds[j] = p[j] * (dp[j] - product);
        memset(ds + end, 0, (keys - end) * sizeof(float));
    }
}

static void softmax_run(const quartic_op_run *run) {
    const softmax_job job = {.attrs = *(const softmax_attrs *)run->attrs,
                             .extents = softmax_extents_of(run->inputs[0].layout),
                             .sim = run->inputs[0].data,
                             .mask = run->inputs[1].data,
                             .result = run->outputs[0].data};
    uint64_t rows = job.extents.rows;
    uint32_t parts = quartic_parts(2 * rows * job.extents.keys, run->threads);
#pragma omp parallel for num_threads(parts) schedule(static) if (parts > 1)
    for (uint32_t p = 0; p < parts; ++p)
        forward_rows(&job, quartic_part_begin(rows, parts, p), quartic_part_begin(rows, parts, p + 1));
}

static void softmax_grad_run(const quartic_op_run *run) {
    const softmax_job job = {.attrs = *(const softmax_attrs *)run->attrs,
                             .extents = softmax_extents_of(run->inputs[0].layout),
                             .sim = run->inputs[0].data,
                             .dp = run->inputs[1].data,
                             .result = run->outputs[0].data};
    uint64_t rows = job.extents.rows;
    uint32_t parts = quartic_parts(rows * job.extents.keys, run->threads);
#pragma omp parallel for num_threads(parts) schedule(static) if (parts > 1)
    for (uint32_t p = 0; p < parts; ++p)
        adjoint_rows(&job, quartic_part_begin(rows, parts, p), quartic_part_begin(rows, parts, p + 1));
}

const quartic_fast_row quartic_fast_softmax = {.op = &quartic_op_softmax, .run = softmax_run};
const quartic_fast_row quartic_fast_softmax_grad = {.op = &quartic_op_softmax_grad, .run = softmax_grad_run};
