/* parts.h (fast): what the tuned kernels share: splitting work over threads, walking strided tensors, and
 * compiling kernels for several instruction sets.
 */
#ifndef QUARTIC_FAST_PARTS_H
#define QUARTIC_FAST_PARTS_H

#include "fast/fast.h"

/* A function marked QUARTIC_CLONES is compiled for AVX-512, AVX2 and the baseline, and the loader picks one.
 * The mark does not reach the bodies of OpenMP regions, so it belongs on the kernels that these call. Only
 * GCC on x86-64 with glibc has all of it; elsewhere the baseline is all there is. Sanitizers instrument the
 * picking function before their runtime is up, so they get the baseline too. */
#if defined(__x86_64__) && defined(__ELF__) && defined(__GLIBC__) && defined(__GNUC__) &&                    \
    !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#if __GNUC__ >= 12
#define QUARTIC_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#endif
#endif
#ifndef QUARTIC_CLONES
#define QUARTIC_CLONES
#endif

/* For a function that must become part of every clone. */
#define QUARTIC_INLINE static inline __attribute__((always_inline))

/* The number of parts to split `elements` elements of light work into: a thread is worth waking for about
 * 16384 elements. */
static inline uint32_t quartic_parts(uint64_t elements, uint32_t threads) {
    uint64_t most = elements / 16384;
    return most < 1 ? 1 : most < threads ? (uint32_t)most : threads;
}

/* Where part `part` of count things begins; it ends where the next part begins. */
static inline uint64_t quartic_part_begin(uint64_t count, uint32_t parts, uint32_t part) {
    return count * part / parts;
}

static inline size_t quartic_round_up(size_t count, size_t multiple) {
    return (count + multiple - 1) / multiple * multiple;
}

/* A walk over the leading `rank` axes of up to three layouts of one shape, in row-major order. */
enum { QUARTIC_WALK_MAX = 3 };
typedef struct quartic_walk {
    const quartic_layout *layouts[QUARTIC_WALK_MAX];
    uint32_t count, rank;
    uint32_t index[QUARTIC_MAX_RANK];
    int64_t at[QUARTIC_WALK_MAX]; /* position in each layout, without its offset */
} quartic_walk;

/* Puts the walk, whose count, rank and layouts are set, on step `number`. */
static inline void quartic_walk_start(quartic_walk *walk, uint64_t number) {
    for (uint32_t l = 0; l < walk->count; ++l) walk->at[l] = 0;
    for (uint32_t axis = walk->rank; axis-- > 0;) {
        uint32_t extent = walk->layouts[0]->shape.dims[axis];
        walk->index[axis] = (uint32_t)(number % extent);
        number /= extent;
        for (uint32_t l = 0; l < walk->count; ++l)
            walk->at[l] += walk->index[axis] * walk->layouts[l]->strides[axis];
    }
}

/* One step further; after the last step the walk is on the first again. */
static inline void quartic_walk_next(quartic_walk *walk) {
    for (uint32_t axis = walk->rank; axis-- > 0;) {
        uint32_t extent = walk->layouts[0]->shape.dims[axis];
        bool wraps = ++walk->index[axis] == extent;
        int64_t steps = wraps ? 1 - (int64_t)extent : 1;
        for (uint32_t l = 0; l < walk->count; ++l) walk->at[l] += steps * walk->layouts[l]->strides[axis];
        if (!wraps) return;
        walk->index[axis] = 0;
    }
}

/* Copies 4-byte elements from layout to layout of one shape (copy.c); x and y point at the first elements. */
void quartic_fast_move(const void *x, // as `from` says
                       const quartic_layout *from,
                       void *y, // as `to` says
                       const quartic_layout *to, uint32_t threads);

/* Exchanges two axes of a layout. */
static inline void quartic_swap_axes(quartic_layout *layout, uint32_t a, uint32_t b) {
    uint32_t extent = layout->shape.dims[a];
    int64_t stride = layout->strides[a];
    layout->shape.dims[a] = layout->shape.dims[b];
    layout->strides[a] = layout->strides[b];
    layout->shape.dims[b] = extent;
    layout->strides[b] = stride;
}

#endif
