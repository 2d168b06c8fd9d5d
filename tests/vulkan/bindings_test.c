/* bindings_test.c: memory bound to a program on a Vulkan device: whole tensors, and wrapped parts of one
 * buffer that overlap. */
#include <string.h>

#include "vulkan_test.h"

#include "bindings_tests.h"
#include "quartic/vulkan.h"

static void bindings_do_not_overlap(void **state) {
    (void)state;
    quartic_device *device = vulkan_test_device();
    check_bindings(device);
    quartic_device_destroy(device);
}

/* Tensors of 64 numbers at offsets into one buffer: apart, half over each other, by the last number only. */
static void wrapped_parts_of_a_buffer_are_compared(void **state) {
    (void)state;
    static const struct {
        const char *names[2];
        VkDeviceSize offsets[2];
        quartic_status status;
    } cases[] = {
        {{"x", "y"}, {0, 256}, QUARTIC_OK},
        {{"x", "y"}, {0, 128}, QUARTIC_INVALID_ARGUMENT},
        {{"y", "x"}, {0, 240}, QUARTIC_INVALID_ARGUMENT},
        {{"s", "t"}, {256, 16}, QUARTIC_INVALID_ARGUMENT},
        {{"x", "z"}, {0, 128}, QUARTIC_OK}, /* both only read */
    };
    quartic_device *device = vulkan_test_device();
    quartic_graph *graph = bindings_graph();
    quartic_tensor *whole = NULL;
    assert_ok(quartic_tensor_create(device, QUARTIC_FLOAT32, &QUARTIC_SHAPE(256), &whole));
    VkBuffer buffer;
    VkDeviceSize offset;
    VkDeviceAddress address;
    assert_ok(quartic_vulkan_tensor_buffer(whole, &buffer, &offset, &address));
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; ++k) {
        quartic_tensor *parts[2];
        for (int part = 0; part < 2; ++part)
            assert_ok(quartic_vulkan_tensor_wrap(device, buffer, offset + cases[k].offsets[part],
                                                 QUARTIC_FLOAT32, &QUARTIC_SHAPE(64), &parts[part]));
        const quartic_status status =
            bindings_try(device, graph, cases[k].names[0], parts[0], cases[k].names[1], parts[1], NULL);
        if (status != cases[k].status) fail_msg("case %zu: %s", k, quartic_error_message());
        for (int part = 0; part < 2; ++part) quartic_tensor_destroy(parts[part]);
    }
    quartic_tensor_destroy(whole);
    quartic_graph_destroy(graph);
    quartic_device_destroy(device);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bindings_do_not_overlap),
        cmocka_unit_test(wrapped_parts_of_a_buffer_are_compared),
    };
    return cmocka_run_group_tests(tests, vulkan_test_begin, vulkan_test_end);
}
