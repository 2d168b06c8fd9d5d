/* model_golden_test.c: every recorded model, logits, loss and gradients, on both CPU devices. */
#include "model_case.h"

static void check_all(const char *device_name) {
    int64_t live = quartic_alloc_live();
    quartic_device *device;
    assert_ok(quartic_device_create(device_name, &device));
    for (size_t k = 0; k < MODEL_CASES; ++k) {
        print_message("%s on %s\n", model_case_names[k], device_name);
        check_model_case(device, model_case_names[k]);
    }
    quartic_device_destroy(device);
    assert_int_equal(quartic_alloc_live(), live);
}

static void recorded_cases_on_reference(void **state) {
    (void)state;
    check_all("reference");
}

static void recorded_cases_on_cpu(void **state) {
    (void)state;
    check_all("cpu");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(recorded_cases_on_reference),
                                       cmocka_unit_test(recorded_cases_on_cpu)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
