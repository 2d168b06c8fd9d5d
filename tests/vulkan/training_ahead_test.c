/* training_ahead_test.c: steps without a report, on a Vulkan device; see training_ahead_tests.h. */
#include "training_ahead_tests.h"
#include "vulkan/vulkan_test.h"

int main(void) {
    const test_device vulkan = vulkan_test_kind();
    return training_ahead_tests(&vulkan);
}
