/* ops_norm_test.c: norms, softmax, cross entropy and updates on known values and edge cases, on a Vulkan
 * device. */
#include "vulkan/vulkan_test.h"

#include "ops_norm_tests.h"

static void values_hold_on_vulkan(void **state) {
    (void)state;
    quartic_device *device = vulkan_test_device();
    check_all_values(device);
    quartic_device_destroy(device);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(values_hold_on_vulkan)};
    return cmocka_run_group_tests(tests, vulkan_test_begin, vulkan_test_end);
}
