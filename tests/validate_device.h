/* validate_device.h: shared by the tests that run quartic_validate and quartic_verify on a device. */
#ifndef QUARTIC_TESTS_VALIDATE_DEVICE_H
#define QUARTIC_TESTS_VALIDATE_DEVICE_H

#include "expect.h"

#include "base/alloc.h"
#include "quartic/verify.h"

/* Prints what did not pass; everything with QUARTIC_TEST_VERBOSE set. */
void print_check(void *context, const quartic_check *check);

/* All ops on a device: everything must be supported and pass, and nothing may leak. */
void validate_device(const char *name);

#endif
