/* extreme_numbers_test.c: NaN, infinity and large numbers on the CPU devices; see extreme_numbers_runs.h. */
#include "extreme_numbers_runs.h"

static int open_cpu(void **state) {
    (void)state;
    return quartic_device_create("cpu", &device) != QUARTIC_OK;
}

static int open_reference(void **state) {
    (void)state;
    return quartic_device_create("reference", &device) != QUARTIC_OK;
}

static int close_device(void **state) {
    (void)state;
    quartic_device_destroy(device);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {EXTREME_TESTS};
    const int failed = cmocka_run_group_tests_name("cpu", tests, open_cpu, close_device);
    return cmocka_run_group_tests_name("reference", tests, open_reference, close_device) + failed;
}
