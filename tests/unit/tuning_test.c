/* tuning_test.c: measured choices as plain data: the table, the numbers of problems, and plans that take a choice or, where
 * it does not fit, stay as they are. */
#include "expect.h"

#include "failing_alloc.h"
#include "ops/matmul/plan.h"
#include "ops/tuning.h"

static void a_table_keeps_one_choice_for_a_problem(void **state) {
    (void)state;
    quartic_tuning_table table = {0};
    assert_null(quartic_tuning_find(NULL, 3));
    assert_null(quartic_tuning_find(&table, 3));
    assert_int_equal(quartic_tuning_hash(&table), 0);
    for (uint64_t k = 0; k < 100; ++k) {
        const uint64_t problem = k * 7919 % 101; /* in no order */
        assert_ok(quartic_tuning_set(&table, problem, &(quartic_tuning_choice){.tile = (uint32_t)problem}));
    }
    assert_int_equal(table.count, 100);
    for (uint64_t k = 0; k < 100; ++k) {
        const uint64_t problem = k * 7919 % 101;
        assert_int_equal(quartic_tuning_find(&table, problem)->tile, problem);
    }
    for (uint32_t k = 1; k < table.count; ++k)
        assert_true(table.entries[k].problem > table.entries[k - 1].problem);
    const uint64_t hash = quartic_tuning_hash(&table);
    assert_true(hash != 0);
    assert_ok(quartic_tuning_set(&table, 5, &(quartic_tuning_choice){.splits = 2}));
    assert_int_equal(table.count, 100);
    assert_int_equal(quartic_tuning_find(&table, 5)->splits, 2);
    assert_true(quartic_tuning_hash(&table) != hash);
    quartic_tuning_clear(&table);
    assert_null(quartic_tuning_find(&table, 5));
}

static void without_memory_a_table_is_as_it_was(void **state) {
    (void)state;
    quartic_tuning_table table = {0};
    quartic_alloc_fail_at(1);
    assert_int_equal(quartic_tuning_set(&table, 1, &(quartic_tuning_choice){.tile = 1}),
                     QUARTIC_OUT_OF_MEMORY);
    quartic_alloc_fail_at(0);
    assert_int_equal(table.count, 0);
    quartic_tuning_clear(&table);
}

/* A product (m, k) (k, n) as a call. */
static quartic_op_call tuning_product(quartic_layout layouts[3], const quartic_matmul_attrs *attrs,
                                      uint32_t m, uint32_t n, uint32_t k) {
    layouts[0] = quartic_layout_contiguous(QUARTIC_FLOAT32, &QUARTIC_SHAPE(m, k));
    layouts[1] = quartic_layout_contiguous(QUARTIC_FLOAT32, &QUARTIC_SHAPE(k, n));
    layouts[2] = quartic_layout_contiguous(QUARTIC_FLOAT32, &QUARTIC_SHAPE(m, n));
    return (quartic_op_call){
        .attrs = attrs, .input_count = 2, .output_count = 1, .inputs = layouts, .outputs = layouts + 2};
}

static void problems_differ_by_what_plans_look_at(void **state) {
    (void)state;
    const quartic_op *op = &quartic_op_matmul;
    const quartic_matmul_attrs plain = {.alpha = 1.0f}, halved = {.alpha = 0.5f};
    quartic_layout layouts[3];
    quartic_op_call call = tuning_product(layouts, &plain, 64, 32, 16);
    const uint64_t number = quartic_tuning_problem(op, &call);
    layouts[0].offset = 128; /* as far from a multiple of four */
    assert_true(quartic_tuning_problem(op, &call) == number);
    layouts[0].offset = 129;
    assert_true(quartic_tuning_problem(op, &call) != number);
    layouts[0].offset = 0;
    layouts[0].strides[0] = 20;
    assert_true(quartic_tuning_problem(op, &call) != number);
    call = tuning_product(layouts, &halved, 64, 32, 16);
    assert_true(quartic_tuning_problem(op, &call) != number);
    call = tuning_product(layouts, &plain, 64, 32, 20);
    assert_true(quartic_tuning_problem(op, &call) != number);
    assert_true(quartic_tuning_problem(&quartic_op_copy, &call) != quartic_tuning_problem(op, &call));
}

