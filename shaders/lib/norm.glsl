// norm.glsl: the factor of a normalised row, shared by norm.comp and norm_grad.comp. They define KIND, a
// specialisation constant, before including it.
#include "lib/norm.h"

// squares: the sum of the row's squared (centred) elements.
float row_factor(float squares, uint width, float eps) {
    if (KIND == QUARTIC_NORM_L2) return sqrt(float(width)) / max(sqrt(squares), float(QUARTIC_NORM_LEAST_LENGTH));
    return inversesqrt(squares / float(width) + eps);
}
