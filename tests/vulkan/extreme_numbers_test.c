/* extreme_numbers_test.c: NaN, infinity and large numbers on a Vulkan device; see extreme_numbers_runs.h. */
#include "vulkan/vulkan_test.h"

#include "extreme_numbers_runs.h"

static int open_device(void **state) {
    vulkan_test_begin(state);
    device = vulkan_test_device();
    return 0;
}

static int close_device(void **state) {
    quartic_device_destroy(device);
    return vulkan_test_end(state);
}

int main(void) {
    const struct CMUnitTest tests[] = {EXTREME_TESTS};
    return cmocka_run_group_tests(tests, open_device, close_device);
}
