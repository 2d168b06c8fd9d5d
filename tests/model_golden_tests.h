/* model_golden_tests.h: every recorded model of tests/golden: logits, loss and all gradients. */
#ifndef QUARTIC_TESTS_MODEL_GOLDEN_TESTS_H
#define QUARTIC_TESTS_MODEL_GOLDEN_TESTS_H

#include "device_tests.h"

/* Of the cases in tests/golden/extra only every stride-th is run; 1: all. */
int model_golden_tests(const test_device *on, uint32_t stride);

#endif
