/* multi_stream_test.c: the multi-stream ops and models on Vulkan. */
#include "multi_stream_tests.h"
#include "vulkan/vulkan_test.h"

int main(void) {
    const test_device vulkan = vulkan_test_kind();
    return multi_stream_tests(&vulkan);
}
