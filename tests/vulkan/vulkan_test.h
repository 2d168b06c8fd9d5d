/* vulkan_test.h: what tests on a Vulkan device share.
 *
 * vulkan_test_begin switches validation with synchronization validation on and the cache file off; it comes
 * before anything opens a device. vulkan_test_end, the last test of a group or its teardown, fails on any
 * message of the layers and on memory left behind. A machine without a Vulkan device fails the tests: install
 * mesa-vulkan-drivers for a software one. QUARTIC_DEVICE chooses among several.
 */
#ifndef QUARTIC_TESTS_VULKAN_TEST_H
#define QUARTIC_TESTS_VULKAN_TEST_H

#include "device_tests.h"

#include "base/alloc.h"
#include "gpu/gpu.h"

static int64_t vulkan_test_live;
static uint64_t vulkan_test_messages; /* provoked on purpose */

/* Group setup. */
static inline int vulkan_test_begin(void **state) {
    (void)state;
    setenv("QUARTIC_VALIDATION", "1", 1);
    setenv("QUARTIC_DISABLE", "cache", 1);
    vulkan_test_live = quartic_alloc_live();
    return 0;
}

/* Group teardown. */
static inline int vulkan_test_end(void **state) {
    (void)state;
    uint64_t messages = quartic_gpu_validation_messages() - vulkan_test_messages;
    int64_t left = quartic_alloc_live() - vulkan_test_live;
    if (messages != 0) fprintf(stderr, "%llu validation messages\n", (unsigned long long)messages);
    if (left != 0) fprintf(stderr, "%lld allocations left\n", (long long)left);
    return messages != 0 || left != 0;
}

/* The device that QUARTIC_DEVICE names, or the best Vulkan one. */
static inline const char *vulkan_test_name(void) {
    const char *name = getenv("QUARTIC_DEVICE");
    return name != NULL && name[0] != 0 ? name : "vulkan";
}

/* Opens it; it must be a Vulkan device. */
static inline quartic_device *vulkan_test_device(void) {
    quartic_device *device = NULL;
    assert_ok(quartic_device_create(vulkan_test_name(), &device));
    quartic_device_info info;
    assert_ok(quartic_device_get_info(device, &info));
    assert_int_equal(info.kind, QUARTIC_DEVICE_VULKAN);
    return device;
}

/* The same for groups of tests that other devices run too. */
static inline test_device vulkan_test_kind(void) {
    return (test_device){vulkan_test_name(), QUARTIC_DEVICE_VULKAN, vulkan_test_begin, vulkan_test_end};
}

/* The same below the public API. */
static inline quartic_gpu_device *vulkan_test_gpu(void) {
    quartic_gpu_device *gpu = NULL;
    assert_ok(quartic_gpu_device_create(0, &gpu));
    return gpu;
}

#endif
