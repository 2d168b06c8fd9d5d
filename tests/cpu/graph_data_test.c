/* graph_data_test.c: graphs as inputs, on the CPU; see graph_data_runs.h. */
#include "graph_data_runs.h"

static int open_device(void **state) {
    (void)state;
    return quartic_device_create("cpu", &device) == QUARTIC_OK ? 0 : -1;
}

static int close_device(void **state) {
    (void)state;
    quartic_device_destroy(device);
    return 0;
}

/* Losses are stored as float32, so slopes want the rest in double. */
static void gradients_are_slopes_in_double(void **state) {
    quartic_device *cpu = device;
    assert_ok(quartic_device_create("reference64", &device));
    gradients_are_slopes(state);
    quartic_device_destroy(device);
    device = cpu;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(graphs_have_no_order),
        cmocka_unit_test(positions_and_causality_give_an_order),
        cmocka_unit_test(padding_has_no_influence),
        cmocka_unit_test(gradients_are_slopes_in_double),
        cmocka_unit_test(bad_batches_give_sentences),
        cmocka_unit_test(configurations_are_checked),
        cmocka_unit_test(training_on_datasets_learns),
        cmocka_unit_test(evaluation_is_the_loss),
        cmocka_unit_test(files_are_checked),
        cmocka_unit_test(epochs_are_permutations),
        cmocka_unit_test(dataset_runs_resume),
        cmocka_unit_test(failed_dataset_allocations_leave_nothing),
    };
    return cmocka_run_group_tests(tests, open_device, close_device);
}
