/* matmul_channels.h (fast): products of matrices that lie side by side, element by element: (.., m, k,
 * channels) seen as (.., channels, m, k). See matmul_channels.c.
 */
#ifndef QUARTIC_FAST_MATMUL_CHANNELS_H
#define QUARTIC_FAST_MATMUL_CHANNELS_H

#include <stddef.h>

#include "fast/matmul_kernel.h"
#include "ops/matmul/problem.h"

/* Operands of a product, each at its first element, a and b at the problem's strides. */
typedef struct quartic_matmul_data {
    const float *a;      // (batches, m, k)
    const float *b;      // (batches, k, n)
    const float *bias;   // (n), or NULL
    const float *addend; // (batches, m, n), or NULL
    float *c;            // (batches, m, n)
} quartic_matmul_data;

/* Whether the last batch axis of an operand is its dense one. */
bool quartic_matmul_is_by_channels(const quartic_matmul_problem *problem);

/* Floats of scratch, for all threads: bounded whatever the extents. */
size_t quartic_matmul_channels_scratch(const quartic_matmul_problem *problem,
                                       const quartic_matmul_kernels *kernels, uint32_t threads);

/* The product; scratch: as many floats as quartic_matmul_channels_scratch says for the same arguments. */
void quartic_matmul_channels(const quartic_matmul_problem *problem, const quartic_matmul_kernels *kernels,
                             uint32_t threads, const quartic_matmul_data *data, float *scratch);

#endif
