/* model_sizes_test.c: the device "cpu" against the reference in double at every awkward length. */
#include "model_sizes_tests.h"

static void awkward_lengths_agree_with_the_reference(void **state) {
    (void)state;
    compare_sizes("cpu", "reference64");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(awkward_lengths_agree_with_the_reference)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
