/* model_repeats_test.c: the same bits again on a Vulkan device: second runs, resumed runs, replays, two
 * threads, and after Vulkan calls and host allocations have failed. */
#include "failing_alloc.h"
#include "model_repeats.h"
#include "vulkan/failing_vulkan.h"
#include "vulkan/vulkan_test.h"

enum { EVERY_CALL = 1 << 20 }; /* a stride that no count of calls reaches */

static void lives_repeat(void **state) {
    (void)state;
    lives_leave_the_same_bits(vulkan_test_name());
}

static void threads_repeat(void **state) {
    (void)state;
    threads_leave_the_same_bits(vulkan_test_name());
}

/* A life on a device that is open creates a command pool and its command buffers for each program: two of the
 * training and, in the second half, that of the forward pass, too. All else is there: pipelines stay with the
 * device, and tensors lie in the block of memory that also holds the zeros for operands that are left out. */
static void vulkan_calls_may_fail(void **state) {
    (void)state;
    enum { PROGRAMS = 2 + 3, CALLS = 2 * PROGRAMS };
    const char *names[VULKAN_MOST_CALLS];
    assert_int_equal(fail_each(vulkan_test_name(), life_models[0], vulkan_fail_at, EVERY_CALL), CALLS);
    assert_int_equal(vulkan_calls(names), CALLS); /* of the last life, in which none failed */
    for (uint32_t c = 0; c < CALLS; ++c)
        assert_string_equal(names[c], c % 2 == 0 ? "vkCreateCommandPool" : "vkAllocateCommandBuffers");
}

static void every_host_allocation_may_fail(void **state) {
    (void)state;
    assert_true(fail_each(vulkan_test_name(), life_models[0], quartic_alloc_fail_at, 4) > 1000);
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
