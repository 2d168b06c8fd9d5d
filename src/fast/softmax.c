/* softmax.c (fast): the tuned masked softmax and its adjoint, by rows; formulas in src/ops/softmax.c.
 *
 * A row is walked three times (maximum, exponentials and their sum, division) while it lies in the nearest
 * cache.
 */
#include <float.h>
#include <math.h>
#include <string.h>

#include "fast/parts.h"
#include "lib/functions.h"
#include "ops/softmax.h"

enum { BLOCK = 16 }; /* the widest vector */

typedef struct softmax_job {
    softmax_attrs attrs;
    softmax_extents extents;
    const float *sim, *dp; // (rows, keys); the adjoint has p for sim
    const int32_t *mask;   // (b, keys), or NULL
    float *result;         // (rows, keys)
} softmax_job;

/* The key's score, or the least number if it is hidden. */
QUARTIC_INLINE float softmax_visible_score(const float *s,      // (keys)
                                           const int32_t *mask, // (keys), or NULL
                                           uint32_t end, uint32_t j) {
    float visible = j < end ? s[j] : -FLT_MAX;
    if (mask != NULL) visible = mask[j] != 0 ? visible : -FLT_MAX;
    return visible;
}

/* Keys below `end` may be visible; `walked` are looked at, which is `end` rounded up to whole blocks where
 * the row goes on that long: loops over whole vectors are worth a few wasted keys.
 * The maximum goes lane by lane, since not every compiler makes vectors of one that goes along the row. */
QUARTIC_INLINE float softmax_largest_of(const float *s,      // (keys)
                                        const int32_t *mask, // (keys), or NULL
                                        uint32_t end, uint32_t walked) {
    float lanes[BLOCK];
    for (uint32_t l = 0; l < BLOCK; ++l) lanes[l] = -FLT_MAX;
    uint32_t j = 0;
    for (; j + BLOCK <= walked; j += BLOCK)
#pragma omp simd
        for (uint32_t l = 0; l < BLOCK; ++l) {
            float visible = softmax_visible_score(s, mask, end, j + l);
            lanes[l] = visible > lanes[l] ? visible : lanes[l];
        }
    for (uint32_t l = 0; j < walked; ++j, ++l) {
        float visible = softmax_visible_score(s, mask, end, j);
        lanes[l] = visible > lanes[l] ? visible : lanes[l];
    }
    float largest = lanes[0];
    for (uint32_t l = 1; l < BLOCK; ++l) largest = lanes[l] > largest ? lanes[l] : largest;
    return largest;
}

/* p = exp(s - largest) of the visible ones of BLOCK keys, 0 of the others; added to sums. */
QUARTIC_INLINE void softmax_exp_block(const float *s,      // (BLOCK)
                                      const int32_t *mask, // (BLOCK), or NULL
                                      uint32_t end, float largest,
                                      float *p,   // (BLOCK)
                                      float *sums // (BLOCK)
) {
#pragma omp simd
    for (uint32_t l = 0; l < BLOCK; ++l) {
        float e = approx_exp(s[l] - largest);
        e = l < end ? e : 0.0f;
        if (mask != NULL) e = mask[l] != 0 ? e : 0.0f;
        p[l] = e;
        sums[l] += e;
    }
}

/* The same for a row; returns the sum. A last block that would leave the row goes through a copy: one by one
 * its exponentials would cost as much as several blocks. */
