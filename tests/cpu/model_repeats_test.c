/* model_repeats_test.c: the same bits again on the CPU devices: second runs, resumed runs, replays, two
 * threads, and after every host allocation has failed once. */
#include "failing_alloc.h"
#include "model_repeats.h"

static void lives_repeat(void **state) {
    (void)state;
    lives_leave_the_same_bits("cpu");
    lives_leave_the_same_bits("reference");
}

static void threads_repeat(void **state) {
    (void)state;
    threads_leave_the_same_bits("cpu");
}

static void every_host_allocation_may_fail(void **state) {
    (void)state;
    /* Fewer would mean that the failures do not reach what the life allocates. */
    assert_true(fail_each("cpu", life_models[0], quartic_alloc_fail_at, 8) > 500);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lives_repeat),
        cmocka_unit_test(threads_repeat),
        cmocka_unit_test(every_host_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
