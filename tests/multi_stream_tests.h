/* multi_stream_tests.h: multi-stream models, and their ops against the compositions that they stand for. */
#ifndef QUARTIC_TESTS_MULTI_STREAM_TESTS_H
#define QUARTIC_TESTS_MULTI_STREAM_TESTS_H

#include "device_tests.h"

int multi_stream_tests(const test_device *on);

#endif
