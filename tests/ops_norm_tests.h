/* ops_norm_tests.h: what norms, softmax, cross entropy and the updates must give on small examples worked
 * out by hand and on edge cases, on any device.
 */
#ifndef QUARTIC_TESTS_OPS_NORM_TESTS_H
#define QUARTIC_TESTS_OPS_NORM_TESTS_H

#include "expect.h"

#include "quartic/device.h"

void check_all_values(quartic_device *device);

#endif
