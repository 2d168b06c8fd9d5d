/* training_test.c: what training promises, on a Vulkan device; see training_tests.h. */
#include "training_tests.h"
#include "vulkan/vulkan_test.h"

int main(void) {
    const test_device vulkan = vulkan_test_kind();
    return training_tests(&vulkan);
}
