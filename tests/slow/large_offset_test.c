/* large_offset_test.c: ops on a view that begins more than 2^31 bytes into its storage, where memory allows.
 *
 * A state of 2.2 GiB; its last elements are updated in place, read through a unary op and a sum. A Vulkan
 * device whose memory or buffers are too small must refuse the program with the figures before it allocates.
 */
#include "expect.h"

#include "quartic/program.h"

enum { ELEMENTS = 600000000, TAIL = 777 };

static quartic_status run_on(const char *name, float *out_tail, float *out_sum) {
    quartic_device *device = NULL;
    quartic_graph *graph = NULL;
    quartic_program *program = NULL;
    assert_int_equal(quartic_device_create(name, &device), QUARTIC_OK);
    assert_int_equal(quartic_graph_create(&graph), QUARTIC_OK);
    quartic_value big = quartic_graph_state(graph, "big", QUARTIC_FLOAT32, &QUARTIC_SHAPE(ELEMENTS));
    quartic_value x = quartic_graph_input(graph, "x", QUARTIC_FLOAT32, &QUARTIC_SHAPE(TAIL));
    quartic_value tail = quartic_slice(graph, big, 0, ELEMENTS - TAIL, TAIL);
    tail = quartic_accumulate(graph, tail, x, 2.0f);
    quartic_graph_output(graph, "negated", quartic_negate(graph, tail));
    quartic_graph_output(graph, "sum", quartic_sum(graph, tail, 1u, 0));
    quartic_status status = quartic_program_create(device, graph, NULL, &program);
    if (status == QUARTIC_OK) {
        float numbers[TAIL];
        for (int i = 0; i < TAIL; ++i) numbers[i] = (float)(i % 5);
        assert_int_equal(quartic_tensor_write(quartic_program_tensor(program, "x"), numbers, sizeof numbers),
                         QUARTIC_OK);
        status = quartic_program_run(program);
    }
    if (status == QUARTIC_OK) {
        assert_int_equal(
            quartic_tensor_read(quartic_program_tensor(program, "negated"), out_tail, TAIL * sizeof(float)),
            QUARTIC_OK);
        assert_int_equal(
            quartic_tensor_read(quartic_program_tensor(program, "sum"), out_sum, sizeof *out_sum),
            QUARTIC_OK);
    }
    quartic_program_destroy(program);
    quartic_graph_destroy(graph);
    quartic_device_destroy(device);
    return status;
}

static void expect_right(const float *tail, float sum) {
    float want = 0;
    for (int i = 0; i < TAIL; ++i) {
        assert_true(tail[i] == -2.0f * (float)(i % 5));
        want += 2.0f * (float)(i % 5);
    }
    assert_true(sum == want);
}

static void the_cpu_reaches_beyond_two_gigabytes(void **state) {
    (void)state;
    float tail[TAIL], sum;
    assert_int_equal(run_on("cpu", tail, &sum), QUARTIC_OK);
    expect_right(tail, sum);
}

static void a_vulkan_device_reaches_there_or_refuses_with_figures(void **state) {
    (void)state;
    float tail[TAIL], sum;
    quartic_status status = run_on("vulkan", tail, &sum);
    if (status == QUARTIC_OK) {
        expect_right(tail, sum);
        return;
    }
    assert_int_equal(status, QUARTIC_OUT_OF_DEVICE_MEMORY);
    print_message("%s\n", quartic_error_message());
    assert_non_null(strpbrk(quartic_error_message(), "0123456789"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_cpu_reaches_beyond_two_gigabytes),
        cmocka_unit_test(a_vulkan_device_reaches_there_or_refuses_with_figures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
