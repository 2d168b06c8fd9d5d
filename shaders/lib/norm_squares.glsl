// norm_squares.glsl: a sum of squares that does not overflow, for norms that see a row once: beside it goes
// the sum of the numbers shrunk by 2^-80, which counts where the sum itself is beyond the range of floats.
#include "lib/norm.h"

// Of one number: added up, (sum of squares, sum of shrunk squares).
vec2 both_squares(float x) {
    precise float shrunk = x * float(QUARTIC_NORM_SHRINK); // lavapipe 26 would form (x x) (shrink shrink)
    precise float square = shrunk * shrunk;
    return vec2(x * x, square);
}

// 1 / sqrt(mean of squares + eps), or sqrt(width) / length for an l2 norm.
float factor_of_squares(vec2 sums, float width, float eps, bool l2) {
    if (!(sums.x < float(QUARTIC_NORM_GREATEST_SQUARES))) // eps and the least length are nothing beside it
        return inversesqrt(sums.y / width) * float(QUARTIC_NORM_SHRINK);
    const float length = sqrt(sums.x), least = float(QUARTIC_NORM_LEAST_LENGTH);
    if (l2) return sqrt(width) / (length <= least ? least : length);
    return inversesqrt(sums.x / width + eps);
}
