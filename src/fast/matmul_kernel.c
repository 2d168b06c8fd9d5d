/* matmul_kernel.c: the kernels of matmul_kernel_body.h for each instruction set, and the choice among them.
 *
 * The choice is made when the program runs, so one build serves every machine: AVX-512, AVX2 with FMA, or
 * four floats at a time with whatever the compiler's baseline has (SSE2, NEON).
 */
#include "fast/matmul_kernel.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* Intrinsics are signed about their masks and counts; the casts below are within range. */
#if defined(__x86_64__)
#include <immintrin.h>

#define NAME(x)             x##_avx512
#define KERNELS_NAME        "avx512"
#define TARGET              __attribute__((target("avx512f")))
#define VECTOR              __m512
#define LANES               16
#define HEIGHT              12
#define SPLAT(x)            _mm512_set1_ps(x)
#define LOAD(p)             _mm512_loadu_ps(p)
#define STORE(p, v)         _mm512_storeu_ps(p, v)
#define PART(n)             ((__mmask16)((1u << (n)) - 1u))
#define LOAD_PART(p, n)     _mm512_maskz_loadu_ps(PART(n), p)
#define STORE_PART(p, n, v) _mm512_mask_storeu_ps(p, PART(n), v)
#define FMA(a, b, c)        _mm512_fmadd_ps(a, b, c)
#define SUM(v)              _mm512_reduce_add_ps(v)
#include "fast/matmul_kernel_body.h"
#undef NAME
#undef KERNELS_NAME
#undef TARGET
#undef VECTOR
#undef LANES
#undef HEIGHT
#undef SPLAT
#undef LOAD
#undef STORE
#undef PART
#undef LOAD_PART
#undef STORE_PART
#undef FMA
#undef SUM

#define NAME(x)      x##_avx2
#define KERNELS_NAME "avx2"
#define TARGET       __attribute__((target("avx2,fma")))
#define VECTOR       __m256
#define LANES        8
#define HEIGHT       6
#define SPLAT(x)     _mm256_set1_ps(x)
#define LOAD(p)      _mm256_loadu_ps(p)
#define STORE(p, v)  _mm256_storeu_ps(p, v)
__attribute__((target("avx2"))) static inline float sum_avx2(__m256 v) {
    __m128 half = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    half = _mm_add_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_add_ss(half, _mm_movehdup_ps(half)));
}
/* The first n of eight lanes: a window that slides over ones and zeros. */
static const int32_t window_avx2[16] = {-1, -1, -1, -1, -1, -1, -1, -1};
#define PART(n)             _mm256_loadu_si256((const __m256i_u *)(window_avx2 + 8 - (n)))
#define LOAD_PART(p, n)     _mm256_maskload_ps(p, PART(n))
#define STORE_PART(p, n, v) _mm256_maskstore_ps(p, PART(n), v)
#define FMA(a, b, c)        _mm256_fmadd_ps(a, b, c)
#define SUM(v)              sum_avx2(v)
#include "fast/matmul_kernel_body.h"
#undef NAME
#undef KERNELS_NAME
#undef TARGET
#undef VECTOR
#undef LANES
#undef HEIGHT
#undef SPLAT
#undef LOAD
#undef STORE
#undef PART
#undef LOAD_PART
#undef STORE_PART
#undef FMA
#undef SUM
#endif

typedef float floats4 __attribute__((vector_size(16)));

static inline floats4 load_part4(const float *p, int64_t n) {
    floats4 v = {0};
    for (int64_t lane = 0; lane < n; ++lane) v[lane] = p[lane];
    return v;
}
static inline floats4 load4(const float *p) {
    floats4 v;
    memcpy(&v, p, sizeof v);
    return v;
}

#define NAME(x)      x##_plain
#define KERNELS_NAME "plain"
#define TARGET
#define VECTOR              floats4
#define LANES               4
#define HEIGHT              6
#define SPLAT(x)            ((floats4){(x), (x), (x), (x)})
#define LOAD(p)             load4(p)
#define STORE(p, v)         memcpy((p), &(v), sizeof(floats4))
#define LOAD_PART(p, n)     load_part4(p, n)
#define STORE_PART(p, n, v) memcpy((p), &(v), (size_t)(n) * sizeof(float))
#define FMA(a, b, c)        ((a) * (b) + (c))
#define SUM(v)              ((v)[0] + (v)[2] + ((v)[1] + (v)[3]))
#include "fast/matmul_kernel_body.h"

const quartic_matmul_kernels *quartic_matmul_kernels_at(uint32_t index) {
    const quartic_matmul_kernels *sets[4] = {NULL};
    uint32_t count = 0;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f")) sets[count++] = &kernels_avx512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) sets[count++] = &kernels_avx2;
#endif
    sets[count++] = &kernels_plain;
    return index < count ? sets[index] : NULL;
}

const quartic_matmul_kernels *quartic_matmul_kernels_best(void) {
    return quartic_matmul_kernels_at(0);
}
