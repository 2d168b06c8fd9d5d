/* ops_seeds_test.c: many seeds of every op on a Vulkan device: see validate_seeds.h. */
#include "validate_seeds.h"
#include "vulkan/vulkan_test.h"

static void no_seed_gives_a_false_alarm(void **state) {
    (void)state;
    validate_seeds(vulkan_test_name(), 2e4);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(no_seed_gives_a_false_alarm)};
    return cmocka_run_group_tests(tests, vulkan_test_begin, vulkan_test_end);
}
