/* padding_test.c: padding has no influence, on a Vulkan device; see padding_tests.h. Fewer cases than on the
 * CPU, since a software device takes its time to compile: every form once, and routed, whose choice it could
 * change.
 */
#include "vulkan/vulkan_test.h"

#include "padding_tests.h"

static quartic_device *device;

static int vulkan_padding_open_device(void **state) {
    vulkan_test_begin(state);
    device = vulkan_test_device();
    return 0;
}

static int vulkan_padding_close_device(void **state) {
    quartic_device_destroy(device);
    return vulkan_test_end(state);
}

static void every_form(void **state) {
    (void)state;
    for (uint32_t form = 1; form < FORM_COUNT; ++form) {
        const padded_case c = {
            .config = padded_config(QUARTIC_MODEL_QUARTIC, form, (quartic_readout)(form % 3), form % 2 != 0)};
        padded_check(device, &c, false);
    }
}

static void routed(void **state) {
    (void)state;
    for (uint32_t variant = 0; variant < 4; ++variant) {
        padded_case c = {.config = padded_config(QUARTIC_MODEL_QUARTIC, QUARTIC_EDGE_ATTENTION_ROUTED,
                                                 QUARTIC_READOUT_EDGE, variant % 2 != 0)};
        c.config.num_routed = variant / 2 * 8;
        padded_check(device, &c, variant < 2);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_form), cmocka_unit_test(routed)};
    return cmocka_run_group_tests(tests, vulkan_padding_open_device, vulkan_padding_close_device);
}
