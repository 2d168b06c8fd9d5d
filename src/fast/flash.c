/* flash.c: the exponentials of softmax attention, a block of queries at a time. See flash.h. */
#include "fast/flash.h"

#include <string.h>

#include "fast/parts.h"
#include "lib/functions.h"

enum { LANES = QUARTIC_FLASH_LANES };

typedef float four __attribute__((vector_size(16), aligned(4), may_alias));

/* to = factor * the transpose of from, both blocks of 4 x 4. */
QUARTIC_INLINE void turn_square(const float *from, int64_t from_step, float factor, float *to,
                                int64_t to_step) {
    const four r0 = *(const four *)from, r1 = *(const four *)(from + from_step);
    const four r2 = *(const four *)(from + 2 * from_step), r3 = *(const four *)(from + 3 * from_step);
    const four low01 = __builtin_shufflevector(r0, r1, 0, 4, 1, 5);
    const four low23 = __builtin_shufflevector(r2, r3, 0, 4, 1, 5);
    const four high01 = __builtin_shufflevector(r0, r1, 2, 6, 3, 7);
    const four high23 = __builtin_shufflevector(r2, r3, 2, 6, 3, 7);
    *(four *)to = factor * __builtin_shufflevector(low01, low23, 0, 1, 4, 5);
    *(four *)(to + to_step) = factor * __builtin_shufflevector(low01, low23, 2, 3, 6, 7);
    *(four *)(to + 2 * to_step) = factor * __builtin_shufflevector(high01, high23, 0, 1, 4, 5);
    *(four *)(to + 3 * to_step) = factor * __builtin_shufflevector(high01, high23, 2, 3, 6, 7);
}

/* to (columns, to_step) = factor * the transpose of from (rows, from_step). */
QUARTIC_INLINE void turn(const float *from, int64_t from_step, uint32_t rows, uint32_t columns, float factor,
                         float *to, int64_t to_step) {
    const uint32_t whole_rows = rows / 4 * 4, whole_columns = columns / 4 * 4;
    for (uint32_t r = 0; r < whole_rows; r += 4)
        for (uint32_t c = 0; c < whole_columns; c += 4)
            turn_square(from + r * from_step + c, from_step, factor, to + c * to_step + r, to_step);
    for (uint32_t r = 0; r < rows; ++r)
        for (uint32_t c = r < whole_rows ? whole_columns : 0; c < columns; ++c)
            to[c * to_step + r] = factor * from[r * from_step + c];
}

QUARTIC_CLONES void quartic_flash_turn(const float *rows, int64_t row_step, int64_t component_step,
                                       uint32_t count, uint32_t d, float factor, float *columns) {
    if (component_step == 1) {
        /* Rows lie far apart: all of them are asked for before the first is waited for. */
        for (uint32_t i = 0; i < count; ++i)
            for (uint32_t c = 0; c < d; c += 16) __builtin_prefetch(rows + i * row_step + c);
        turn(rows, row_step, count, d, factor, columns, LANES);
        return;
    }
    for (uint32_t c = 0; c < d; ++c)
        for (uint32_t i = 0; i < count; ++i)
            columns[(size_t)c * LANES + i] = factor * rows[i * row_step + c * component_step];
}

QUARTIC_CLONES void quartic_flash_turn_back(const float *columns, uint32_t count, uint32_t d, float factor,
                                            float *rows, int64_t row_step) {
    turn(columns, LANES, d, count, factor, rows, row_step);
}

QUARTIC_CLONES void quartic_flash_scale(const float *scale, uint32_t d, float *columns) {
    for (uint32_t c = 0; c < d; ++c, columns += LANES)
#pragma omp simd
        for (uint32_t i = 0; i < LANES; ++i) columns[i] *= scale[i];
}

QUARTIC_CLONES void quartic_flash_weigh(uint32_t count, const int32_t *rows, const int32_t *limits,
                                        float *scores, float *top, float *total, float *scale) {
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

QUARTIC_CLONES void quartic_flash_slopes(uint32_t count, const int32_t *rows, const int32_t *limits,
                                         size_t terms_step, const float *lse, const float *delta,
                                         float *scores, float *products) {
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
