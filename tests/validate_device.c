/* validate_device.c: see validate_device.h. */
#include "validate_device.h"

void print_check(void *context, const quartic_check *check) {
    static const char *const words[] = {"passed", "FAILED", "UNSUPPORTED"};
    const int *verbose = context;
    if (check->verdict != QUARTIC_PASSED || (verbose != NULL && *verbose))
        fprintf(stderr, "%s %s %u (%s), %s: %s\n", words[check->verdict], check->subject, check->index,
                check->label, check->check, check->text);
}

void validate_device(const char *name) {
    int64_t live = quartic_alloc_live();
    quartic_device *device;
    if (quartic_device_create(name, &device) != QUARTIC_OK) fail_msg("%s", quartic_error_message());
    int verbose = getenv("QUARTIC_TEST_VERBOSE") != NULL;
    quartic_validate_config config = QUARTIC_VALIDATE_CONFIG_INIT;
    config.callback = print_check;
    config.context = &verbose;
    quartic_check_totals totals;
    if (quartic_validate(device, &config, &totals) != QUARTIC_OK) fail_msg("%s", quartic_error_message());
    printf("%s: %u checks passed, the worst at %.2g of its bound\n", name, totals.passed, totals.worst);
    assert_int_equal(totals.failed, 0);
    assert_int_equal(totals.unsupported, 0);
    assert_true(totals.passed > 0);
    quartic_device_destroy(device);
    assert_int_equal(quartic_alloc_live(), live);
}
