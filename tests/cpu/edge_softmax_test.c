/* edge_softmax_test.c: softmax attention among edges on the CPU devices: the formula, forward and backward,
 * at every remainder of the tuned kernels' blocks; causality and padding bit for bit; any number of threads. */
#include "edge_softmax_tests.h"

#include <omp.h>

static const edge_spec specs[] = {
    {.b = 1, .nodes = 1, .h = 1, .d = 1},
    {.b = 2, .nodes = 2, .h = 2, .d = 3, .causal = true},
    {.b = 3, .nodes = 3, .h = 1, .d = 5, .masked = true},
    {.b = 2, .nodes = 5, .h = 2, .d = 16, .masked = true, .causal = true},
    {.b = 1, .nodes = 6, .h = 3, .d = 33},
    {.b = 1, .nodes = 10, .h = 1, .d = 8, .causal = true}, /* 100 keys: beyond one block */
    {.b = 2, .nodes = 9, .tokens = 31, .h = 1, .d = 7},
    {.b = 2, .nodes = 9, .tokens = 33, .h = 2, .d = 4, .masked = true, .causal = true},
    {.b = 1, .nodes = 40, .tokens = 97, .h = 1, .d = 64, .masked = true},
    {.b = 1, .nodes = 14, .h = 1, .d = 20, .masked = true}, /* 196 keys */
};
enum { SPECS = sizeof specs / sizeof specs[0] };

static quartic_device *edge_softmax_open_device(const char *name) {
    quartic_device *device = NULL;
    assert_ok(quartic_device_create(name, &device));
    return device;
}

static void every_device_computes_the_formula(void **state) {
    (void)state;
    static const struct {
        const char *name;
        double bound;
    } devices[] = {
        {"reference64", 1e-6}, {"reference", 5e-6}, {"cpu", 5e-6}}; /* outputs are stored as float */
    for (size_t k = 0; k < sizeof devices / sizeof devices[0]; ++k) {
        quartic_device *device = edge_softmax_open_device(devices[k].name);
        for (uint32_t s = 0; s < SPECS; ++s) edge_equals_the_formula(&specs[s], device, devices[k].bound);
        quartic_device_destroy(device);
    }
}

static void later_edges_and_padding_change_no_bit(void **state) {
    (void)state;
    static const char *const names[] = {"reference", "cpu"};
    for (size_t k = 0; k < 2; ++k) {
        quartic_device *device = edge_softmax_open_device(names[k]);
        edge_later_rows_do_not_leak(device);
        edge_padding_does_not_leak(device);
        quartic_device_destroy(device);
    }
}

/* Enough edges for several blocks of queries and parts; a device takes the number of threads at its creation.
 */
static void threads_change_no_bit(void **state) {
    (void)state;
    const edge_spec spec = {.b = 1, .nodes = 16, .h = 2, .d = 24, .causal = true};
    const int threads = omp_get_max_threads();
    float *results[2];
    edge_case x = edge_begin(&spec);
    for (int k = 0; k < 2; ++k) {
        omp_set_num_threads(k == 0 ? 1 : 5);
        quartic_device *device = edge_softmax_open_device("cpu");
        results[k] = edge_run(&x, device);
        quartic_device_destroy(device);
    }
    omp_set_num_threads(threads);
    assert_memory_equal(results[0], results[1], EDGE_RESULTS * x.count * sizeof(float));
    free(results[0]);
    free(results[1]);
    edge_end(&x);
}

static void a_nan_is_not_hidden(void **state) {
    (void)state;
    static const char *const names[] = {"reference", "cpu"};
    const edge_spec spec = {.b = 1, .nodes = 4, .h = 1, .d = 8};
    for (size_t k = 0; k < 2; ++k) {
        quartic_device *device = edge_softmax_open_device(names[k]);
        edge_case x = edge_begin(&spec);
        x.operands[EDGE_K][20] = NAN;
        float *got = edge_run(&x, device);
        for (size_t i = 0; i < x.count; ++i) assert_true(isnan(got[i]));
        free(got);
        edge_end(&x);
        quartic_device_destroy(device);
    }
}

static void positions_out_of_range_are_refused(void **state) {
    (void)state;
    const edge_spec spec = {.b = 2, .nodes = 4, .tokens = 5, .h = 1, .d = 2};
    static const int32_t wrong[] = {16, -2}; /* -1 is no edge */
    for (size_t k = 0; k < 2; ++k) {
        edge_case x = edge_begin(&spec);
        quartic_device *device = edge_softmax_open_device("cpu");
        quartic_program *program;
        assert_ok(quartic_program_create(device, x.r.graph, NULL, &program));
        for (uint32_t i = 0; i < x.r.count; ++i)
            assert_ok(quartic_tensor_write(quartic_program_tensor(program, x.r.names[i]), x.r.data[i],
                                           x.r.bytes[i]));
        x.positions[7] = wrong[k];
        assert_ok(quartic_tensor_write(quartic_program_tensor(program, x.r.names[EDGE_OPERANDS]), x.positions,
                                       x.r.bytes[EDGE_OPERANDS]));
        assert_int_equal(quartic_program_run(program), QUARTIC_INVALID_ARGUMENT);
        assert_non_null(strstr(quartic_error_message(), k == 0 ? "position 16 of token 2 of graph 1"
                                                               : "position -2 of token 2 of graph 1"));
        quartic_program_destroy(program);
        quartic_device_destroy(device);
        edge_end(&x);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_device_computes_the_formula),
        cmocka_unit_test(later_edges_and_padding_change_no_bit),
        cmocka_unit_test(threads_change_no_bit),
        cmocka_unit_test(a_nan_is_not_hidden),
        cmocka_unit_test(positions_out_of_range_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
