/* multi_stream_test.c: the multi-stream ops and models on Vulkan. */
#include "vulkan/vulkan_test.h"

#include "multi_stream_runs.h"

int main(void) {
    vulkan_test_choose_driver();
    return run_multi_stream(vulkan_test_name());
}