static const quartic_gpu_limits limits_of_tests = {.max_shared_bytes = 32768,
                                                   .max_invocations = 256,
                                                   .subgroup_size = 32,
                                                   .compute_units = 40,
                                                   .least_subgroup_size = 16,
                                                   .most_subgroup_size = 64};

static void a_product_takes_each_of_its_candidates(void **state) {
    (void)state;
    const quartic_matmul_attrs attrs = {.alpha = 1.0f};
    quartic_layout layouts[3];
    const quartic_op_call call = tuning_product(layouts, &attrs, 512, 384, 1024);
    quartic_tuning_choice choices[QUARTIC_TUNING_MOST_CANDIDATES];
    const uint32_t count = quartic_tuning_candidates(&quartic_op_matmul, &call, &limits_of_tests, choices);
    assert_true(count > 8 && count <= QUARTIC_TUNING_MOST_CANDIDATES);
    const quartic_matmul_problem problem = quartic_matmul_describe(&call);
    uint32_t subgroups = 0;
    for (uint32_t c = 1; c < count; ++c) {
        quartic_gpu_limits limits = limits_of_tests;
        limits.choice = choices[c];
        subgroups += choices[c].subgroup_size != 0 ? 1 : 0;
        if (choices[c].tile == 0) continue;
        const quartic_matmul_plan plan = quartic_matmul_choose(&problem, &limits);
        limits.choice = (quartic_tuning_choice){.tile = choices[c].tile};
        const quartic_matmul_plan same_tile = quartic_matmul_choose(&problem, &limits);
        assert_int_equal(plan.tile_m, same_tile.tile_m);
        assert_int_equal(plan.tile_n, same_tile.tile_n);
        assert_true(plan.splits <= choices[c].splits && plan.splits >= 1);
        assert_true((uint64_t)plan.splits * plan.split_steps >= plan.steps);
    }
    assert_int_equal(subgroups, 2); /* 16 and 64 */
}

/* Whatever stands in a table, a plan fits its device. */
static void odd_choices_leave_plans_that_fit(void **state) {
    (void)state;
    const quartic_matmul_attrs attrs = {.alpha = 1.0f};
    quartic_layout layouts[3];
    const quartic_op_call call = tuning_product(layouts, &attrs, 96, 80, 640);
    const quartic_matmul_problem problem = quartic_matmul_describe(&call);
    quartic_gpu_limits limits = limits_of_tests;
    limits.max_shared_bytes = 16384;
    const quartic_matmul_plan own = quartic_matmul_choose(&problem, &limits);
    static const quartic_tuning_choice odd[] = {
        {.tile = 1000}, {.tile = UINT32_MAX}, {.splits = UINT32_MAX},
        {.rows = 77},   {.form = 9},          {.state_bytes = UINT64_MAX}};
    for (size_t k = 0; k < sizeof odd / sizeof odd[0]; ++k) {
        limits.choice = odd[k];
        const quartic_matmul_plan plan = quartic_matmul_choose(&problem, &limits);
        assert_int_equal(plan.tile_m, own.tile_m);
        assert_int_equal(plan.tile_n, own.tile_n);
        assert_int_equal(plan.splits, own.splits);
    }
    for (uint32_t tile = 1; tile <= 16; ++tile) {
        limits.choice = (quartic_tuning_choice){.tile = tile, .splits = 256};
        const quartic_matmul_plan plan = quartic_matmul_choose(&problem, &limits);
        assert_true(2 * plan.step_k * (plan.tile_m + plan.tile_n) * 4 <= 16384 && plan.threads <= 256);
        assert_true((uint64_t)plan.splits * plan.split_steps >= plan.steps && plan.splits <= plan.steps);
    }
}

static void choices_have_words(void **state) {
    (void)state;
    char text[QUARTIC_TUNING_TEXT];
    assert_string_equal(quartic_tuning_text(&(quartic_tuning_choice){0}, text), "the plan's own");
    assert_string_equal(quartic_tuning_text(&(quartic_tuning_choice){.tile = 3, .splits = 4}, text),
                        "tile 3, 4 parts");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_table_keeps_one_choice_for_a_problem),
        cmocka_unit_test(without_memory_a_table_is_as_it_was),
        cmocka_unit_test(problems_differ_by_what_plans_look_at),
        cmocka_unit_test(a_product_takes_each_of_its_candidates),
        cmocka_unit_test(odd_choices_leave_plans_that_fit),
        cmocka_unit_test(choices_have_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
