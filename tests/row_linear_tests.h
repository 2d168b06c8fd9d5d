/* row_linear_tests.h: norm_linear, gated_linear and gelu_linear against the compositions that they
 * replace, forward and backward, on a device. One graph holds both, of the same inputs.
 */
#ifndef QUARTIC_TESTS_ROW_LINEAR_TESTS_H
#define QUARTIC_TESTS_ROW_LINEAR_TESTS_H

#include "expect.h"

/* Rows around a block, rows longer than the shader's tile, parts that end within its quads, and enough
 * operations for sums in float. few: one case an op, where every one compiles a shader for seconds.
 */
void row_linear_is_its_composition(const char *name, bool few);

#endif
