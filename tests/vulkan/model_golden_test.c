/* model_golden_test.c: recorded models and training steps on a Vulkan device. Of the extra cases
 * every third is run, since a software device takes its time; `quartic verify` runs all. */
#include "vulkan/vulkan_test.h"

#include "model_train_runs.h"

static int open_device(void **state) {
    vulkan_test_begin(state);
    device = vulkan_test_device();
    return 0;
}

static int close_device(void **state) {
    quartic_device_destroy(device);
    return vulkan_test_end(state);
}

static void recorded_cases(void **state) {
    (void)state;
    for (size_t k = 0; k < MODEL_CASES; k += k < 14 ? 1 : 3) {
        print_message("%s\n", model_case_names[k]);
        check_model_case(device, model_case_names[k]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recorded_cases),
        cmocka_unit_test(recorded_steps),
        cmocka_unit_test(resumes_bit_for_bit),
        cmocka_unit_test(divergence_changes_nothing),
    };
    return cmocka_run_group_tests(tests, open_device, close_device);
}
