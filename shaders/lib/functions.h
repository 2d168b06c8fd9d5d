/* functions.h: exp, log, tanh, sigmoid and the normal distribution in float32, one text for C and GLSL.
 *
 * GLSL has no erf, and Vulkan lets exp err by (3 + 2|x|) ulp and tanh lose all of its digits near 0; these
 * do not. Each is a straight line of additions, multiplications and selects, so C compilers vectorise it.
 * Errors measured against double over the whole range (tests/unit/ops_basic_numbers_test.c holds them):
 *   approx_exp 1.0 ulp · approx_log 0.85 ulp · approx_tanh 1.3 ulp · approx_sigmoid 2.4 ulp ·
 *   approx_normal_cdf 8e-8 absolute (erf: twice that)
 * NaN gives NaN; results below 2^-126 may be flushed to zero by a device.
 * Reductions are those of Cephes (Moshier): x = n ln 2 + r with ln 2 in two parts, the first with few bits.
 */
#ifndef QUARTIC_FUNCTIONS_H
#define QUARTIC_FUNCTIONS_H

#ifdef QUARTIC_GLSL
#define APPROX float
/* Keeps the compiler from reordering the two-part subtraction. */
#define APPROX_EXACT       precise float
#define APPROX_BITS(x)     floatBitsToInt(x)
#define APPROX_FLOAT(bits) intBitsToFloat(bits)
#define APPROX_ROUND(x)    roundEven(x)
#define APPROX_INT(x)      int(x)
#define APPROX_REAL(i)     float(i)
#define APPROX_ABS(x)      abs(x)
#define APPROX_WHOLE       int
#define APPROX_INFINITY    intBitsToFloat(0x7f800000)
#define APPROX_NAN         intBitsToFloat(0x7fc00000)
#else
#include <math.h>
#include <stdint.h>
#include <string.h>

#define APPROX          static inline __attribute__((always_inline)) float
#define APPROX_EXACT    float
static inline __attribute__((always_inline)) int32_t APPROX_BITS(float x) {
    int32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}
APPROX APPROX_FLOAT(int32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}
/* Adding 1.5 * 2^23 rounds to the nearest integer, for |x| < 2^22. */
APPROX APPROX_ROUND(float x) {
    return (x + 12582912.0f) - 12582912.0f;
}
#define APPROX_INT(x)   ((int32_t)(x))
#define APPROX_REAL(i)  ((float)(i))
#define APPROX_ABS(x)   fabsf(x)
#define APPROX_WHOLE    int32_t
#define APPROX_INFINITY INFINITY
#define APPROX_NAN      NAN
#endif

/* By the bits: a compiler that assumes that there are no NaNs drops x != x. */
#define APPROX_IS_NAN(x) ((APPROX_BITS(x) & 0x7fffffff) > 0x7f800000)

/* e^x. n lies in -150 .. 128, so 2^n is applied as two factors, which also rounds subnormals right. */
APPROX approx_exp(float x) {
    float y = x > -104.0f ? x : -104.0f; /* a NaN becomes -104 here and comes back below */
    y = y < 89.0f ? y : 89.0f;
    float n = APPROX_ROUND(y * 1.44269504f);
    APPROX_EXACT r = y - n * 0.693359375f;
    r = r - n * -2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = (p * (r * r) + r) + 1.0f;
    APPROX_WHOLE whole = APPROX_INT(n);
    APPROX_WHOLE part = whole / 2;
    float result = p * APPROX_FLOAT((part + 127) * 8388608) * APPROX_FLOAT((whole - part + 127) * 8388608);
    return APPROX_IS_NAN(x) ? x : result;
}

