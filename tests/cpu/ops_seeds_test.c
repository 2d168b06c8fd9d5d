/* ops_seeds_test.c: many seeds of every op on the device "cpu": see validate_seeds.h. */
#include "validate_seeds.h"

static void no_seed_gives_a_false_alarm(void **state) {
    (void)state;
    validate_seeds("cpu", 2e5);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(no_seed_gives_a_false_alarm)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
