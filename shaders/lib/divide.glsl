// divide.glsl: divisions whose divisor may be anything. Vulkan bounds the error of a / b, by 2.5 ulp, only for
// divisors from 2^-126 to 2^126; drivers compute a (1 / b), where 1 / b leaves the range of floats. Scaling both
// by a power of two changes no bit of any other quotient.
float divide(float a, float b) {
    const float size = abs(b);
    const float scale = size > 1.2676506e30 ? 2.3283064e-10 : size < 7.8886091e-31 ? 4.2949673e9 : 1.0;
    return (a * scale) / (b * scale); // 2^100: 2^-32; 2^-100: 2^32
}
