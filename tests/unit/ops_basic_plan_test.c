/* ops_basic_plan_test.c: the dispatches that the basic ops plan, without any device: how sums are split, when
 * a copy goes through tiles, and that every record of every case is well formed on small and large devices.
 */
#include "expect.h"

#include "ops/movement.h"
#include "ops/strided.h"
#include "shaders/copy.args.h"
#include "shaders/embedding_grad.args.h"
#include "shaders/sum.args.h"

static const quartic_gpu_limits small_device = {
    .max_shared_bytes = 16384, .max_invocations = 256, .subgroup_size = 8, .compute_units = 1};
static const quartic_gpu_limits large_device = {
    .max_shared_bytes = 49152, .max_invocations = 1024, .subgroup_size = 32, .compute_units = 132};

static quartic_dispatch_list ops_basic_plan_plan(const quartic_op *op, const void *attrs,
                                                 const quartic_layout *inputs, uint32_t count,
                                                 const quartic_gpu_limits *limits) {
    quartic_layout outputs[QUARTIC_OP_MAX_OUTPUTS];
    quartic_op_call call = {attrs, count, 0, inputs, outputs};
    quartic_dispatch_list list = {0};
    if (op->infer(&call, outputs, &call.output_count) != QUARTIC_OK ||
        op->gpu(&call, limits, &list) != QUARTIC_OK)
        fail_msg("%s: %s", op->name, quartic_error_message());
    return list;
}

static void every_record_is_well_formed(void **state) {
    (void)state;
    static const char *const names[] = {"unary",
                                        "unary_grad",
                                        "copy",
                                        "concat",
                                        "pad",
                                        "diagonal_add",
                                        "sum",
                                        "embedding",
                                        "embedding_grad",
                                        "relative_bias",
                                        "relative_bias_grad",
                                        "dropout"};
    for (size_t n = 0; n < sizeof names / sizeof names[0]; ++n) {
        const quartic_op *op = quartic_op_find(names[n]);
        assert_non_null(op);
        quartic_op_case test;
        uint32_t index = 0;
        for (; op->cases(index, &test); ++index)
            for (int large = 0; large < 2; ++large) {
                quartic_layout inputs[QUARTIC_OP_MAX_INPUTS];
                for (uint32_t i = 0; i < test.input_count; ++i)
                    inputs[i] = quartic_layout_contiguous(test.inputs[i].dtype, &test.inputs[i].shape);
                quartic_dispatch_list list = ops_basic_plan_plan(op, test.attrs, inputs, test.input_count,
                                                                 large ? &large_device : &small_device);
                assert_true(list.count >= 1 && list.count <= QUARTIC_DISPATCH_MAX);
                for (uint32_t d = 0; d < list.count; ++d) {
                    const quartic_dispatch *dispatch = &list.items[d];
                    char path[512];
                    snprintf(path, sizeof path, "%s/shaders/%s.comp", QUARTIC_TEST_SOURCE, dispatch->shader);
                    FILE *file = fopen(path, "r");
                    assert_non_null(file);
                    fclose(file);
                    bool writes = false;
                    for (uint32_t p = 0; p < dispatch->pointer_count; ++p) {
                        const quartic_dispatch_pointer *pointer = &dispatch->pointers[p];
                        assert_true(pointer->args_offset % 8 == 0 &&
                                    pointer->args_offset + 8u <= dispatch->args_bytes);
                        if (pointer->kind == QUARTIC_OPERAND_SCRATCH)
                            assert_true(pointer->byte_offset + pointer->bytes <= list.scratch_bytes);
                        writes = writes || pointer->access == QUARTIC_WRITE;
                    }
                    assert_true(writes && dispatch->flops > 0 && dispatch->bytes > 0);
                    for (int axis = 0; axis < 3; ++axis)
                        assert_true(dispatch->groups[axis] >= 1 && dispatch->groups[axis] <= QUARTIC_GRID_X);
                }
            }
        assert_true(index > 0);
    }
}

