/* flash.h: what the tuned kernels of softmax attention share.
 *
 * Queries lie in the lanes of vectors, LANES = QUARTIC_FLASH_LANES at a time. Keys lie in rows, so scores and
 * weights are (keys, LANES). A key has a row number and a query has a limit: a query sees the keys with
 * row <= limit. The matrix products are those of matmul_kernel.h.
 *
 * For a block of keys, forward:
 *   scores  = keys q^T + bias
 *   weights = exp(scores - top), with a running maximum `top` and a running sum `total` of each query
 *   sums    = sums * exp(old top - top) + weights^T values
 * and backward, with lse = log(sum of exp(scores)) and delta = g . out of each query:
 *   p  = exp(scores - lse)
 *   ds = p (values g^T - delta)
 *   dq += ds^T keys,  dkeys += ds q,  dvalues += p g
 */
#ifndef QUARTIC_FAST_FLASH_H
#define QUARTIC_FAST_FLASH_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "fast/matmul_kernel.h"
#include "lib/functions.h"

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

/* A product as in matmul_kernel.h, for any number of columns: the tile's, which is moved along them. */
static inline void quartic_flash_multiply(const quartic_matmul_kernels *kernels, quartic_matmul_tile tile) {
    for (int64_t left = tile.columns; left > 0; left -= kernels->width) {
        tile.columns = left < kernels->width ? left : kernels->width;
        kernels->tile(&tile);
        tile.b += kernels->width;
        tile.c += kernels->width;
        if (tile.add != NULL) tile.add += kernels->width;
    }
}

/* result = addend + a b, where a(i, k) lies at a + i a_row + k a_depth, b is dense, and the rows of result
 * and addend are result_row apart. */
static inline void quartic_flash_product(const quartic_matmul_kernels *kernels, int64_t rows, int64_t columns,
                                         int64_t depth,
                                         const float *a, // (rows, depth)
                                         int64_t a_row, int64_t a_depth,
                                         const float *b,      // (depth, columns)
                                         const float *addend, // (rows, columns), or NULL
                                         float *result,       // (rows, columns)
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

/* columns = factor * the transpose of `count` rows of d components. Lanes beyond count are left as they
 * are. */
void quartic_flash_to_columns(const float *rows,      // (count, d)
                              int64_t row_step,       /* from row to row */
                              int64_t component_step, /* from component to component */
                              uint32_t count, uint32_t d, float factor,
                              float *columns); // (d, LANES)

/* The same, with zeros in the lanes beyond count. */
static inline void quartic_flash_to_padded_columns(const float *rows, // (count, d)
                                                   int64_t row_step, int64_t component_step, uint32_t count,
                                                   uint32_t d, float factor,
                                                   float *columns) { // (d, LANES)
    if (count < QUARTIC_FLASH_LANES) memset(columns, 0, (size_t)d * QUARTIC_FLASH_LANES * sizeof *columns);
    quartic_flash_to_columns(rows, row_step, component_step, count, d, factor, columns);
}

/* The way back: `count` rows of d components, row_step apart. */
void quartic_flash_from_columns(const float *columns, // (d, LANES)
                                uint32_t count, uint32_t d, float factor,
                                float *rows, // (count, d)
                                int64_t row_step);

/* columns *= scale, lane by lane. */
void quartic_flash_scale(const float *scale, // (LANES)
                         uint32_t d,
                         float *columns); // (d, LANES)

/* Scores of `count` keys become weights exp(score - top), 0 where hidden. top and total are brought up to
 * date; scale is what earlier sums are to be multiplied by. top starts as the lowest, total as 0. */
void quartic_flash_weigh(uint32_t count,
                         const int32_t *rows,   // (count)
                         const int32_t *limits, // (LANES)
                         float *scores,         // (count, LANES)
                         float *top,            // (LANES)
                         float *total,          // (LANES)
                         float *scale);         // (LANES)

/* Scores of `count` keys become p = exp(score - lse), 0 where hidden. The products dp become
 * ds = p (dp - delta), 0 where delta is quartic_flash_lone. terms_step: 0, or LANES where every key has
 * its own lse and delta. */
void quartic_flash_slopes(uint32_t count,
                          const int32_t *rows,   // (count)
                          const int32_t *limits, // (LANES)
                          size_t terms_step,
                          const float *lse,   // (LANES), or (count, LANES)
                          const float *delta, // (LANES), or (count, LANES)
                          float *scores,      // (count, LANES)
                          float *products);   // (count, LANES)

/* ---- a block of queries and a block of keys ---- */

typedef struct quartic_flash_keys {
    uint32_t count, d;
    const float *keys, *values; // (count, d)
    const float *bias;          // (count, LANES): added to the scores; or NULL
    const int32_t *rows;        // (count)
} quartic_flash_keys;

/* The running softmax of LANES queries. */
typedef struct quartic_flash_softmax {
    float top[QUARTIC_FLASH_LANES], total[QUARTIC_FLASH_LANES];
    float *sums; // (LANES, d)
} quartic_flash_softmax;

/* Nothing seen yet; clears sums. */
quartic_flash_softmax quartic_flash_softmax_begin(float *sums, // (LANES, d)
                                                  uint32_t d);

/* The queries attend over a block of keys. */
void quartic_flash_attend(const quartic_matmul_kernels *kernels, const quartic_flash_keys *block,
                          const float *q_columns, // (d, LANES)
                          const int32_t *limits,  // (LANES)
                          float *scores,          // (count, LANES): scratch, weights afterwards
                          quartic_flash_softmax *softmax);

/* The end of a query's softmax: its lse, and in *out_inverse what its sums are to be multiplied by. sees:
 * whether it sees a key; needed only where total is 0, which is not true of a NaN, which stays one. */
static inline float quartic_flash_lse(float top, float total, bool sees, float *out_inverse) {
    *out_inverse = quartic_flash_inverse(total, sees);
    return total == 0 ? *out_inverse : top + approx_log(total);
}

/* What the adjoint needs of LANES queries. */
typedef struct quartic_flash_cotangents {
    uint32_t count;                     /* of the rows of q and g that dkeys and dvalues are summed over */
    const float *q, *g;                 // (LANES, d)
    const float *q_columns, *g_columns; // (d, LANES)
    const int32_t *limits;              // (LANES)
    const float *lse, *delta;           // (LANES)
    float *dq;                          // (LANES, d): added to
} quartic_flash_cotangents;

/* Adds a block of keys' share of dq, and the queries' share of dkeys and dvalues. */
void quartic_flash_attend_grad(const quartic_matmul_kernels *kernels, const quartic_flash_keys *block,
                               const quartic_flash_cotangents *queries,
                               float *scores,   // (count, LANES): scratch, p afterwards
                               float *products, // (count, LANES): scratch, ds afterwards
                               float *dkeys,    // (count, d)
                               float *dvalues); // (count, d)

#endif
