/* multiply_add_loop.c (fast): tuned multiply_add_loop: blocks of independent elements kept in vector
 * registers.
 *
 * A block is 128 elements: 8 registers of AVX-512, 16 of AVX2, either enough to cover the latency of a fused
 * multiply-add. Compiled with contraction, like the other kernels that are sums of products.
 */
#include <string.h>

#include "fast/parts.h"
#include "ops/multiply_add_loop.h"

enum { BLOCK = 128 };

QUARTIC_CLONES static void multiply_add_loop_run_block(const quartic_multiply_add_loop_attrs *attrs,
                                                       const float *x, // (elements)
                                                       float *y,       // (elements)
                                                       uint64_t elements) {
    float block[BLOCK];
    const float factor = attrs->factor, offset = attrs->offset;
    memcpy(block, x, elements * sizeof block[0]);
    for (uint64_t i = elements; i < BLOCK; ++i) block[i] = 0;
    for (uint32_t round = 0; round < attrs->count; ++round)
#pragma omp simd
        for (int i = 0; i < BLOCK; ++i) block[i] = block[i] * factor + offset;
    memcpy(y, block, elements * sizeof block[0]);
}

static void multiply_add_loop_run(const quartic_op_run *run) {
    const float *x = run->inputs[0].data; // (elements)
    float *y = run->outputs[0].data;      // (elements)
    const uint64_t elements = quartic_layout_elements(run->outputs[0].layout),
                   blocks = (elements + BLOCK - 1) / BLOCK;
    const uint32_t threads = blocks < run->threads ? (uint32_t)blocks : run->threads;
#pragma omp parallel for num_threads(threads) schedule(static)
    for (uint64_t block = 0; block < blocks; ++block) {
        uint64_t begin = block * BLOCK, rest = elements - begin;
        multiply_add_loop_run_block(run->attrs, x + begin, y + begin, rest < BLOCK ? rest : BLOCK);
    }
}

const quartic_fast_kernel quartic_fast_multiply_add_loop = {
    .op = &quartic_op_multiply_add_loop,
    .run = multiply_add_loop_run,
};
