/* matmul_kernel.c: the kernels of matmul_kernel_body.h for each instruction set, and the choice among them.
 *
 * The choice is made when the program runs, so one build serves every machine: AVX-512, AVX2 with FMA, or
 * four floats at a time with whatever the compiler's baseline has (SSE2, NEON). Each comes twice: with sums
 * in float, and with sums in double (floats are widened as they are loaded and rounded once, when they are
 * stored).
 */
#include "fast/matmul_kernel.h"

#include <stddef.h>
#include <string.h>

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
#define LOAD_PART(p, n)     _mm512_maskz_loadu_ps((__mmask16)((1u << (n)) - 1u), p)
#define STORE_PART(p, n, v) _mm512_mask_storeu_ps(p, (__mmask16)((1u << (n)) - 1u), v)
#define FMA(a, b, c)        _mm512_fmadd_ps(a, b, c)
#define SUM(v)              _mm512_reduce_add_ps(v)
#include "fast/matmul_kernel_body.h"
#include "fast/matmul_kernel_end.h"

/* The first n of eight lanes: a window that slides over ones and zeros. */
static const int32_t window[16] = {-1, -1, -1, -1, -1, -1, -1, -1};
#define FIRST(n)  _mm256_loadu_si256((const __m256i_u *)(window + 8 - (n)))
#define FIRST4(n) _mm_loadu_si128((const __m128i_u *)(window + 8 - (n)))

#define NAME(x)             x##_avx512_double
#define KERNELS_NAME        "avx512, sums in double"
#define TARGET              __attribute__((target("avx512f")))
#define VECTOR              __m512d
#define LANES               8
#define HEIGHT              12
#define SPLAT(x)            _mm512_set1_pd((double)(x))
#define LOAD(p)             _mm512_cvtps_pd(_mm256_loadu_ps(p))
#define STORE(p, v)         _mm256_storeu_ps(p, _mm512_cvtpd_ps(v))
#define LOAD_PART(p, n)     _mm512_cvtps_pd(_mm256_maskload_ps(p, FIRST(n)))
#define STORE_PART(p, n, v) _mm256_maskstore_ps(p, FIRST(n), _mm512_cvtpd_ps(v))
#define FMA(a, b, c)        _mm512_fmadd_pd(a, b, c)
#define SUM(v)              ((float)_mm512_reduce_add_pd(v))
#include "fast/matmul_kernel_body.h"
#include "fast/matmul_kernel_end.h"

__attribute__((target("avx2"))) static inline float matmul_sum_avx2(__m256 v) {
    __m128 half = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    half = _mm_add_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_add_ss(half, _mm_movehdup_ps(half)));
}
__attribute__((target("avx2"))) static inline float matmul_sum_avx2_double(__m256d v) {
    __m128d half = _mm_add_pd(_mm256_castpd256_pd128(v), _mm256_extractf128_pd(v, 1));
    return (float)(_mm_cvtsd_f64(half) + _mm_cvtsd_f64(_mm_unpackhi_pd(half, half)));
}

#define NAME(x)             x##_avx2
#define KERNELS_NAME        "avx2"
#define TARGET              __attribute__((target("avx2,fma")))
#define VECTOR              __m256
#define LANES               8
#define HEIGHT              6
#define SPLAT(x)            _mm256_set1_ps(x)
#define LOAD(p)             _mm256_loadu_ps(p)
#define STORE(p, v)         _mm256_storeu_ps(p, v)
#define LOAD_PART(p, n)     _mm256_maskload_ps(p, FIRST(n))
#define STORE_PART(p, n, v) _mm256_maskstore_ps(p, FIRST(n), v)
#define FMA(a, b, c)        _mm256_fmadd_ps(a, b, c)
#define SUM(v)              matmul_sum_avx2(v)
#include "fast/matmul_kernel_body.h"
#include "fast/matmul_kernel_end.h"

