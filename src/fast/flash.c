/* flash.c: softmax attention, forward and backward, a block of queries at a time. See flash.h. */
#include "fast/flash.h"

#include <string.h>

#include "fast/parts.h"
#include "lib/functions.h"

enum { LANES = QUARTIC_FLASH_LANES };

typedef float flash_four __attribute__((vector_size(16), aligned(4), may_alias));

/* to = factor * the transpose of from. */
QUARTIC_INLINE void flash_transpose_square(const float *from, // (4, 4)
                                           int64_t from_step, float factor,
                                           float *to, // (4, 4)
                                           int64_t to_step) {
    const flash_four r0 = *(const flash_four *)from, r1 = *(const flash_four *)(from + from_step);
    const flash_four r2 = *(const flash_four *)(from + 2 * from_step),
                     r3 = *(const flash_four *)(from + 3 * from_step);
    const flash_four low01 = __builtin_shufflevector(r0, r1, 0, 4, 1, 5);
    const flash_four low23 = __builtin_shufflevector(r2, r3, 0, 4, 1, 5);
    const flash_four high01 = __builtin_shufflevector(r0, r1, 2, 6, 3, 7);
    const flash_four high23 = __builtin_shufflevector(r2, r3, 2, 6, 3, 7);
    *(flash_four *)to = factor * __builtin_shufflevector(low01, low23, 0, 1, 4, 5);
    *(flash_four *)(to + to_step) = factor * __builtin_shufflevector(low01, low23, 2, 3, 6, 7);
    *(flash_four *)(to + 2 * to_step) = factor * __builtin_shufflevector(high01, high23, 0, 1, 4, 5);
    *(flash_four *)(to + 3 * to_step) = factor * __builtin_shufflevector(high01, high23, 2, 3, 6, 7);
}

/* to = factor * the transpose of from. */
QUARTIC_INLINE void flash_transpose(const float *from, // (rows, columns), rows from_step apart
                                    int64_t from_step, uint32_t rows, uint32_t columns, float factor,
                                    float *to, // (columns, rows), rows to_step apart
                                    int64_t to_step) {
    const uint32_t whole_rows = rows / 4 * 4, whole_columns = columns / 4 * 4;
    for (uint32_t r = 0; r < whole_rows; r += 4)
        for (uint32_t c = 0; c < whole_columns; c += 4)
            flash_transpose_square(from + r * from_step + c, from_step, factor, to + c * to_step + r,
                                   to_step);
    for (uint32_t r = 0; r < rows; ++r)
        for (uint32_t c = r < whole_rows ? whole_columns : 0; c < columns; ++c)
            to[c * to_step + r] = factor * from[r * from_step + c];
}

QUARTIC_CLONES void quartic_flash_to_columns(const float *rows, // (count, d)
                                             int64_t row_step, int64_t component_step, uint32_t count,
                                             uint32_t d, float factor,
                                             float *columns) // (d, LANES)
{
    if (component_step == 1) {
        /* Rows lie far apart: all of them are asked for before the first is waited for. */
        for (uint32_t i = 0; i < count; ++i)
            for (uint32_t c = 0; c < d; c += 16) __builtin_prefetch(rows + i * row_step + c);
        flash_transpose(rows, row_step, count, d, factor, columns, LANES);
        return;
    }
    for (uint32_t c = 0; c < d; ++c)
        for (uint32_t i = 0; i < count; ++i)
            columns[(size_t)c * LANES + i] = factor * rows[i * row_step + c * component_step];
}

QUARTIC_CLONES void quartic_flash_from_columns(const float *columns, // (d, LANES)
                                               uint32_t count, uint32_t d, float factor,
                                               float *rows, // (count, d)
                                               int64_t row_step) {
    flash_transpose(columns, LANES, d, count, factor, rows, row_step);
}

QUARTIC_CLONES void quartic_flash_scale(const float *scale, // (LANES)
                                        uint32_t d,
                                        float *columns) // (d, LANES)
{
    for (uint32_t c = 0; c < d; ++c, columns += LANES)
#pragma omp simd
        for (uint32_t i = 0; i < LANES; ++i) columns[i] *= scale[i];
}

