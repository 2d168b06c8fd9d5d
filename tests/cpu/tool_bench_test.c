/* tool_bench_test.c: `quartic bench`: a table whose sums fit together. Times are never judged. */
#include "expect.h"

#include <jansson.h>

#include "tool_run.h"

#define TINY                                                                                                 \
    "echo '{\"num_tokens\": 11, \"dim\": 16, \"depth\": 1, \"dim_edges\": 8, \"heads\": 2, \"dim_head\": "   \
    "8, "                                                                                                    \
    "\"linear_heads\": 2, \"linear_dim_head\": 4, \"max_seq_len\": 16}' > tiny.json; "

static double sum_of(const json_t *rows, const char *key, double *out_all) {
    double sum = 0;
    size_t index;
    json_t *row;
    json_array_foreach((json_t *)(uintptr_t)rows, index, row) {
        double number = json_real_value(json_object_get(row, key));
        if (strcmp(json_string_value(json_object_get(row, "op")), "all") == 0)
            *out_all = number;
        else
            sum += number;
    }
    return sum;
}

static void rows_add_up_to_the_last_one(void **state) {
    (void)state;
    const tool_result *got =
        tool_run(TINY "$Q bench tiny.json --length 8 --batch 2 --repeat 1 --device cpu --json");
    json_t *report = json_loads(got->out, 0, NULL);
    assert_int_equal(got->code, 0);
    assert_int_equal(json_integer_value(json_object_get(report, "length")), 8);
    static const char *const positive[] = {"peak_flops_per_second", "peak_bytes_per_second",
                                           "matrix_product_flops_per_second"};
    for (int k = 0; k < 3; ++k) assert_true(json_real_value(json_object_get(report, positive[k])) > 0);
    double forward_flops = 0;
    static const char *const tables[] = {"forward_ops", "gradient_ops"};
    for (int t = 0; t < 2; ++t) {
        json_t *rows = json_object_get(report, tables[t]);
        assert_true(json_array_size(rows) > 3);
        double all = 0, sum = sum_of(rows, "flops", &all);
        assert_true(all > 0 && sum / all > 0.999 && sum / all < 1.001);
        if (t == 0)
            forward_flops = all;
        else
            assert_true(all > 2 * forward_flops);
    }
    assert_true(json_real_value(json_object_get(json_object_get(report, "training"), "seconds")) > 0);
    json_decref(report);
}

static void what_does_not_fit_is_a_message(void **state) {
    (void)state;
    tool_expect(TINY "$Q bench tiny.json --length 17 --device cpu", 1, "17");
    tool_expect("$Q bench nothing.json --device cpu", 1, "nothing.json");
    tool_expect("$Q bench --repeat 0", 2, "--repeat is \"0\"");
}

static double number(const json_t *object, const char *name) {
    return json_real_value(json_object_get(object, name));
}

/* Every form is there at every size. */
static void edges_time_every_form(void **state) {
    (void)state;
    const tool_result *got = tool_run(
        "$Q bench edges --longest 32 --repeat 1 --dim-edges 4 --device cpu --most-seconds 1000000 --json");
    json_t *report = json_loads(got->out, 0, NULL);
    assert_int_equal(got->code, 0);
    assert_true(json_real_value(json_object_get(report, "matrix_product_flops_per_second")) > 0);
    const json_t *forms = json_object_get(report, "forms");
    assert_int_equal(json_array_size(forms), 8);
    for (size_t f = 0; f < 8; ++f) {
        const json_t *sizes = json_object_get(json_array_get(forms, f), "sizes");
        assert_int_equal(json_array_size(sizes), 2);
        for (size_t k = 0; k < 2; ++k) {
            const json_t *row = json_array_get(sizes, k);
            assert_int_equal(json_integer_value(json_object_get(row, "n")), k == 0 ? 16 : 32);
            assert_null(json_object_get(row, "why_skipped")); /* however slow the machine is */
            const json_t *forward = json_object_get(row, "forward"),
                         *backward = json_object_get(row, "backward");
            assert_true(number(forward, "attention_seconds") >
                        0); /* every form has an attention of its own */
            assert_true(number(forward, "seconds") > number(forward, "attention_seconds"));
            assert_true(number(backward, "flops") > number(forward, "flops"));
            assert_true(number(backward, "attention_flops") > number(forward, "attention_flops"));
        }
    }
    json_decref(report);
    tool_expect("$Q bench edges --longest 32 --repeat 1 --dim-edges 4 --device cpu --most-seconds 0", 0,
                "skipped: about ");
}

