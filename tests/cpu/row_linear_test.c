/* row_linear_test.c: products fused over rows on the CPU devices: the compositions' numbers, the same bits
 * for any number of threads, and messages for what they refuse.
 */
#include "row_linear_tests.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "fast/fast.h"
#include "ops/row_linear.h"
#include "quartic/graph.h"

static void tuned_rows_are_their_composition(void **state) {
    (void)state;
    row_linear_is_its_composition("cpu", false);
}

static void references_are_their_composition(void **state) {
    (void)state;
    row_linear_is_its_composition("reference", false);
}

static float *row_linear_random_floats(uint64_t count, uint32_t stream) {
    float *numbers = quartic_alloc(count, sizeof *numbers);
    for (uint64_t i = 0; i < count; ++i) numbers[i] = quartic_random_normal(5, stream, i);
    return numbers;
}

/* y of 331 rows by `threads` threads. */
static float *row_linear_run_rows(uint32_t threads) {
    enum { ROWS = 331, K = 40, N = 77 };
    const row_linear_attrs attrs = {.form = QUARTIC_ROW_RMS, .eps = 1e-5f, .alpha = 1.0f};
    const quartic_shape shapes[] = {QUARTIC_SHAPE(ROWS, K), QUARTIC_SHAPE(K), QUARTIC_SHAPE(N, K),
                                    QUARTIC_SHAPE(ROWS, N)};
    quartic_layout layouts[4];
    quartic_op_run run = {.attrs = &attrs, .input_count = 3, .output_count = 1, .threads = threads};
    for (uint32_t k = 0; k < 4; ++k) {
        layouts[k] = quartic_layout_contiguous(QUARTIC_FLOAT32, &shapes[k]);
        quartic_operand *operand = k < 3 ? &run.inputs[k] : &run.outputs[0];
        *operand = (quartic_operand){.data = row_linear_random_floats(quartic_shape_elements(&shapes[k]), k),
                                     .layout = &layouts[k]};
    }
    const quartic_op_call call = {
        .attrs = &attrs, .input_count = 3, .output_count = 1, .inputs = layouts, .outputs = layouts + 3};
    const quartic_fast_kernel *row = quartic_fast_find(&quartic_op_norm_linear, &call);
    assert_non_null(row);
    run.scratch = quartic_alloc(row->scratch(&call, threads), 1);
    row->run(&run);
    quartic_free(run.scratch);
    for (uint32_t k = 0; k < 3; ++k) quartic_free(run.inputs[k].data);
    return run.outputs[0].data;
}

static void threads_do_not_change_bits(void **state) {
    (void)state;
    float *want = row_linear_run_rows(1);
    for (uint32_t threads = 2; threads <= 5; ++threads) {
        float *got = row_linear_run_rows(threads);
        assert_memory_equal(got, want, 331 * 77 * sizeof *want);
        quartic_free(got);
    }
    quartic_free(want);
}

static void row_linear_expect_refused(quartic_graph *graph, const char *part) {
    assert_int_not_equal(quartic_graph_status(graph), QUARTIC_OK);
    assert_non_null(strstr(quartic_error_message(), part));
    quartic_graph_destroy(graph);
}

static void misfits_are_refused_with_a_message(void **state) {
    (void)state;
    const quartic_norm_linear_options options = {.l2 = 1, .alpha = 1.0f};
    const quartic_value none = {0};
    for (uint32_t what = 0; what < 4; ++what) {
        quartic_graph *graph;
        assert_ok(quartic_graph_create(&graph));
        quartic_value x = quartic_graph_input(graph, "x", QUARTIC_FLOAT32, &QUARTIC_SHAPE(5, 12));
        quartic_value w = quartic_graph_input(graph, "w", QUARTIC_FLOAT32, &QUARTIC_SHAPE(3, 11));
        quartic_value g = quartic_graph_input(graph, "g", QUARTIC_FLOAT32, &QUARTIC_SHAPE(5, 5));
        quartic_value scale = quartic_graph_input(graph, "s", QUARTIC_FLOAT32, &QUARTIC_SHAPE(12));
        const quartic_value five[] = {w, w, w, w, w};
        quartic_value outputs[5];
        static const char *const parts[] = {"(3, 11)", "norm_linear", "5 gates", "(3, 11)"};
        if (what == 0)
            quartic_norm_linear(graph, x, scale, &w, 1, &options, outputs);
        else if (what == 1)
            quartic_norm_linear(graph, x, scale, five, 5, &options, outputs);
        else if (what == 2)
            quartic_gated_linear(
                graph, x, g, quartic_graph_input(graph, "v", QUARTIC_FLOAT32, &QUARTIC_SHAPE(3, 12)), none);
        else
            quartic_gelu_linear(graph, x, w, none);
        row_linear_expect_refused(graph, parts[what]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tuned_rows_are_their_composition),
        cmocka_unit_test(references_are_their_composition),
        cmocka_unit_test(threads_do_not_change_bits),
        cmocka_unit_test(misfits_are_refused_with_a_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
