/* edge_forms_test.c: every form of edge attention in both models on a Vulkan device. See edge_forms_tests.h.
 */
#include "edge_forms_tests.h"
#include "vulkan/vulkan_test.h"

static void agree_with_the_reference(void **state) {
    (void)state;
    forms_agree_with_the_reference(vulkan_test_name());
}

static void leak_nothing(void **state) {
    (void)state;
    causal_forms_leak_nothing(vulkan_test_name());
    causal_forms_leak_nothing_in_tiles(vulkan_test_name());
}

static void vulkan_edge_forms_are_independent(void **state) {
    (void)state;
    graphs_are_independent(vulkan_test_name());
    padding_may_be_anywhere(vulkan_test_name());
}

static int edge_forms_end(void **state) {
    forms_close_devices();
    return vulkan_test_end(state);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agree_with_the_reference),
        cmocka_unit_test(leak_nothing),
        cmocka_unit_test(vulkan_edge_forms_are_independent),
    };
    return cmocka_run_group_tests(tests, vulkan_test_begin, edge_forms_end);
}
