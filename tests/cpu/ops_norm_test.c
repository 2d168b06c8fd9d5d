/* ops_norm_test.c: norms, softmax, cross entropy and updates on known values and edge cases, on all CPU
 * devices. */
#include "ops_norm_tests.h"

static void values_hold(const char *name) {
    quartic_device *device;
    assert_ok(quartic_device_create(name, &device));
    check_all_values(device);
    quartic_device_destroy(device);
}

static void values_hold_on_the_reference(void **state) {
    (void)state;
    values_hold("reference");
}

static void values_hold_in_double(void **state) {
    (void)state;
    values_hold("reference64");
}

static void values_hold_on_tuned_rows(void **state) {
    (void)state;
    values_hold("cpu");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_hold_on_the_reference),
        cmocka_unit_test(values_hold_in_double),
        cmocka_unit_test(values_hold_on_tuned_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
