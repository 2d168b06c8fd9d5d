// norm.glsl: the scale and factor of a normalised row, shared by norm.comp and norm_grad.comp. They define
// KIND, a specialisation constant, before including it.
#include "lib/norm.h"

// A mean is taken of numbers divided by this, a power of two, so that their sum does not overflow.
const float ROOM = 1048576.0;

// What a (centred) row is multiplied by before anything is squared, a power of two: 1 but for very large or
// tiny numbers. All that follows is of the scaled row, with eps times the square of the scale.
float row_scale(float largest, float eps) {
    if (largest > float(QUARTIC_NORM_LARGE)) return float(QUARTIC_NORM_SHRINK);
    const bool tiny = KIND != QUARTIC_NORM_L2 && largest < float(QUARTIC_NORM_SMALL);
    return tiny && eps < float(QUARTIC_NORM_LEAST_EPS) ? float(QUARTIC_NORM_GROW) : 1.0;
}

// squares: the sum of the row's squared (centred) elements.
float row_factor(float squares, uint width, float eps) {
    const float length = sqrt(squares), least = float(QUARTIC_NORM_LEAST_LENGTH);
    if (KIND == QUARTIC_NORM_L2)
        return sqrt(float(width)) / (length <= least ? least : length); // a NaN stays one
    return inversesqrt(squares / float(width) + eps);
}
