/* flash.h: what tuned rows of softmax attention share.
 *
 * Queries lie in the lanes of vectors, QUARTIC_FLASH_LANES at a time, and keys in rows: scores and weights
 * are (keys, lanes). A key has a row number and a query a limit; a query sees the keys with row <= limit. The
 * products are those of matmul_kernel.h.
 */
#ifndef QUARTIC_FAST_FLASH_H
#define QUARTIC_FAST_FLASH_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>

#include "fast/matmul_kernel.h"

enum { QUARTIC_FLASH_LANES = 32 };

/* The score of a hidden key, and the largest score where none was seen yet. */
static const float quartic_flash_lowest = -1e37f;

/* The delta of a query that sees one key only: its weight is 1 whatever its score. */
static const float quartic_flash_lone = 3e38f;

/* What the sums of a query are multiplied by at the end: 1 / total. One without a weight gets zeros if it
 * sees no key, else NaN, as softmax gives for scores that are all -inf (and here for those below the lowest).
 */
static inline float quartic_flash_inverse(float total, bool sees) {
    return total != 0 ? 1 / total : sees ? NAN : 0;
}

/* A product as in matmul_kernel.h, for any number of columns. */
static inline void quartic_flash_multiply(const quartic_matmul_kernels *kernels, quartic_matmul_tile tile) {
    for (int64_t left = tile.columns; left > 0; left -= kernels->width) {
        tile.columns = left < kernels->width ? left : kernels->width;
        kernels->tile(&tile);
        tile.b += kernels->width;
        tile.c += kernels->width;
        if (tile.add != NULL) tile.add += kernels->width;
    }
}

/* result (rows, columns), its rows result_row apart, = addend + a b: a(i, k) at a + i a_row + k a_depth, b
 * (depth, columns) dense, addend like result, or NULL. */
static inline void quartic_flash_product(const quartic_matmul_kernels *kernels, int64_t rows, int64_t columns,
                                         int64_t depth, const float *a, int64_t a_row, int64_t a_depth,
                                         const float *b, const float *addend, float *result,
                                         int64_t result_row) {
    const quartic_matmul_tile tile = {.rows = rows,
                                      .columns = columns,
                                      .k = depth,
                                      .a = a,
                                      .a_row = a_row,
                                      .a_k = a_depth,
                                      .b = b,
                                      .b_k = columns,
                                      .alpha = 1,
                                      .add = addend,
                                      .c = result,
                                      .result_row = result_row};
    quartic_flash_multiply(kernels, tile);
}

/* columns (d, lanes) = factor * the transpose of `count` rows, row_step apart, of d components,
 * component_step apart. Lanes beyond count are left as they are. */
void quartic_flash_turn(const float *rows, int64_t row_step, int64_t component_step, uint32_t count,
                        uint32_t d, float factor, float *columns);

/* The way back: `count` rows, row_step apart, of d components. */
void quartic_flash_turn_back(const float *columns, uint32_t count, uint32_t d, float factor, float *rows,
                             int64_t row_step);

/* columns (d, lanes) *= scale (lanes). */
void quartic_flash_scale(const float *scale, uint32_t d, float *columns);

/* Scores of `count` keys become weights exp(score - top), 0 where hidden; top and total (lanes) are brought
 * up to date, and scale (lanes) is what earlier sums are to be multiplied by. top starts as the lowest, total
 * as 0. */
void quartic_flash_weigh(uint32_t count, const int32_t *rows, const int32_t *limits, float *scores,
                         float *top, float *total, float *scale);

/* Scores of `count` keys become p = exp(score - lse), 0 where hidden, and the products dp in their place
 * ds = p (dp - delta), 0 where delta is quartic_flash_lone. lse and delta (lanes), or with terms_step LANES
 * (count, lanes). */
void quartic_flash_slopes(uint32_t count, const int32_t *rows, const int32_t *limits, size_t terms_step,
                          const float *lse, const float *delta, float *scores, float *products);

#endif
