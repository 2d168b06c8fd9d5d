/* matmul_kernel.h: the inner loops of the tuned matrix product, for the best instruction set of the machine.
 *
 * tile    rows x columns results in registers: for every k, the columns' vectors of B times each row's
 *         element of A. A may lie at any strides; B's columns are neighbours (b_col 1, or packed).
 * dot     up to 4 x 4 results as dot products along dense k.
 *
 * Both give the same bits for a row or column however many others are computed with it.
 */
#ifndef QUARTIC_FAST_MATMUL_KERNEL_H
#define QUARTIC_FAST_MATMUL_KERNEL_H

#include <stdbool.h>
#include <stdint.h>

enum { QUARTIC_MATMUL_DOT_TILE = 4 };

/* c[i, j] = alpha * sum_k a[i, k] b[k, j] + bias[j] + add[i, j], over all of c's rows and columns. add may
 * be c. Rows of c and add are result_row apart. */
typedef struct quartic_matmul_tile {
    int64_t rows, columns, k; /* columns at most the kernels' width */
    const float *a;           // (rows, k) at the strides a_row, a_k
    int64_t a_row, a_k;
    const float *b; // (k, columns), rows b_k apart
    int64_t b_k;
    float alpha;
    const float *bias; // (columns), or NULL
    const float *add;  // (rows, columns), or NULL
    float *c;          // (rows, columns)
    int64_t result_row;
} quartic_matmul_tile;

typedef struct quartic_matmul_kernels {
    const char *name;
    int64_t width;  /* columns of a full tile */
    int64_t height; /* rows that are computed at once */
    void (*tile)(const quartic_matmul_tile *tile);
    /* out[i * 4 + j] = sum_k a[i * a_row + k] * b[j * b_col + k], i < rows, j < columns, both at most 4. */
    void (*dot)(int64_t rows, int64_t columns, int64_t k,
                const float *a, // (rows, k), rows a_row apart
                int64_t a_row,
                const float *b, // (columns, k), columns b_col apart
                int64_t b_col,
                float *out // (rows, 4)
    );
} quartic_matmul_kernels;

/* The fastest set that this machine runs, with sums in double or in float. */
const quartic_matmul_kernels *quartic_matmul_kernels_best(bool in_double);

/* Every set that this machine runs, for tests: NULL beyond the last. */
const quartic_matmul_kernels *quartic_matmul_kernels_at(uint32_t index, bool in_double);

#endif
