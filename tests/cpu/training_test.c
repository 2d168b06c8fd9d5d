/* training_test.c: what training promises, on the CPU; see training_runs.h. */

#include "training_runs.h"

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
        cmocka_unit_test(micro_batches_add_up_to_the_larger_batch),
        cmocka_unit_test(a_step_without_targets_has_no_loss),
        cmocka_unit_test(only_finite_numbers_are_saved),
        cmocka_unit_test(a_damaged_weight_is_told_by_the_step),
        cmocka_unit_test(trials_change_nothing),
        cmocka_unit_test(gradients_that_are_not_finite_are_told),
        cmocka_unit_test(every_entry_of_a_list_is_compared),
        cmocka_unit_test(a_failed_load_changes_nothing),
        cmocka_unit_test(a_note_goes_with_the_checkpoint),
    };
    return cmocka_run_group_tests(tests, open_device, close_device);
}
