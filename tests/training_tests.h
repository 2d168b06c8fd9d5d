/* training_tests.h: what training promises: sums over micro-batches, finite weights, failed loads, notes. */
#ifndef QUARTIC_TESTS_TRAINING_TESTS_H
#define QUARTIC_TESTS_TRAINING_TESTS_H

#include "device_tests.h"

int training_tests(const test_device *on);

#endif
