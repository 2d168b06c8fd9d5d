/* edge_softmax_test.c: softmax attention among edges on a Vulkan device: the formula on every path of the
 * plan, causality and padding bit for bit, and the same bits when it runs again. */
#include "edge_softmax_tests.h"
#include "vulkan/vulkan_test.h"

/* One query a thread, two, and several threads a query; blocks and tiles with remainders. */
static const edge_spec specs[] = {
    {.b = 2, .nodes = 4, .h = 2, .d = 5, .masked = true},
    {.b = 1, .nodes = 12, .h = 2, .d = 16, .causal = true},
    {.b = 2, .nodes = 30, .tokens = 131, .h = 1, .d = 16, .masked = true, .causal = true},
    {.b = 1, .nodes = 9, .h = 1, .d = 32},
    {.b = 1, .nodes = 6, .h = 2, .d = 70, .masked = true},
};

static void every_path_of_the_plan_computes_the_formula(void **state) {
    (void)state;
    quartic_device *device = vulkan_test_device();
    for (size_t s = 0; s < sizeof specs / sizeof specs[0]; ++s)
        edge_equals_the_formula(&specs[s], device, 5e-6);
    quartic_device_destroy(device);
}

static void later_edges_and_padding_change_no_bit(void **state) {
    (void)state;
    quartic_device *device = vulkan_test_device();
    edge_later_rows_do_not_leak(device);
    edge_padding_does_not_leak(device);
    quartic_device_destroy(device);
}

static void a_second_run_gives_the_same_bits(void **state) {
    (void)state;
    quartic_device *device = vulkan_test_device();
    edge_case x = edge_begin(&specs[2]);
    float *first = edge_run(&x, device), *second = edge_run(&x, device);
    assert_memory_equal(first, second, EDGE_RESULTS * x.count * sizeof *first);
    free(first);
    free(second);
    edge_end(&x);
    quartic_device_destroy(device);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_path_of_the_plan_computes_the_formula),
        cmocka_unit_test(later_edges_and_padding_change_no_bit),
        cmocka_unit_test(a_second_run_gives_the_same_bits),
    };
    return cmocka_run_group_tests(tests, vulkan_test_begin, vulkan_test_end);
}
