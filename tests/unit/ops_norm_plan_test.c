/* ops_norm_plan_test.c: what norms, softmax, cross entropy and updates refuse, and the dispatches they plan.
 */
#include "expect.h"

#include "ops/norm.h"
#include "ops/rows.h"
#include "ops/softmax.h"
#include "ops/update.h"
#include "quartic/graph.h"
#include "shaders/norm_grad.args.h"

static const quartic_gpu_limits limits = {
    .max_shared_bytes = 32768, .max_invocations = 256, .subgroup_size = 32, .compute_units = 100};

/* Operands as layouts; the outputs come from infer. */
typedef struct planned {
    quartic_layout inputs[QUARTIC_OP_MAX_INPUTS], outputs[QUARTIC_OP_MAX_OUTPUTS];
    quartic_op_call call;
} planned;

static quartic_layout floats(quartic_shape shape) {
    return quartic_layout_contiguous(QUARTIC_FLOAT32, &shape);
}

/* Plans an adjoint norm of x (rows, width) with everything wanted into *out_list. */
static quartic_status plan_norm_grad(uint32_t kind, uint32_t wants, uint32_t rows, uint32_t width, planned *p,
                                     norm_attrs *attrs, quartic_dispatch_list *out_list) {
    *attrs = (norm_attrs){.kind = kind, .wants = wants, .eps = 1e-5f};
    *p = (planned){.inputs = {floats(QUARTIC_SHAPE(rows, width)), floats(QUARTIC_SHAPE(rows, width)),
                              floats(QUARTIC_SHAPE(width))}};
    p->call = (quartic_op_call){attrs, 4, 0, p->inputs, p->outputs};
    *out_list = (quartic_dispatch_list){0};
    QUARTIC_TRY(quartic_op_layer_norm_grad.infer(&p->call, p->outputs, &p->call.output_count));
    return quartic_op_layer_norm_grad.gpu(&p->call, &limits, out_list);
}

static void lanes_share_a_workgroup_among_short_rows(void **state) {
    (void)state;
    static const struct {
        uint32_t width, lanes;
    } want[] = {{1, 1},   {4, 1},   {5, 2},     {8, 2},      {13, 4},    {32, 8},
                {33, 16}, {64, 16}, {512, 128}, {1024, 256}, {4096, 256}};
    for (size_t k = 0; k < sizeof want / sizeof want[0]; ++k)
        assert_int_equal(quartic_rows_lanes(want[k].width), want[k].lanes);
    assert_int_equal(quartic_rows_groups(1, 1), 1);
    assert_int_equal(quartic_rows_groups(257, 1), 2);
    assert_int_equal(quartic_rows_groups(65536, 8), 2048);
    assert_int_equal(quartic_rows_groups(7, 256), 7);
}

static void adjoint_norms_cover_all_rows_once(void **state) {
    (void)state;
    static const uint32_t rows[] = {1, 2, 33, 1000, 65536}, widths[] = {1, 13, 32, 512, 2048};
    for (size_t r = 0; r < sizeof rows / sizeof rows[0]; ++r)
        for (size_t w = 0; w < sizeof widths / sizeof widths[0]; ++w) {
            planned p;
            norm_attrs attrs;
            quartic_dispatch_list list;
            assert_int_equal(plan_norm_grad(QUARTIC_NORM_LAYER, 7, rows[r], widths[w], &p, &attrs, &list),
                             QUARTIC_OK);
            assert_int_equal(list.count, 3); /* rows, then the columns of two parameters */
            quartic_norm_grad_args args;
            memcpy(&args, list.items[0].args, sizeof args);
            uint64_t groups = list.items[0].groups[0];
            assert_int_equal(list.items[0].groups[1], 1);
            assert_true(groups >= 1 && groups <= 512); /* or the second stage would be long */
            assert_true(groups * args.rows_per_group >= rows[r]);
            assert_true((groups - 1) * args.rows_per_group < rows[r]);
            assert_int_equal(args.rows_per_group % (256 / list.items[0].spec[1]), 0);
            assert_true(list.items[0].spec[1] * list.items[0].spec[2] >= widths[w]);
            assert_true(list.scratch_bytes >= groups * 2 * widths[w] * sizeof(float));
        }
}

