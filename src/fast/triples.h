/* triples.h (fast): sums of products of three factors, for lanes of vectors: what a matrix product cannot
 * do. */
#ifndef QUARTIC_FAST_TRIPLES_H
#define QUARTIC_FAST_TRIPLES_H

#include "fast/flash.h"

/* result_r += sum over k of w_k * x_rk * y_rk, lane by lane. result may not overlap the factors. */
typedef struct quartic_triples {
    uint32_t rows, depth;
    const float *w; // (depth, LANES)
    const float *x; // (rows, depth, LANES) at the strides x_row, x_depth
    const float *y; // (rows, depth) at the strides y_row, y_depth
    size_t x_row, x_depth, y_row, y_depth;
    float *result; // (rows, LANES)
} quartic_triples;

void quartic_triples_add(const quartic_triples *triples);

#endif
