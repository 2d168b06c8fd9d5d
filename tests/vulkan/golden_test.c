/* golden_test.c: all recorded cases on a Vulkan device, with the validation layers on and silent. */
#include "golden_device.h"
#include "vulkan/vulkan_test.h"

static void vulkan_reproduces_the_recordings(void **state) {
    (void)state;
    replay_recordings(vulkan_test_name());
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(vulkan_reproduces_the_recordings)};
    return cmocka_run_group_tests(tests, vulkan_test_begin, vulkan_test_end);
}