static void adjoint_norms_plan_only_what_is_wanted(void **state) {
    (void)state;
    planned p;
    norm_attrs attrs;
    quartic_dispatch_list list;
    assert_int_equal(plan_norm_grad(QUARTIC_NORM_LAYER, QUARTIC_NORM_WANT_X, 99, 33, &p, &attrs, &list),
                     QUARTIC_OK);
    assert_int_equal(p.call.output_count, 1);
    assert_int_equal(list.count, 1);
    assert_int_equal(list.scratch_bytes, 0);
    assert_int_equal(plan_norm_grad(QUARTIC_NORM_LAYER, QUARTIC_NORM_WANT_BIAS, 99, 33, &p, &attrs, &list),
                     QUARTIC_OK);
    assert_int_equal(p.call.output_count, 1);
    assert_int_equal(p.outputs[0].shape.rank, 1);
    assert_int_equal(list.count, 2);
    for (uint32_t k = 0; k < list.items[0].pointer_count; ++k)
        assert_int_not_equal(list.items[0].pointers[k].kind, QUARTIC_OPERAND_OUTPUT);
}

static void too_wide_a_norm_is_unsupported_on_vulkan(void **state) {
    (void)state;
    planned p;
    norm_attrs attrs;
    quartic_dispatch_list list;
    assert_int_equal(plan_norm_grad(QUARTIC_NORM_LAYER, 7, 2, 16384, &p, &attrs, &list), QUARTIC_OK);
    assert_int_equal(plan_norm_grad(QUARTIC_NORM_LAYER, 7, 2, 16385, &p, &attrs, &list), QUARTIC_UNSUPPORTED);
    assert_non_null(strstr(quartic_error_message(), "16385"));
}

static void sums_of_squares_take_one_stage_or_two(void **state) {
    (void)state;
    static const struct {
        uint32_t count, dispatches, groups;
    } want[] = {{1, 1, 1}, {2048, 1, 1}, {2049, 2, 2}, {1u << 24, 2, 512}};
    for (size_t k = 0; k < sizeof want / sizeof want[0]; ++k) {
        planned p = {.inputs = {floats(QUARTIC_SHAPE(want[k].count))},
                     .outputs = {floats((quartic_shape){0})}};
        p.call = (quartic_op_call){NULL, 1, 1, p.inputs, p.outputs};
        quartic_dispatch_list list = {0};
        assert_int_equal(quartic_op_sum_squares.gpu(&p.call, &limits, &list), QUARTIC_OK);
        assert_int_equal(list.count, want[k].dispatches);
        assert_int_equal(list.items[0].groups[0], want[k].groups);
        assert_int_equal(list.items[list.count - 1].groups[0], 1);
    }
}

/* The graph's first error names the op and holds the text. */
static void ops_norm_plan_expect_refusal(quartic_graph *graph, quartic_status status, const char *text) {
    assert_int_equal(quartic_graph_status(graph), status);
    if (strstr(quartic_error_message(), text) == NULL)
        fail_msg("\"%s\" does not tell \"%s\"", quartic_error_message(), text);
    quartic_graph_destroy(graph);
}

static quartic_graph *ops_norm_plan_new_graph(void) {
    quartic_graph *graph;
    assert_int_equal(quartic_graph_create(&graph), QUARTIC_OK);
    return graph;
}

static quartic_value ops_norm_plan_input(quartic_graph *graph, const char *name, quartic_shape shape) {
    return quartic_graph_input(graph, name, QUARTIC_FLOAT32, &shape);
}
static quartic_value integers(quartic_graph *graph, const char *name, quartic_shape shape) {
    return quartic_graph_input(graph, name, QUARTIC_INT32, &shape);
}

