/* model_sizes_test.c: a Vulkan device against the device "cpu" at every awkward length. */
#include "model_sizes_tests.h"
#include "vulkan/vulkan_test.h"

static void awkward_lengths_agree_with_the_cpu(void **state) {
    (void)state;
    compare_sizes(vulkan_test_name(), "cpu");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(awkward_lengths_agree_with_the_cpu)};
    return cmocka_run_group_tests(tests, vulkan_test_begin, vulkan_test_end);
}
