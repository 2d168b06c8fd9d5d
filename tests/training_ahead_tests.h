/* training_ahead_tests.h: training steps that are submitted without a report, which the next call or
 * quartic_trainer_wait gives: the same numbers as with waiting, and failed steps that change nothing. */
#ifndef QUARTIC_TESTS_TRAINING_AHEAD_TESTS_H
#define QUARTIC_TESTS_TRAINING_AHEAD_TESTS_H

#include "device_tests.h"

int training_ahead_tests(const test_device *on);

#endif