static void wrong_operands_are_refused_with_a_message(void **state) {
    (void)state;
    const quartic_value none = {0};
    quartic_graph *g = ops_norm_plan_new_graph();
    quartic_rms_norm(g, ops_norm_plan_input(g, "x", QUARTIC_SHAPE(2, 3)),
                     ops_norm_plan_input(g, "scale", QUARTIC_SHAPE(4)), 1e-5f);
    ops_norm_plan_expect_refusal(g, QUARTIC_SHAPE_MISMATCH,
                                 "operand 1 of rms_norm must have shape (3), not (4)");

    g = ops_norm_plan_new_graph();
    quartic_rms_norm(g, ops_norm_plan_input(g, "x", QUARTIC_SHAPE(2, 3)), none, -1.0f);
    ops_norm_plan_expect_refusal(g, QUARTIC_INVALID_ARGUMENT, "eps -1");

    g = ops_norm_plan_new_graph();
    quartic_l2_norm(g, ops_norm_plan_input(g, "x", QUARTIC_SHAPE(2, 3)), none, 0.0f);
    ops_norm_plan_expect_refusal(g, QUARTIC_INVALID_ARGUMENT, "l2_norm needs its operand 1");

    g = ops_norm_plan_new_graph();
    quartic_layer_norm(g, ops_norm_plan_input(g, "x", (quartic_shape){0}), none, none, 1e-5f);
    ops_norm_plan_expect_refusal(g, QUARTIC_SHAPE_MISMATCH,
                                 "layer_norm normalises over the last axis, but shape () has none");

    g = ops_norm_plan_new_graph();
    quartic_softmax(g, ops_norm_plan_input(g, "sim", QUARTIC_SHAPE(2, 3, 4)), none, 0);
    ops_norm_plan_expect_refusal(g, QUARTIC_SHAPE_MISMATCH,
                                 "operand 0 of softmax must have 4 axes, not shape (2, 3, 4)");

    g = ops_norm_plan_new_graph();
    quartic_softmax(g, ops_norm_plan_input(g, "sim", QUARTIC_SHAPE(2, 3, 4, 5)),
                    integers(g, "mask", QUARTIC_SHAPE(2, 4)), 0);
    ops_norm_plan_expect_refusal(g, QUARTIC_SHAPE_MISMATCH,
                                 "operand 1 of softmax must have shape (2, 5), not (2, 4)");

    g = ops_norm_plan_new_graph();
    quartic_cross_entropy(g, ops_norm_plan_input(g, "logits", QUARTIC_SHAPE(5, 7)),
                          ops_norm_plan_input(g, "targets", QUARTIC_SHAPE(5)));
    ops_norm_plan_expect_refusal(g, QUARTIC_INVALID_ARGUMENT, "operand 1 of cross_entropy must be int32");

    g = ops_norm_plan_new_graph();
    quartic_cross_entropy(g, ops_norm_plan_input(g, "logits", QUARTIC_SHAPE(5, 7)),
                          integers(g, "targets", QUARTIC_SHAPE(4)));
    ops_norm_plan_expect_refusal(g, QUARTIC_SHAPE_MISMATCH, "must have shape (5), not (4)");
}

static void wrong_updates_are_refused_with_a_message(void **state) {
    (void)state;
    const quartic_shape shape = QUARTIC_SHAPE(2, 3);
    quartic_graph *g = ops_norm_plan_new_graph();
    quartic_value target = quartic_graph_state(g, "target", QUARTIC_FLOAT32, &shape);
    quartic_accumulate(g, target, ops_norm_plan_input(g, "x", QUARTIC_SHAPE(3)), 1.0f);
    ops_norm_plan_expect_refusal(g, QUARTIC_SHAPE_MISMATCH,
                                 "operand 1 of accumulate must have shape (2, 3), not (3)");

    g = ops_norm_plan_new_graph();
    quartic_fill(g, ops_norm_plan_input(g, "target", shape), 1.0f);
    ops_norm_plan_expect_refusal(g, QUARTIC_INVALID_ARGUMENT, "must be a state");

    g = ops_norm_plan_new_graph();
    quartic_fill(g, quartic_graph_state(g, "target", QUARTIC_INT32, &shape), 0.5f);
    ops_norm_plan_expect_refusal(g, QUARTIC_INVALID_ARGUMENT, "fill cannot put 0.5 into an int32 target");

    g = ops_norm_plan_new_graph();
    target = quartic_graph_state(g, "target", QUARTIC_FLOAT32, &shape);
    quartic_fill(g, quartic_slice(g, target, 1, 0, 2), 0.5f);
    ops_norm_plan_expect_refusal(g, QUARTIC_INVALID_ARGUMENT, "must be contiguous");

    g = ops_norm_plan_new_graph();
    quartic_value moments[2] = {quartic_graph_state(g, "first", QUARTIC_FLOAT32, &shape),
                                quartic_graph_state(g, "second", QUARTIC_FLOAT32, &shape)};
    quartic_adamw(g, quartic_graph_parameter(g, "parameter", &shape),
                  ops_norm_plan_input(g, "gradient", shape), moments[0], moments[1],
                  ops_norm_plan_input(g, "hyper", QUARTIC_SHAPE(7)), (quartic_value){0}, 1.0f);
    ops_norm_plan_expect_refusal(g, QUARTIC_SHAPE_MISMATCH,
                                 "operand 4 of adamw must have shape (8), not (7)");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lanes_share_a_workgroup_among_short_rows),
        cmocka_unit_test(adjoint_norms_cover_all_rows_once),
        cmocka_unit_test(adjoint_norms_plan_only_what_is_wanted),
        cmocka_unit_test(too_wide_a_norm_is_unsupported_on_vulkan),
        cmocka_unit_test(sums_of_squares_take_one_stage_or_two),
        cmocka_unit_test(wrong_operands_are_refused_with_a_message),
        cmocka_unit_test(wrong_updates_are_refused_with_a_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
