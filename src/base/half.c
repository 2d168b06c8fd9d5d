/* half.c: conversion by integer arithmetic on the bits, which needs no support of the compiler. See
 * half.h. */
#include "base/half.h"

#include <string.h>

static float float_from_bits(uint32_t bits) {
    float number;
    memcpy(&number, &bits, sizeof number);
    return number;
}

float quartic_float16_to_float32(uint16_t half) {
    uint32_t sign = (uint32_t)(half & 0x8000u) << 16;
    uint32_t exponent = (half >> 10) & 0x1fu;
    uint32_t fraction = half & 0x3ffu;
    if (exponent == 0x1f) return float_from_bits(sign | 0x7f800000u | fraction << 13);
    if (exponent != 0) return float_from_bits(sign | (exponent + 112) << 23 | fraction << 13);
    /* Zero and subnormals: fraction * 2^-24, a normal number (or zero) in float32. */
    float magnitude = (float)fraction * 0x1p-24f;
    return sign == 0 ? magnitude : -magnitude;
}

float quartic_bfloat16_to_float32(uint16_t half) {
    return float_from_bits((uint32_t)half << 16);
}
