/* extreme_numbers_tests.h: what is not finite stays visible, and what is large stays right. */
#ifndef QUARTIC_TESTS_EXTREME_NUMBERS_TESTS_H
#define QUARTIC_TESTS_EXTREME_NUMBERS_TESTS_H

#include "device_tests.h"

int extreme_numbers_tests(const test_device *on);

#endif
