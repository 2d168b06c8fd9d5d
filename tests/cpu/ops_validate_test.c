/* ops_validate_test.c: every op on the device "cpu" (its tuned rows) and on "reference" itself, forward, in
 * place, strided and backward. On "reference" this finds reads of unwritten memory and writes out of range.
 */
#include "validate_device.h"

static void cpu_matches_the_reference(void **state) {
    (void)state;
    validate_device("cpu");
}

static void reference_stays_in_its_memory(void **state) {
    (void)state;
    validate_device("reference");
}

static void unknown_op_is_refused_with_the_list(void **state) {
    (void)state;
    quartic_device *device;
    assert_int_equal(quartic_device_create("cpu", &device), QUARTIC_OK);
    quartic_validate_config config = QUARTIC_VALIDATE_CONFIG_INIT;
    config.op = "no_such_op";
    assert_int_equal(quartic_validate(device, &config, NULL), QUARTIC_INVALID_ARGUMENT);
    assert_non_null(strstr(quartic_error_message(), "binary"));
    config.op = "binary";
    config.case_index = 12345;
    assert_int_equal(quartic_validate(device, &config, NULL), QUARTIC_INVALID_ARGUMENT);
    quartic_device_destroy(device);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cpu_matches_the_reference),
        cmocka_unit_test(reference_stays_in_its_memory),
        cmocka_unit_test(unknown_op_is_refused_with_the_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
