/* model_repeats_test.c: the same bits again on a Vulkan device: second runs, resumed runs, replays, two
 * threads, and after Vulkan calls and host allocations have failed. */
#include "model_repeats.h"
#include "vulkan/vulkan_test.h"

static void lives_repeat(void **state) {
    (void)state;
    lives_leave_the_same_bits(vulkan_test_name());
}

static void threads_repeat(void **state) {
    (void)state;
    threads_leave_the_same_bits(vulkan_test_name());
}

static void vulkan_calls_may_fail(void **state) {
    (void)state;
    uint64_t t = fail_each(vulkan_test_name(), life_models[0], quartic_gpu_fail_at, 1000000);
    print_message("%llu\n", (unsigned long long)t);
}
static void every_host_allocation_may_fail(void **state) {
    (void)state;
    uint64_t t = fail_each(vulkan_test_name(), life_models[0], quartic_alloc_fail_at, 4);
    print_message("%llu\n", (unsigned long long)t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lives_repeat),
        cmocka_unit_test(threads_repeat),
        cmocka_unit_test(vulkan_calls_may_fail),
        cmocka_unit_test(every_host_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, vulkan_test_begin, vulkan_test_end);
}