QUARTIC_INLINE float softmax_exp_row(const float *s,      // (keys)
                                     const int32_t *mask, // (keys), or NULL
                                     uint32_t end, uint32_t walked, float largest,
                                     float *p // (keys)
) {
    float sums[BLOCK] = {0}, sum = 0;
    uint32_t j = 0;
    for (; j + BLOCK <= walked; j += BLOCK)
        softmax_exp_block(s + j, mask == NULL ? NULL : mask + j, end - j, largest, p + j, sums);
    if (j < walked) {
        float values[BLOCK] = {0}, results[BLOCK];
        int32_t visible[BLOCK] = {0};
        memcpy(values, s + j, (walked - j) * sizeof *values);
        if (mask != NULL) memcpy(visible, mask + j, (walked - j) * sizeof *visible);
        softmax_exp_block(values, mask == NULL ? NULL : visible, end - j, largest, results, sums);
        memcpy(p + j, results, (walked - j) * sizeof *results);
    }
    for (uint32_t l = 0; l < BLOCK; ++l) sum += sums[l];
    return sum;
}

QUARTIC_INLINE void softmax_forward_row(const float *s,      // (keys)
                                        const int32_t *mask, // (keys), or NULL
                                        uint32_t end, uint32_t keys,
                                        float *p // (keys)
) {
    uint32_t walked = (end + BLOCK - 1) / BLOCK * BLOCK;
    if (walked > keys) walked = keys;
    float sum = softmax_exp_row(s, mask, end, walked, softmax_largest_of(s, mask, end, walked), p);
    /* A NaN stays one, and keys of -inf that are all a row sees make one. */
    float factor = sum != 0.0f ? 1.0f / sum : NAN;
#pragma omp simd
    for (uint32_t j = 0; j < walked; ++j) p[j] *= factor;
    /* Hidden keys stay 0 in a row of NaN. */
    for (uint32_t j = 0; factor != factor && mask != NULL && j < end; ++j) p[j] = mask[j] != 0 ? p[j] : 0.0f;
    memset(p + end, 0, (keys - end) * sizeof *p);
}

QUARTIC_CLONES
static void softmax_forward_rows(const softmax_job *job, uint64_t begin, uint64_t end_row) {
    uint32_t keys = job->extents.keys;
    for (uint64_t r = begin; r < end_row; ++r) {
        uint32_t end = softmax_row_end(&job->attrs, &job->extents, r);
        const float *s = job->sim + r * keys; // (keys)
        float *p = job->result + r * keys;    // (keys)
        if (job->mask == NULL)
            softmax_forward_row(s, NULL, end, keys, p);
        else
            softmax_forward_row(s, job->mask + r / job->extents.rows_per_mask * keys, end, keys, p);
    }
}

QUARTIC_CLONES
static void softmax_adjoint_rows(const softmax_job *job, uint64_t begin, uint64_t end_row) {
    uint32_t keys = job->extents.keys;
    for (uint64_t r = begin; r < end_row; ++r) {
        const float *p = job->sim + r * keys, *dp = job->dp + r * keys; // (keys)
        float *ds = job->result + r * keys;                             // (keys)
        float total = 0, product = 0, rest = 0;
        uint32_t end = softmax_row_end(&job->attrs, &job->extents, r);
#pragma omp simd reduction(+ : total, product)
        for (uint32_t j = 0; j < end; ++j) {
            total += p[j];
            product += dp[j] * p[j];
        }
        float factor = total != 0.0f ? 1.0f / total : 0.0f, mean = product * factor;
#pragma omp simd reduction(+ : rest)
        for (uint32_t j = 0; j < end; ++j) rest += (dp[j] - mean) * p[j];
        rest *= factor;
#pragma omp simd
        for (uint32_t j = 0; j < end; ++j) ds[j] = p[j] * ((dp[j] - mean) - rest);
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
        softmax_forward_rows(&job, quartic_part_begin(rows, parts, p),
                             quartic_part_begin(rows, parts, p + 1));
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
        softmax_adjoint_rows(&job, quartic_part_begin(rows, parts, p),
                             quartic_part_begin(rows, parts, p + 1));
}

const quartic_fast_kernel quartic_fast_softmax = {.op = &quartic_op_softmax, .run = softmax_run};
const quartic_fast_kernel quartic_fast_softmax_grad = {.op = &quartic_op_softmax_grad,
                                                       .run = softmax_grad_run};