/* Natural logarithm: x = m 2^e with m in [sqrt(1/2), sqrt 2). log 0 = -infinity, log of a negative is NaN. */
APPROX approx_log(float x) {
    float scaled = x < 1.17549435e-38f ? x * 8388608.0f : x; /* a subnormal has no leading bit */
    APPROX_WHOLE bits = APPROX_BITS(scaled) & 0x7fffffff;    /* a negative number becomes NaN below */
    APPROX_WHOLE e = (bits - 0x3f3504f3) >> 23;              /* 0x3f3504f3: sqrt(1/2) */
    float m = APPROX_FLOAT(bits - e * 8388608) - 1.0f;
    float n = APPROX_REAL(x < 1.17549435e-38f ? e - 23 : e);
    float z = m * m;
    float p = 7.0376836292e-2f;
    p = p * m - 1.1514610310e-1f;
    p = p * m + 1.1676998740e-1f;
    p = p * m - 1.2420140846e-1f;
    p = p * m + 1.4249322787e-1f;
    p = p * m - 1.6668057665e-1f;
    p = p * m + 2.0000714765e-1f;
    p = p * m - 2.4999993993e-1f;
    p = p * m + 3.3333331174e-1f;
    APPROX_EXACT tail = p * m * z;
    tail = tail + n * -2.12194440e-4f;
    tail = tail - 0.5f * z;
    float result = (m + tail) + n * 0.693359375f;
    result = x == 0.0f ? -APPROX_INFINITY : result;
    result = x == APPROX_INFINITY ? x : result;
    return x < 0.0f || APPROX_IS_NAN(x) ? APPROX_NAN : result;
}

/* Odd polynomial below 0.625, else 1 - 2 e / (1 + e) with e = e^-2|x|. The divisors here and in the sigmoid lie
 * between 1 and 2: Vulkan says nothing of a division by more than 2^126. */
APPROX approx_tanh(float x) {
    float a = APPROX_ABS(x);
    float z = x * x;
    float p = -5.70498872745e-3f;
    p = p * z + 2.06390887954e-2f;
    p = p * z - 5.37397155531e-2f;
    p = p * z + 1.33314422036e-1f;
    p = p * z - 3.33332819422e-1f;
    float near = p * z * x + x;
    float e = approx_exp(-(a + a));
    float far = 1.0f - (e + e) / (1.0f + e);
    far = x < 0.0f ? -far : far;
    return a < 0.625f ? near : far;
}

/* 1 / (1 + e) or e / (1 + e) with e = e^-|x|. */
APPROX approx_sigmoid(float x) {
    float e = approx_exp(-APPROX_ABS(x));
    return (x < 0.0f ? e : 1.0f) / (1.0f + e);
}

/* exp(-x^2 / 2): the normal density without its factor 1 / sqrt(2 pi). */
APPROX approx_normal_bell(float x) {
    return approx_exp(-0.5f * x * x);
}

/* Phi(x) = (1 + erf(x / sqrt 2)) / 2, given bell = exp(-x^2 / 2). |x| < 1: 1/2 + x P(x^2), P of degree 5
 * fitted at Chebyshev points to 3e-10. Beyond, after Abramowitz and Stegun 7.1.26: Phi(-|x|) = bell k Q(k)
 * with k = 1 / (1 + 0.33 |x|), Q of degree 6 fitted by iterated weighted least squares (Lawson) to 4e-9. */
APPROX approx_normal_cdf(float x, float bell) {
    float z = x * x;
    float p = -7.6605381714e-6f;
    p = p * z + 1.1350229619e-4f;
    p = p * z - 1.1863439888e-3f;
    p = p * z + 9.9733284813e-3f;
    p = p * z - 6.6490360567e-2f;
    p = p * z + 3.9894228013e-1f;
    float k = 1.0f / (1.0f + 0.33f * APPROX_ABS(x));
    float q = 0.045146629204f;
    q = q * k - 0.2187220758f;
    q = q * k + 0.32765697944f;
    q = q * k - 0.085677300539f;
    q = q * k + 0.17900167929f;
    q = q * k + 0.12004816306f;
    q = q * k + 0.13254592901f;
    float tail = bell * k * q;
    tail = x < 0.0f ? tail : 1.0f - tail;
    return APPROX_ABS(x) < 1.0f ? 0.5f + x * p : tail;
}

#endif
