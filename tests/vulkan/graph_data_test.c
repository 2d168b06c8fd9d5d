/* graph_data_test.c: graphs as inputs, on a Vulkan device; see graph_data_runs.h. */
#include "vulkan/vulkan_test.h"

#include "graph_data_runs.h"

static int open_device(void **state) {
    vulkan_test_begin(state);
    device = vulkan_test_device();
    return 0;
}

static int close_device(void **state) {
    quartic_device_destroy(device);
    return vulkan_test_end(state);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(graphs_have_no_order),
        cmocka_unit_test(padding_has_no_influence),
        cmocka_unit_test(training_on_datasets_learns),
        cmocka_unit_test(evaluation_is_the_loss),
    };
    return cmocka_run_group_tests(tests, open_device, close_device);
}
