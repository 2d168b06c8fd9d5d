/* device_tests.h: groups of tests that several programs run, each on a device of its own.
 *
 * A file tests/<name>_tests.c holds the tests and their list once; tests/cpu/<name>_test.c and
 * tests/vulkan/<name>_test.c are programs that only say on which device to run them.
 */
#ifndef QUARTIC_TESTS_DEVICE_TESTS_H
#define QUARTIC_TESTS_DEVICE_TESTS_H

#include "expect.h"

#include "quartic/device.h"

typedef struct test_device {
    const char *name; /* as quartic_device_create takes it */
    quartic_device_kind kind;
    int (*begin)(void **state); /* before the device is opened; NULL: nothing */
    int (*end)(void **state);   /* after it is closed; NULL: nothing */
} test_device;

extern const test_device test_cpu, test_reference, test_reference64;

/* Runs the tests as one group. While they run, *inout_device is the open device; afterwards it is NULL. The
 * group fails if the device is of another kind or if memory is left at the end. Returns how many tests failed. */
int device_tests_run(const test_device *on, quartic_device **inout_device, const struct CMUnitTest *tests,
                     size_t count);

#define DEVICE_TESTS_RUN(on, device, tests)                                                                  \
    device_tests_run(on, device, tests, sizeof(tests) / sizeof((tests)[0]))

#endif