/* Chunks of a split sum cover the reduced range once and none is empty. */
static void long_sums_are_split_and_added_up(void **state) {
    (void)state;
    static const struct {
        quartic_shape shape;
        uint32_t axes, dispatches_small, dispatches_large;
    } cases[] = {{{2, {16384, 32}}, 1, 2, 2}, {{2, {32, 65536}}, 2, 1, 2}, {{1, {1000003}}, 1, 2, 2},
                 {{2, {100000, 7}}, 2, 1, 1}, {{2, {31, 5}}, 1, 1, 1},     {{2, {512, 100000}}, 1, 1, 1},
                 {{2, {128, 4096}}, 1, 1, 1}, {{2, {32, 16384}}, 2, 1, 1}};
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; ++k)
        for (int large = 0; large < 2; ++large) {
            const quartic_sum_attrs attrs = {cases[k].axes, 0};
            quartic_layout x = quartic_layout_contiguous(QUARTIC_FLOAT32, &cases[k].shape);
            quartic_dispatch_list list =
                ops_basic_plan_plan(&quartic_op_sum, &attrs, &x, 1, large ? &large_device : &small_device);
            assert_int_equal(list.count, large ? cases[k].dispatches_large : cases[k].dispatches_small);
            quartic_sum_args first, last;
            memcpy(&first, list.items[0].args, sizeof first);
            memcpy(&last, list.items[list.count - 1].args, sizeof last);
            assert_true((uint64_t)first.splits * first.chunk >= first.reduced);
            assert_true((uint64_t)(first.splits - 1) * first.chunk < first.reduced);
            assert_int_equal(last.splits, 1);
            assert_int_equal(last.outputs, first.outputs);
            if (list.count == 2) {
                assert_int_equal(last.reduced, first.splits);
                assert_int_equal(list.scratch_bytes, 4ull * first.splits * first.outputs);
            }
        }
}

static uint32_t ops_basic_plan_copy_mode(quartic_shape shape, const int64_t *strides, uint32_t *out_groups) {
    quartic_layout x = {.dtype = QUARTIC_FLOAT32, .shape = shape};
    memcpy(x.strides, strides, shape.rank * sizeof strides[0]);
    quartic_dispatch_list list = ops_basic_plan_plan(&quartic_op_copy, NULL, &x, 1, &small_device);
    *out_groups = list.items[0].groups[0];
    return list.items[0].spec[0];
}

static void copies_across_the_fastest_axis_use_tiles(void **state) {
    (void)state;
    enum { LINEAR, TILED };
    uint32_t groups;
    assert_int_equal(
        ops_basic_plan_copy_mode(QUARTIC_SHAPE(3, 40, 70), (const int64_t[]){2800, 70, 1}, &groups), LINEAR);
    assert_int_equal(groups, (3 * 40 * 70 + 1023) / 1024);
    assert_int_equal(
        ops_basic_plan_copy_mode(QUARTIC_SHAPE(3, 40, 70), (const int64_t[]){2800, 1, 40}, &groups), TILED);
    assert_int_equal(groups, 3 * 2 * 3);
    /* The source's fastest axis comes first: it is brought next to the last. */
    assert_int_equal(
        ops_basic_plan_copy_mode(QUARTIC_SHAPE(40, 3, 70), (const int64_t[]){1, 40, 120}, &groups), TILED);
    assert_int_equal(groups, 3 * 2 * 3);
    /* Too narrow for tiles; repeated along the last axis; heads moved outward, rows kept. */
    assert_int_equal(ops_basic_plan_copy_mode(QUARTIC_SHAPE(3, 4, 70), (const int64_t[]){280, 1, 4}, &groups),
                     LINEAR);
    assert_int_equal(ops_basic_plan_copy_mode(QUARTIC_SHAPE(40, 70), (const int64_t[]){1, 0}, &groups),
                     LINEAR);
    assert_int_equal(
        ops_basic_plan_copy_mode(QUARTIC_SHAPE(8, 40, 64), (const int64_t[]){64, 512, 1}, &groups), LINEAR);
}

