/* model_sizes_tests.h: one small quartic transformer at every awkward length, on a device against another.
 *
 * n = 1, 2, 3, 5, 31, 33, 127, 129; with and without causality, mask and batch, both forms of the axial
 * attention's mask. Logits and every gradient must agree within the bounds of the recorded cases, and the
 * gradients must not be mostly zero.
 */
#ifndef QUARTIC_TESTS_MODEL_SIZES_TESTS_H
#define QUARTIC_TESTS_MODEL_SIZES_TESTS_H

#include "expect.h"

void compare_sizes(const char *device, const char *trusted);

#endif
