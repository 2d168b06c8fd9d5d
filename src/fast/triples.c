/* triples.c (fast): sums of products of three factors. See triples.h.
 *
 * A tile is two rows and four k: for each vector, four loads of w serve eight products, and a sum is loaded
 * and stored once for four of them.
 */
#include "fast/triples.h"

#include "fast/parts.h"

enum { LANES = QUARTIC_FLASH_LANES, DEPTH = 4 };

/* Where the factors of the next tile begin: of two rows; x and y of the second are those of the first if
 * there is only one. */
typedef struct cursor {
    const float *w;          // (depth, LANES)
    const float *x, *next_x; // (depth, LANES), x_depth apart
    const float *y, *next_y; // (depth), y_depth apart
} cursor;

/* Two rows, or with `one` only the first, for DEPTH k, or with `single` one. Numbers that do not vary with
 * the lane are read before the loop, so that it becomes vectors with all sums in registers. */
QUARTIC_INLINE void triples_add_tile(const cursor at, size_t x_depth, size_t y_depth,
                                     float *restrict sums, // (2, LANES), or with `one` (LANES)
                                     const bool one, const bool single) {
    const float *restrict w = at.w, *restrict x = at.x, *restrict next_x = at.next_x;
    const size_t x_step = single ? 0 : x_depth, y_step = single ? 0 : y_depth, w_step = single ? 0 : LANES;
    const float y0 = at.y[0], y1 = at.y[y_step], y2 = at.y[2 * y_step], y3 = at.y[3 * y_step];
    const float z0 = at.next_y[0], z1 = at.next_y[y_step], z2 = at.next_y[2 * y_step],
                z3 = at.next_y[3 * y_step];
#pragma omp simd
    for (uint32_t i = 0; i < LANES; ++i) {
        const float w0 = w[i], w1 = w[w_step + i], w2 = w[2 * w_step + i], w3 = w[3 * w_step + i];
        float sum = sums[i] + w0 * x[i] * y0;
        if (!single)
            sum = sum + w1 * x[x_step + i] * y1 + w2 * x[2 * x_step + i] * y2 + w3 * x[3 * x_step + i] * y3;
        sums[i] = sum;
        if (!one) {
            float next = sums[LANES + i] + w0 * next_x[i] * z0;
            if (!single)
                next = next + w1 * next_x[x_step + i] * z1 + w2 * next_x[2 * x_step + i] * z2 +
                       w3 * next_x[3 * x_step + i] * z3;
            sums[LANES + i] = next;
        }
    }
}

QUARTIC_INLINE void triples_advance(cursor *at, const quartic_triples *t, uint32_t depth) {
    at->w += depth * LANES;
    at->x += depth * t->x_depth;
    at->next_x += depth * t->x_depth;
    at->y += depth * t->y_depth;
    at->next_y += depth * t->y_depth;
}

QUARTIC_INLINE void triples_add_rows(const quartic_triples t, uint32_t r, const bool one) {
    cursor at = {.w = t.w, .x = t.x + r * t.x_row, .y = t.y + r * t.y_row};
    at.next_x = one ? at.x : at.x + t.x_row;
    at.next_y = one ? at.y : at.y + t.y_row;
    float *sums = t.result + (size_t)r * LANES; // (2, LANES), or with `one` (LANES)
    uint32_t left = t.depth;
    for (; left >= DEPTH; left -= DEPTH, triples_advance(&at, &t, DEPTH))
        triples_add_tile(at, t.x_depth, t.y_depth, sums, one, false);
    for (; left > 0; --left, triples_advance(&at, &t, 1))
        triples_add_tile(at, t.x_depth, t.y_depth, sums, one, true);
}

QUARTIC_CLONES void quartic_triples_add(const quartic_triples *triples) {
    const quartic_triples t = *triples; /* a copy, which the sums cannot alias */
    for (uint32_t r = 0; r + 2 <= t.rows; r += 2) triples_add_rows(t, r, false);
    if (t.rows % 2 != 0) triples_add_rows(t, t.rows - 1, true);
}