#define NAME(x)             x##_avx2_double
#define KERNELS_NAME        "avx2, sums in double"
#define TARGET              __attribute__((target("avx2,fma")))
#define VECTOR              __m256d
#define LANES               4
#define HEIGHT              6
#define SPLAT(x)            _mm256_set1_pd((double)(x))
#define LOAD(p)             _mm256_cvtps_pd(_mm_loadu_ps(p))
#define STORE(p, v)         _mm_storeu_ps(p, _mm256_cvtpd_ps(v))
#define LOAD_PART(p, n)     _mm256_cvtps_pd(_mm_maskload_ps(p, FIRST4(n)))
#define STORE_PART(p, n, v) _mm_maskstore_ps(p, FIRST4(n), _mm256_cvtpd_ps(v))
#define FMA(a, b, c)        _mm256_fmadd_pd(a, b, c)
#define SUM(v)              matmul_sum_avx2_double(v)
#include "fast/matmul_kernel_body.h"
#include "fast/matmul_kernel_end.h"
#endif

typedef float floats4 __attribute__((vector_size(16)));
typedef double doubles4 __attribute__((vector_size(32)));

static inline floats4 matmul_load_part4(const float *p, // (n)
                                        int64_t n) {
    floats4 v = {0};
    for (int64_t lane = 0; lane < n; ++lane) v[lane] = p[lane];
    return v;
}
static inline floats4 matmul_load4(const float *p // (4)
) {
    floats4 v;
    memcpy(&v, p, sizeof v);
    return v;
}
static inline void matmul_store_part4(float *p, // (n)
                                      int64_t n, floats4 v) {
    memcpy(p, &v, (size_t)n * sizeof *p);
}

#define NAME(x)      x##_plain
#define KERNELS_NAME "plain"
#define TARGET
#define VECTOR              floats4
#define LANES               4
#define HEIGHT              6
#define SPLAT(x)            ((floats4){(x), (x), (x), (x)})
#define LOAD(p)             matmul_load4(p)
#define STORE(p, v)         matmul_store_part4(p, 4, v)
#define LOAD_PART(p, n)     matmul_load_part4(p, n)
#define STORE_PART(p, n, v) matmul_store_part4(p, n, v)
#define FMA(a, b, c)        ((a) * (b) + (c))
#define SUM(v)              ((v)[0] + (v)[2] + ((v)[1] + (v)[3]))
#include "fast/matmul_kernel_body.h"
#include "fast/matmul_kernel_end.h"

#define NAME(x)      x##_plain_double
#define KERNELS_NAME "plain, sums in double"
#define TARGET
#define VECTOR              doubles4
#define LANES               4
#define HEIGHT              6
#define SPLAT(x)            ((doubles4){(x), (x), (x), (x)})
#define LOAD(p)             __builtin_convertvector(matmul_load4(p), doubles4)
#define STORE(p, v)         matmul_store_part4(p, 4, __builtin_convertvector(v, floats4))
#define LOAD_PART(p, n)     __builtin_convertvector(matmul_load_part4(p, n), doubles4)
#define STORE_PART(p, n, v) matmul_store_part4(p, n, __builtin_convertvector(v, floats4))
#define FMA(a, b, c)        ((a) * (b) + (c))
#define SUM(v)              ((float)((v)[0] + (v)[2] + ((v)[1] + (v)[3])))
#include "fast/matmul_kernel_body.h"
#include "fast/matmul_kernel_end.h"

const quartic_matmul_kernels *quartic_matmul_kernels_at(uint32_t index, bool in_double) {
    const quartic_matmul_kernels *sets[3] = {NULL};
    uint32_t count = 0;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f"))
        sets[count++] = in_double ? &kernels_avx512_double : &kernels_avx512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        sets[count++] = in_double ? &kernels_avx2_double : &kernels_avx2;
#endif
    sets[count++] = in_double ? &kernels_plain_double : &kernels_plain;
    return index < count ? sets[index] : NULL;
}

const quartic_matmul_kernels *quartic_matmul_kernels_best(bool in_double) {
    return quartic_matmul_kernels_at(0, in_double);
}
