/* half.h: 16-bit floating point to float32. Exact, also for subnormals, infinities and NaN.
 *
 * float16: 1 sign, 5 exponent (bias 15), 10 fraction bits. bfloat16: the upper half of a float32.
 */
#ifndef QUARTIC_BASE_HALF_H
#define QUARTIC_BASE_HALF_H

#include <stdint.h>

float quartic_float16_to_float32(uint16_t half);
float quartic_bfloat16_to_float32(uint16_t half);

#endif
