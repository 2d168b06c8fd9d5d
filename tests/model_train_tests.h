/* model_train_tests.h: training steps: recorded ones, resumed ones, and what must not depend on the batch. */
#ifndef QUARTIC_TESTS_MODEL_TRAIN_TESTS_H
#define QUARTIC_TESTS_MODEL_TRAIN_TESTS_H

#include "device_tests.h"

int model_train_tests(const test_device *on);
/* What would take a software device too long, or does not depend on the device. */
int model_train_host_tests(const test_device *on);

#endif