static void embedding_grad_fills_the_device(void **state) {
    (void)state;
    const struct {
        uint32_t rows, width, group_rows_large;
    } cases[] = {{256, 512, 3}, {50000, 512, EMBEDDING_GRAD_MAX_ROWS}, {3, 7, 1}};
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; ++k) {
        const quartic_embedding_attrs attrs = {cases[k].rows};
        const quartic_layout inputs[] = {
            quartic_layout_contiguous(QUARTIC_FLOAT32, &QUARTIC_SHAPE(8192, cases[k].width)),
            quartic_layout_contiguous(QUARTIC_INT32, &QUARTIC_SHAPE(8192))};
        quartic_dispatch_list list =
            ops_basic_plan_plan(&quartic_op_embedding_grad, &attrs, inputs, 2, &large_device);
        quartic_embedding_grad_args args;
        memcpy(&args, list.items[0].args, sizeof args);
        assert_int_equal(args.group_rows, cases[k].group_rows_large);
        uint64_t groups =
            (uint64_t)(args.rows + args.group_rows - 1) / args.group_rows * ((args.width + 31) / 32);
        assert_true((uint64_t)list.items[0].groups[0] * list.items[0].groups[1] >= groups);
    }
}

/* The constant of copy or pad that says how four elements of x lie. */
static uint32_t quad_of(const quartic_op *op, const void *attrs, uint32_t constant, quartic_shape shape,
                        int64_t row, int64_t column, int64_t offset) {
    quartic_layout x = quartic_layout_contiguous(QUARTIC_FLOAT32, &shape);
    x.strides[0] = row, x.strides[1] = column, x.offset = offset;
    return ops_basic_plan_plan(op, attrs, &x, 1, &large_device).items[0].spec[constant];
}

/* 16 bytes at once where four elements lie together on both sides, and nowhere else. */
static void fours_are_moved_together(void **state) {
    (void)state;
    enum { MODE, QUAD };
    const quartic_op *copy = &quartic_op_copy, *pad = &quartic_op_pad;
    const quartic_shape fours = QUARTIC_SHAPE(64, 40), odd = QUARTIC_SHAPE(64, 39);
    assert_int_equal(quad_of(copy, NULL, QUAD, fours, 44, 1, 8), QUARTIC_QUAD_ONE);
    assert_int_equal(quad_of(copy, NULL, QUAD, fours, 43, 1, 8), QUARTIC_QUAD_NONE);
    assert_int_equal(quad_of(copy, NULL, QUAD, fours, 44, 1, 2), QUARTIC_QUAD_NONE);
    assert_int_equal(quad_of(copy, NULL, QUAD, odd, 44, 1, 8), QUARTIC_QUAD_NONE);
    assert_int_equal(quad_of(copy, NULL, QUAD, fours, 1, 0, 3), QUARTIC_QUAD_SAME);
    assert_int_equal(quad_of(copy, NULL, MODE, fours, 1, 64, 8), 1); /* through tiles */
    assert_int_equal(quad_of(copy, NULL, QUAD, fours, 1, 64, 8), QUARTIC_QUAD_ONE);
    assert_int_equal(quad_of(copy, NULL, QUAD, fours, 1, 65, 8), QUARTIC_QUAD_NONE);
    assert_int_equal(quad_of(copy, NULL, QUAD, fours, 1, 64, 1), QUARTIC_QUAD_NONE);
    assert_int_equal(quad_of(copy, NULL, QUAD, odd, 1, 64, 8), QUARTIC_QUAD_NONE);
    const quartic_pad_attrs by_fours = {1, 4, 48}, by_one = {1, 1, 48}, to_odd = {1, 4, 47},
                            rows = {0, 1, 70};
    assert_int_equal(quad_of(pad, &by_fours, 0, fours, 40, 1, 0), QUARTIC_QUAD_ONE);
    assert_int_equal(quad_of(pad, &rows, 0, fours, 40, 1, 0), QUARTIC_QUAD_ONE);
    assert_int_equal(quad_of(pad, &by_one, 0, fours, 40, 1, 0), QUARTIC_QUAD_NONE);
    assert_int_equal(quad_of(pad, &to_odd, 0, fours, 40, 1, 0), QUARTIC_QUAD_NONE);
    assert_int_equal(quad_of(pad, &by_fours, 0, fours, 40, 1, 1), QUARTIC_QUAD_NONE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fours_are_moved_together),
        cmocka_unit_test(every_record_is_well_formed),
        cmocka_unit_test(long_sums_are_split_and_added_up),
        cmocka_unit_test(copies_across_the_fastest_axis_use_tiles),
        cmocka_unit_test(embedding_grad_fills_the_device),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