QUARTIC_CLONES void quartic_flash_weigh(uint32_t count,
                                        const int32_t *rows,   // (count)
                                        const int32_t *limits, // (LANES)
                                        float *scores,         // (count, LANES)
                                        float *top,            // (LANES)
                                        float *total,          // (LANES)
                                        float *scale)          // (LANES)
{
    float largest[LANES], sum[LANES];
    memcpy(largest, top, sizeof largest);
    for (uint32_t j = 0; j < count; ++j) {
        const int32_t row = rows[j];
        float *s = scores + (size_t)j * LANES;
#pragma omp simd
        for (uint32_t i = 0; i < LANES; ++i) {
            s[i] = row <= limits[i] ? s[i] : quartic_flash_lowest;
            largest[i] = s[i] > largest[i] ? s[i] : largest[i];
        }
    }
#pragma omp simd
    for (uint32_t i = 0; i < LANES; ++i) {
        scale[i] = approx_exp(top[i] - largest[i]);
        sum[i] = total[i] * scale[i];
        top[i] = largest[i];
    }
    for (uint32_t j = 0; j < count; ++j) {
        float *s = scores + (size_t)j * LANES;
#pragma omp simd
        for (uint32_t i = 0; i < LANES; ++i) {
            const float weight = approx_exp(s[i] - largest[i]);
            s[i] = s[i] == quartic_flash_lowest ? 0.0f : weight;
            sum[i] += s[i];
        }
    }
    memcpy(total, sum, sizeof sum);
}

QUARTIC_CLONES void quartic_flash_slopes(uint32_t count,
                                         const int32_t *rows,   // (count)
                                         const int32_t *limits, // (LANES)
                                         size_t terms_step,
                                         const float *lse,   // (LANES), or (count, LANES)
                                         const float *delta, // (LANES), or (count, LANES)
                                         float *scores,      // (count, LANES)
                                         float *products)    // (count, LANES)
{
    for (uint32_t j = 0; j < count; ++j, lse += terms_step, delta += terms_step) {
        const int32_t row = rows[j];
        float *s = scores + (size_t)j * LANES, *dp = products + (size_t)j * LANES;
#pragma omp simd
        for (uint32_t i = 0; i < LANES; ++i) {
            const float p = approx_exp(s[i] - lse[i]);
            s[i] = row <= limits[i] ? p : 0.0f;
            dp[i] = delta[i] == quartic_flash_lone ? 0.0f : s[i] * (dp[i] - delta[i]);
        }
    }
}

/* ---- a block of queries and a block of keys ---- */

quartic_flash_softmax quartic_flash_softmax_begin(float *sums, // (LANES, d)
                                                  uint32_t d) {
    quartic_flash_softmax softmax = {.sums = sums};
    for (uint32_t i = 0; i < LANES; ++i) softmax.top[i] = quartic_flash_lowest;
    memset(sums, 0, (size_t)LANES * d * sizeof *sums);
    return softmax;
}

void quartic_flash_attend(const quartic_matmul_kernels *kernels, const quartic_flash_keys *block,
                          const float *q_columns, // (d, LANES)
                          const int32_t *limits,  // (LANES)
                          float *scores,          // (count, LANES)
                          quartic_flash_softmax *softmax) {
    const uint32_t count = block->count, d = block->d;
    float scale[LANES], *sums = softmax->sums; // sums: (LANES, d)
    quartic_flash_product(kernels, count, LANES, d, block->keys, d, 1, q_columns, block->bias, scores, LANES);
    quartic_flash_weigh(count, block->rows, limits, scores, softmax->top, softmax->total, scale);
    for (uint32_t i = 0; i < LANES; ++i)
        for (uint32_t c = 0; c < d; ++c) sums[(size_t)i * d + c] *= scale[i];
    quartic_flash_product(kernels, LANES, d, count, scores, 1, LANES, block->values, sums, sums, d);
}

void quartic_flash_attend_grad(const quartic_matmul_kernels *kernels, const quartic_flash_keys *block,
                               const quartic_flash_cotangents *queries,
                               float *scores,   // (count, LANES)
                               float *products, // (count, LANES)
                               float *dkeys,    // (count, d)
                               float *dvalues)  // (count, d)
{
    const uint32_t count = block->count, d = block->d;
    quartic_flash_product(kernels, count, LANES, d, block->keys, d, 1, queries->q_columns, block->bias,
                          scores, LANES);
    quartic_flash_product(kernels, count, LANES, d, block->values, d, 1, queries->g_columns, NULL, products,
                          LANES);
    quartic_flash_slopes(count, block->rows, queries->limits, 0, queries->lse, queries->delta, scores,
                         products);
    quartic_flash_product(kernels, LANES, d, count, products, 1, LANES, block->keys, queries->dq, queries->dq,
                          d);
    quartic_flash_product(kernels, count, d, queries->count, products, LANES, 1, queries->q, dkeys, dkeys, d);
    quartic_flash_product(kernels, count, d, queries->count, scores, LANES, 1, queries->g, dvalues, dvalues,
                          d);
}
