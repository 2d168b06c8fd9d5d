/* gpu_failure_test.c: every creating Vulkan call and every host allocation on the way from nothing to a
 * finished run fails once; each failure is reported and leaves nothing behind. What is left of Vulkan objects
 * would be reported by the validation layers when the device or the instance goes. */
#include "failing_alloc.h"
#include "vulkan/failing_vulkan.h"
#include "vulkan/vulkan_test.h"

#include <string.h>

#include "quartic/program.h"

enum { COUNT = 300, MOST_CALLS = 400 };

/* All of it: a device, a program over two shaders with a profile, a run, a read. */
static quartic_status whole_life(quartic_graph *graph) {
    quartic_device *device = NULL;
    quartic_program *program = NULL;
    float numbers[COUNT];
    quartic_status status = quartic_device_create("vulkan", &device);
    quartic_program_config config = QUARTIC_PROGRAM_CONFIG_INIT;
    config.profile = 1;
    if (status == QUARTIC_OK) status = quartic_program_create(device, graph, &config, &program);
    if (status == QUARTIC_OK) status = quartic_program_run(program);
    if (status == QUARTIC_OK)
        status = quartic_tensor_read(quartic_program_tensor(program, "out"), numbers, sizeof numbers);
    quartic_program_destroy(program);
    quartic_device_destroy(device);
    return status;
}

static quartic_graph *gpu_failure_make_graph(void) {
    quartic_graph *graph;
    assert_ok(quartic_graph_create(&graph));
    quartic_shape shape = QUARTIC_SHAPE(COUNT);
    quartic_value x = quartic_graph_input(graph, "x", QUARTIC_FLOAT32, &shape);
    quartic_value y = quartic_multiply(graph, quartic_add(graph, x, x), x);
    quartic_graph_output(graph, "out", quartic_subtract(graph, y, x));
    assert_ok(quartic_graph_status(graph));
    return graph;
}

/* Fails the 1st, 2nd, .. call until one life passes untouched; returns how many calls there were. */
static uint64_t gpu_failure_walk(void (*fail_at)(uint64_t)) {
    quartic_graph *graph = gpu_failure_make_graph();
    assert_ok(whole_life(graph)); /* anything that a library keeps for good is there from now on */
    int64_t live = quartic_alloc_live();
    uint64_t messages = quartic_gpu_validation_messages(), nth = 1;
    for (; nth < MOST_CALLS; ++nth) {
        fail_at(nth);
        quartic_status status = whole_life(graph);
        fail_at(0);
        assert_int_equal(quartic_alloc_live(), live);
        assert_int_equal(quartic_gpu_validation_messages(), messages);
        if (status == QUARTIC_OK) break;
        if (status != QUARTIC_OUT_OF_MEMORY && status != QUARTIC_OUT_OF_DEVICE_MEMORY)
            fail_msg("call %llu: %s: %s", (unsigned long long)nth, quartic_status_name(status),
                     quartic_error_message());
        assert_true(strlen(quartic_error_message()) > 0);
    }
    quartic_graph_destroy(graph);
    return nth - 1;
}

static int staged(void **state) {
    (void)state;
    setenv("QUARTIC_DISABLE", "cache,mapping", 1);
    return 0;
}

static int mapped(void **state) {
    (void)state;
    setenv("QUARTIC_DISABLE", "cache", 1);
    return 0;
}

static void every_vulkan_call_may_fail(void **state) {
    (void)state;
    uint64_t calls = gpu_failure_walk(vulkan_fail_at);
    /* Two instances with messengers, a device, semaphore, two pools, staging, buffers, layout, cache,
     * pipelines .. */
    assert_true(calls >= 25 && calls < MOST_CALLS - 1);
}

static void every_host_allocation_may_fail(void **state) {
    (void)state;
    uint64_t calls = gpu_failure_walk(quartic_alloc_fail_at);
    assert_true(calls >= 25 && calls < MOST_CALLS - 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(every_vulkan_call_may_fail, mapped),
        cmocka_unit_test_setup(every_vulkan_call_may_fail, staged),
        cmocka_unit_test_setup(every_host_allocation_may_fail, mapped),
    };
    return cmocka_run_group_tests(tests, vulkan_test_begin, vulkan_test_end);
}