/* One form, and a size to begin with. */
static void edges_of_one_form_and_size(void **state) {
    (void)state;
    const tool_result *got =
        tool_run("$Q bench edges --form full --least 32 --longest 32 --repeat 1 --dim-edges 4 "
                 "--device cpu --most-seconds 1000000 --json");
    json_t *report = json_loads(got->out, 0, NULL);
    assert_int_equal(got->code, 0);
    const json_t *forms = json_object_get(report, "forms"), *form = json_array_get(forms, 0);
    assert_int_equal(json_array_size(forms), 1);
    assert_string_equal(json_string_value(json_object_get(form, "form")), "full");
    assert_int_equal(json_array_size(json_object_get(form, "sizes")), 1);
    json_decref(report);
    tool_expect("$Q bench edges --form round --device cpu", 2, "no form of edge attention \"round\"");
}

/* Forward and backward of both kernels; what takes too long says so. */
static void triangle_kernels_are_timed(void **state) {
    (void)state;
    const tool_result *got = tool_run("$Q bench triangle --least 16 --longest 32 --repeat 1 --device cpu "
                                      "--most-seconds 1000000 --json");
    json_t *report = json_loads(got->out, 0, NULL);
    assert_int_equal(got->code, 0);
    const json_t *kernels = json_object_get(report, "kernels");
    assert_int_equal(json_array_size(kernels), 4);
    for (size_t k = 0; k < 4; ++k) {
        const json_t *row = json_array_get(kernels, k);
        const json_t *forward = json_object_get(row, "forward"), *backward = json_object_get(row, "backward");
        assert_int_equal(json_integer_value(json_object_get(row, "n")), k < 2 ? 16 : 32);
        assert_true(number(forward, "seconds") > 0 && number(backward, "seconds") > 0);
        assert_true(number(backward, "flops") > 1.5 * number(forward, "flops"));
    }
    json_decref(report);
    tool_expect("$Q bench triangle --least 64 --longest 64 --device cpu --most-seconds 0", 0,
                "skipped: about ");
    tool_expect("$Q bench products --least 64 --longest 64 --repeat 1 --device cpu", 0,
                "64 x    64, depth    64");
}

/* What comes too late is named, and the rest is there. No machine makes a million passes in a second. */
static void a_time_limit_leaves_the_rest_out(void **state) {
    (void)state;
    const tool_result *got = tool_run(
        TINY "$Q bench tiny.json --length 16 --repeat 1000000 --seconds 1 --device reference --json");
    json_t *report = json_loads(got->out, 0, NULL);
    assert_int_equal(got->code, 0);
    assert_true(number(json_object_get(report, "forward"), "seconds") > 0);
    assert_int_equal(json_array_size(json_object_get(report, "left_out")), 4);
    json_decref(report);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_add_up_to_the_last_one),      cmocka_unit_test(edges_time_every_form),
        cmocka_unit_test(edges_of_one_form_and_size),       cmocka_unit_test(triangle_kernels_are_timed),
        cmocka_unit_test(a_time_limit_leaves_the_rest_out), cmocka_unit_test(what_does_not_fit_is_a_message),
    };
    return cmocka_run_group_tests(tests, tool_make_test_folder, tool_remove_test_folder);
}
