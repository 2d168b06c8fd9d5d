/* graph_data_test.c: graphs as inputs, on a Vulkan device; see graph_data_tests.h. */
#include "graph_data_tests.h"
#include "vulkan/vulkan_test.h"

int main(void) {
    const test_device vulkan = vulkan_test_kind();
    return graph_data_tests(&vulkan);
}
