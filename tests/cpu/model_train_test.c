/* model_train_test.c: training on the CPU; see model_train_runs.h. */
#include "model_train_runs.h"

static int open_device(void **state) {
    (void)state;
    return quartic_device_create("cpu", &device) == QUARTIC_OK ? 0 : -1;
}

static int close_device(void **state) {
    (void)state;
    quartic_device_destroy(device);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recorded_steps),
        cmocka_unit_test(training_learns),
        cmocka_unit_test(resumes_bit_for_bit),
        cmocka_unit_test(load_refuses_other_runs),
        cmocka_unit_test(accumulation_is_a_larger_batch),
        cmocka_unit_test(a_mask_and_ignored_targets_hide_padding),
        cmocka_unit_test(divergence_changes_nothing),
        cmocka_unit_test(seeds_and_dropout_matter),
        cmocka_unit_test(gradients_see_the_same_dropout),
        cmocka_unit_test(failed_allocations_leave_nothing),
    };
    return cmocka_run_group_tests(tests, open_device, close_device);
}
