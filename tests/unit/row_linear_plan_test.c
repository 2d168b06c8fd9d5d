/* row_linear_plan_test.c: how products fused over rows are launched, from shapes and limits alone. */
#include "expect.h"

#include "base/status.h"
#include "ops/row_linear.h"
#include "shaders/row_linear.args.h"

enum { FORM, WIDTH, THREADS, PARTS, RAW, FLAGS, TILES }; /* constants of row_linear.comp */

static const quartic_gpu_limits gpu = {
    .max_shared_bytes = 32768, .max_invocations = 256, .subgroup_size = 64, .compute_units = 20};

/* norm_linear of x (rows, k) with weights (n, k), (3, k): the second sees x as it is. */
static quartic_status row_linear_plan_plan(uint32_t rows, uint32_t k, uint32_t n, int64_t offset,
                                           const quartic_gpu_limits *limits, quartic_dispatch_list *list) {
    static const row_linear_attrs attrs = {.form = QUARTIC_ROW_L2, .raw = 2, .alpha = 0.5f};
    const quartic_shape shapes[] = {QUARTIC_SHAPE(rows, k), QUARTIC_SHAPE(k),       QUARTIC_SHAPE(n, k),
                                    QUARTIC_SHAPE(3, k),    QUARTIC_SHAPE(rows, n), QUARTIC_SHAPE(rows, 3)};
    quartic_layout layouts[6];
    for (uint32_t i = 0; i < 6; ++i) layouts[i] = quartic_layout_contiguous(QUARTIC_FLOAT32, &shapes[i]);
    layouts[0].offset = offset;
    const quartic_op_call call = {
        .attrs = &attrs, .input_count = 4, .output_count = 2, .inputs = layouts, .outputs = layouts + 4};
    *list = (quartic_dispatch_list){0};
    return quartic_op_norm_linear.gpu(&call, limits, list);
}

static void many_rows_are_read_once(void **state) {
    (void)state;
    quartic_dispatch_list list;
    assert_int_equal(row_linear_plan_plan(9216, 32, 384, 0, &gpu, &list), QUARTIC_OK);
    assert_int_equal(list.count, 1);
    const quartic_dispatch *dispatch = &list.items[0];
    assert_string_equal(dispatch->shader, "row_linear");
    assert_int_equal(dispatch->groups[0], 9216 / 64); /* every group takes all columns */
    assert_int_equal(dispatch->spec[WIDTH] * dispatch->spec[TILES] >= 384 + 4, 1);
    assert_int_equal(dispatch->spec[THREADS], 2 * dispatch->spec[WIDTH]);
    assert_int_equal(dispatch->spec[PARTS], 2);
    assert_int_equal(dispatch->spec[RAW], 2);
}

static void few_rows_share_out_their_columns(void **state) {
    (void)state;
    quartic_dispatch_list list;
    assert_int_equal(row_linear_plan_plan(65, 32, 384, 0, &gpu, &list), QUARTIC_OK);
    assert_true(list.items[0].groups[0] >= 4 && list.items[0].groups[0] <= 2 * 7);
    assert_int_equal(list.items[0].spec[TILES], 1);
}

static void quads_need_everything_in_fours(void **state) {
    (void)state;
    quartic_dispatch_list list;
    assert_int_equal(row_linear_plan_plan(70, 32, 64, 0, &gpu, &list), QUARTIC_OK);
    uint32_t flags = list.items[0].spec[FLAGS];
    assert_int_equal(flags, QUARTIC_ROW_HAS_SCALE | QUARTIC_ROW_X_QUADS | QUARTIC_ROW_W_QUADS |
                                QUARTIC_ROW_WRITE_QUADS);
    assert_int_equal(row_linear_plan_plan(70, 32, 64, 2, &gpu, &list), QUARTIC_OK);
    assert_int_equal(list.items[0].spec[FLAGS], flags & ~(uint32_t)QUARTIC_ROW_X_QUADS);
    assert_int_equal(row_linear_plan_plan(70, 33, 66, 0, &gpu, &list), QUARTIC_OK);
    assert_int_equal(list.items[0].spec[FLAGS], QUARTIC_ROW_HAS_SCALE);
}

static void short_loops_are_kept_to_or_refused(void **state) {
    (void)state;
    quartic_dispatch_list list;
    quartic_gpu_limits limits = gpu;
    limits.subgroup_size = 8;
    limits.has_subgroup_shuffle = 1;
    limits.is_software = 1;
    limits.max_iterations = 65535;
    assert_int_equal(row_linear_plan_plan(100000, 1024, 1024, 0, &limits, &list), QUARTIC_OK);
    assert_string_equal(list.items[0].shader, "row_linear_lanes");
    assert_true(list.items[0].spec[TILES] * 1024u < 65535u);
    assert_int_equal(row_linear_plan_plan(3, 40000, 5, 0, &limits, &list), QUARTIC_UNSUPPORTED);
    assert_non_null(strstr(quartic_error_message(), "40000"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_rows_are_read_once),
        cmocka_unit_test(few_rows_share_out_their_columns),
        cmocka_unit_test(quads_need_everything_in_fours),
        cmocka_unit_test(short_loops_are_kept_to_or_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
