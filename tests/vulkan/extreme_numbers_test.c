/* extreme_numbers_test.c: NaN, infinity and large numbers on a Vulkan device; see extreme_numbers_tests.h. */
#include "extreme_numbers_tests.h"
#include "vulkan/vulkan_test.h"

int main(void) {
    const test_device vulkan = vulkan_test_kind();
    return extreme_numbers_tests(&vulkan);
}
