/* ops_validate_test.c: every op's shaders against the reference, with the validation layers on and silent. */
#include "validate_device.h"
#include "vulkan/vulkan_test.h"

static void vulkan_matches_the_reference(void **state) {
    (void)state;
    validate_device(vulkan_test_name());
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(vulkan_matches_the_reference)};
    return cmocka_run_group_tests(tests, vulkan_test_begin, vulkan_test_end);
}
