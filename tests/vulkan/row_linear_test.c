/* row_linear_test.c: products fused over rows on a Vulkan device give their compositions' numbers: with the
 * shader that the device would choose, and on devices with shuffles also with the tiles through shared
 * memory.
 */
#include "row_linear_tests.h"
#include "vulkan/vulkan_test.h"

static void shaders_are_their_composition(void **state) {
    (void)state;
    row_linear_is_its_composition(vulkan_test_name(), true);
}

static void tiles_are_their_composition(void **state) {
    (void)state;
    setenv("QUARTIC_DISABLE", "cache,shuffle", 1);
    row_linear_is_its_composition(vulkan_test_name(), true);
    setenv("QUARTIC_DISABLE", "cache", 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shaders_are_their_composition),
        cmocka_unit_test(tiles_are_their_composition),
    };
    return cmocka_run_group_tests(tests, vulkan_test_begin, vulkan_test_end);
}
