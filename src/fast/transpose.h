/* transpose.h (fast): 4-byte elements that are dense along one axis, stored dense along another, in squares
 * of 4 x 4: a vector of four is a register on every machine.
 */
#ifndef QUARTIC_FAST_TRANSPOSE_H
#define QUARTIC_FAST_TRANSPOSE_H

#include <stdint.h>
#include <string.h>

#include "fast/parts.h"

enum { QUARTIC_LINE = 16 }; /* elements of a cache line */

typedef int32_t quartic_words __attribute__((vector_size(16)));

QUARTIC_INLINE quartic_words quartic_load_words(const int32_t *x // (4)
) {
    quartic_words v;
    memcpy(&v, x, sizeof v);
    return v;
}

QUARTIC_INLINE void quartic_store_words(int32_t *y, // (4)
                                        quartic_words v) {
    memcpy(y, &v, sizeof v);
}

/* Elements i, j, k, l of a (0 to 3) and b (4 to 7). */
#if defined(__clang__)
#define QUARTIC_PICK(a, b, i, j, k, l) __builtin_shufflevector(a, b, i, j, k, l)
#else
#define QUARTIC_PICK(a, b, i, j, k, l) __builtin_shuffle(a, b, (quartic_words){i, j, k, l})
#endif

/* y = the transpose of x, in registers. */
QUARTIC_INLINE void quartic_transpose_square(const int32_t *x, // (4, 4), rows x_step apart
                                             int64_t x_step,
                                             int32_t *y, // (4, 4), rows y_step apart
                                             int64_t y_step) {
    const quartic_words a = quartic_load_words(x), b = quartic_load_words(x + x_step),
                        c = quartic_load_words(x + 2 * x_step), d = quartic_load_words(x + 3 * x_step);
    const quartic_words ac_low = QUARTIC_PICK(a, c, 0, 4, 1, 5), ac_high = QUARTIC_PICK(a, c, 2, 6, 3, 7);
    const quartic_words bd_low = QUARTIC_PICK(b, d, 0, 4, 1, 5), bd_high = QUARTIC_PICK(b, d, 2, 6, 3, 7);
    quartic_store_words(y, QUARTIC_PICK(ac_low, bd_low, 0, 4, 1, 5));
    quartic_store_words(y + y_step, QUARTIC_PICK(ac_low, bd_low, 2, 6, 3, 7));
    quartic_store_words(y + 2 * y_step, QUARTIC_PICK(ac_high, bd_high, 0, 4, 1, 5));
    quartic_store_words(y + 3 * y_step, QUARTIC_PICK(ac_high, bd_high, 2, 6, 3, 7));
}

/* y[r * y_step + c] = x[r + c * x_step] for r < rows and c < columns; prefetches what lies `ahead` elements
 * behind what it reads. Four columns of x at a time: columns are often a power of two apart, so that few of
 * their lines fit the first-level cache together, and prefetching follows few streams. */
QUARTIC_INLINE void quartic_transpose(const void *from, // x: (columns, rows), columns x_step apart
                                      int64_t x_step, int64_t ahead,
                                      void *to, // y: (rows, columns), rows y_step apart
                                      int64_t y_step, int64_t rows, int64_t columns) {
    enum { SQUARE = 4 };
    const int32_t *restrict x = from;
    int32_t *restrict y = to;
    const int64_t whole = rows - rows % SQUARE;
    int64_t c = 0;
    for (; c + SQUARE <= columns; c += SQUARE) {
        for (int64_t r = 0; r < whole; r += SQUARE) {
            const int32_t *square = x + r + c * x_step;
            for (int64_t k = 0; k < SQUARE && r % QUARTIC_LINE == 0; ++k)
                __builtin_prefetch(square + k * x_step + ahead);
            quartic_transpose_square(square, x_step, y + r * y_step + c, y_step);
        }
        for (int64_t r = whole; r < rows; ++r)
            for (int64_t k = c; k < c + SQUARE; ++k) y[r * y_step + k] = x[r + k * x_step];
    }
    for (; c < columns; ++c)
        for (int64_t r = 0; r < rows; ++r) y[r * y_step + c] = x[r + c * x_step];
}

#undef QUARTIC_PICK

#endif
