/* triples.h: sums of products of three factors, for lanes of vectors: what a matrix product cannot do. */
#ifndef QUARTIC_FAST_TRIPLES_H
#define QUARTIC_FAST_TRIPLES_H

#include "fast/flash.h"

/* result (rows, LANES) += sum over k of w_k * x_rk * y_rk, where w_k is row k of w (depth, LANES), x_rk LANES
 * numbers at x + r x_row + k x_depth, and y_rk one number at y + r y_row + k y_depth. result may not overlap
 * the factors. */
typedef struct quartic_triples {
    uint32_t rows, depth;
    const float *w, *x, *y;
    size_t x_row, x_depth, y_row, y_depth;
    float *result;
} quartic_triples;

void quartic_triples_add(const quartic_triples *triples);

#endif
