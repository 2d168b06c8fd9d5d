/* gradcheck_test.c: every gradient rule against finite differences in double. */
#include "validate_device.h"

static void gradients_match_finite_differences(void **state) {
    (void)state;
    int64_t live = quartic_alloc_live();
    int verbose = getenv("QUARTIC_TEST_VERBOSE") != NULL;
    quartic_validate_config config = QUARTIC_VALIDATE_CONFIG_INIT;
    config.callback = print_check;
    config.context = &verbose;
    quartic_check_totals totals;
    if (quartic_check_gradients(&config, &totals) != QUARTIC_OK) fail_msg("%s", quartic_error_message());
    printf("%u gradients checked, the worst at %.2g of its bound\n", totals.passed, totals.worst);
    assert_int_equal(totals.failed, 0);
    assert_true(totals.passed > 0);
    assert_int_equal(quartic_alloc_live(), live);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(gradients_match_finite_differences)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
