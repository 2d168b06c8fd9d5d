/* relational_plan_test.c: the GPU plans of relational_scores and its adjoint: groups, splits, scratch and
 * limits. */
#include "expect.h"

#include "ops/relational_scores.h"
#include "shaders/matmul_reduce.args.h"
#include "shaders/relational_form_grad.args.h"

static const quartic_gpu_limits limits = {
    .max_shared_bytes = 32768, .max_invocations = 256, .subgroup_size = 32, .compute_units = 20};

typedef struct planned {
    quartic_layout inputs[QUARTIC_RELATIONAL_INPUTS], outputs[2];
    quartic_dispatch_list list;
} planned;

/* What Vulkan on a CPU offers. */
static const quartic_gpu_limits lanes_limits = {.max_shared_bytes = 32768,
                                                .max_invocations = 256,
                                                .subgroup_size = 8,
                                                .compute_units = 2,
                                                .max_iterations = 65535,
                                                .has_subgroup_shuffle = 1};

/* The layouts of x->inputs and x->outputs, and the op's plan in x->list. */
static quartic_status try_plan(const quartic_gpu_limits *of_device, uint32_t b, uint32_t n, uint32_t heads,
                               uint32_t dim, bool form, bool backward, planned *out) {
    planned x;
    memset(&x, 0, sizeof x);
    const quartic_shape shapes[] = {QUARTIC_SHAPE(b, n, n, dim), QUARTIC_SHAPE(b, heads, dim, n),
                                    QUARTIC_SHAPE(b, heads, n, dim), QUARTIC_SHAPE(heads, dim, dim),
                                    QUARTIC_SHAPE(b, heads, n, n)};
    for (uint32_t k = 0; k < QUARTIC_RELATIONAL_INPUTS; ++k)
        if (k != QUARTIC_RELATIONAL_FORM || form)
            x.inputs[k] = quartic_layout_contiguous(QUARTIC_FLOAT32, &shapes[k]);
    quartic_op_call call = {
        .input_count = QUARTIC_RELATIONAL_INPUTS, .inputs = x.inputs, .outputs = x.outputs};
    const quartic_op *op = backward ? &quartic_op_relational_scores_grad : &quartic_op_relational_scores;
    assert_int_equal(op->infer(&call, x.outputs, &call.output_count), QUARTIC_OK);
    const quartic_status status = op->gpu(&call, of_device, &x.list);
    *out = x;
    return status;
}

static planned relational_plan_plan(uint32_t b, uint32_t n, uint32_t heads, uint32_t dim, bool form,
                                    bool backward) {
    planned x;
    assert_int_equal(try_plan(&limits, b, n, heads, dim, form, backward, &x), QUARTIC_OK);
    return x;
}

/* Tiles run over the edges of all graphs, so that only the last one has padding however small the graphs are.
 */
static void a_group_takes_64_edges_of_a_head(void **state) {
    (void)state;
    static const struct {
        uint32_t b, n, tiles;
    } cases[] = {{1, 1, 1}, {64, 1, 1},  {65, 1, 2}, {7, 3, 1},
                 {8, 3, 2}, {4, 14, 13}, {1, 24, 9}, {2, 65, 133}};
    for (uint32_t k = 0; k < sizeof cases / sizeof cases[0]; ++k) {
        planned x = relational_plan_plan(cases[k].b, cases[k].n, 3, 17, true, false);
        assert_int_equal(x.list.count, 1);
        assert_int_equal(x.list.items[0].groups[0], 3 * cases[k].tiles);
        assert_int_equal(x.list.items[0].spec[1], 32); /* columns of a tile for 17 components */
        assert_int_equal(x.list.items[0].spec[4], 128);
        assert_int_equal(x.list.scratch_bytes, 0);
        x = relational_plan_plan(cases[k].b, cases[k].n, 3, 70, true,
                                 true); /* the adjoint: all heads, two times 64 components */
        assert_int_equal(x.list.items[0].groups[0], 2 * cases[k].tiles);
    }
}

static void every_plan_keeps_the_limits(void **state) {
    (void)state;
    static const uint32_t dims[] = {1, 16, 17, 33, 64, 65, 300};
    for (uint32_t k = 0; k < sizeof dims / sizeof dims[0]; ++k)
        for (uint32_t backward = 0; backward < 2; ++backward) {
            planned x = relational_plan_plan(1, 70, 2, dims[k], true, backward);
            for (uint32_t d = 0; d < x.list.count; ++d) {
                const quartic_dispatch *dispatch = &x.list.items[d];
                /* The last constant of the op's own shaders is the number of threads. */
                if (strncmp(dispatch->shader, "relational", 10) == 0)
                    assert_true(dispatch->spec[dispatch->spec_count - 1] >= 1 &&
                                dispatch->spec[dispatch->spec_count - 1] <= 256);
                assert_true(dispatch->flops > 0);
                for (uint32_t p = 0; p < dispatch->pointer_count; ++p)
                    if (dispatch->pointers[p].kind == QUARTIC_OPERAND_SCRATCH)
                        assert_true(dispatch->pointers[p].byte_offset + dispatch->pointers[p].bytes <=
                                    x.list.scratch_bytes);
            }
        }
}

/* The splits of the edges cover each edge once, and their parts are all added. */
static void splits_cover_all_edges(void **state) {
    (void)state;
    planned x = relational_plan_plan(1, 128, 8, 32, true, true);
    assert_int_equal(x.list.count, 3);
    assert_string_equal(x.list.items[1].shader, "relational_form_grad");
    assert_string_equal(x.list.items[2].shader, "matmul_reduce");
    quartic_relational_form_grad_args parts;
    quartic_matmul_reduce_args reduce;
    memcpy(&parts, x.list.items[1].args, sizeof parts);
    memcpy(&reduce, x.list.items[2].args, sizeof reduce);
    assert_true(reduce.splits > 1);
    assert_int_equal(parts.edges, 128 * 128);
    assert_true((uint64_t)parts.rows * reduce.splits >= parts.edges);
    assert_true((uint64_t)parts.rows * (reduce.splits - 1) < parts.edges);
    assert_int_equal(parts.groups, 8 * reduce.splits);
    assert_int_equal(reduce.count, 8 * 32 * 32);
    assert_true(x.list.scratch_bytes >= 4ull * reduce.count * reduce.splits);
}

static void small_or_formless_adjoints_need_no_scratch(void **state) {
    (void)state;
    planned x = relational_plan_plan(1, 5, 2, 3, true, true);
    assert_int_equal(x.list.count, 2);
    assert_int_equal(x.list.scratch_bytes, 0);
    x = relational_plan_plan(1, 128, 2, 32, false, true);
    assert_int_equal(x.list.count, 1);
}

/* Groups of eight lanes take eight senders by four receivers and all heads. */
static void vulkan_on_a_cpu_gets_groups_of_eight_lanes(void **state) {
    (void)state;
    static const uint32_t nodes[] = {1, 3, 7, 8, 13, 14, 24}, tiles[] = {1, 1, 2, 2, 8, 8, 18};
    for (uint32_t k = 0; k < sizeof nodes / sizeof nodes[0]; ++k) {
        planned x;
        assert_int_equal(try_plan(&lanes_limits, 3, nodes[k], 2, 24, true, false, &x), QUARTIC_OK);
        assert_int_equal(x.list.count, 1);
        assert_string_equal(x.list.items[0].shader, "relational_scores_lanes");
        assert_int_equal(x.list.items[0].groups[0], 3 * tiles[k]);
        assert_int_equal(try_plan(&lanes_limits, 3, nodes[k], 2, 24, true, true, &x), QUARTIC_OK);
        assert_string_equal(x.list.items[0].shader, "relational_edge_grad_lanes");
        assert_int_equal(x.list.items[0].groups[0], 3 * tiles[k]);
        assert_string_equal(x.list.items[1].shader, "relational_form_grad_lanes");
        assert_int_equal(x.list.items[1].spec[1], 24); /* a tile holds all components */
    }
    planned x; /* too wide to keep all components of an edge, but not too wide for tiles of the form */
    assert_int_equal(try_plan(&lanes_limits, 1, 9, 2, 129, true, true, &x), QUARTIC_OK);
    assert_string_equal(x.list.items[0].shader, "relational_edge_grad");
    assert_string_equal(x.list.items[1].shader, "relational_form_grad_lanes");
    assert_int_equal(x.list.items[1].groups[0], 2 * 5 * 5);
}

/* A device that leaves loops gets more splits, or is told what it cannot run. */
static void loops_stay_within_the_iterations_of_a_device(void **state) {
    (void)state;
    quartic_gpu_limits device = lanes_limits;
    device.has_subgroup_shuffle = 0;
    planned x;
    assert_int_equal(try_plan(&device, 1, 1500, 8, 32, true, true, &x), QUARTIC_OK);
    quartic_relational_form_grad_args parts;
    memcpy(&parts, x.list.items[1].args, sizeof parts);
    assert_string_equal(x.list.items[1].shader, "relational_form_grad");
    /* Of 16 edges: the loop itself, 16 products and 8 loads. */
    assert_true((parts.rows + 15) / 16 * 25 <= device.max_iterations);
    assert_true((uint64_t)parts.rows * (parts.groups / 8) >= 1500 * 1500);
    assert_int_equal(try_plan(&device, 1, 2, 1, 4096, true, false, &x), QUARTIC_UNSUPPORTED);
    assert_int_equal(try_plan(&device, 1, 2, 64, 1024, true, true, &x), QUARTIC_UNSUPPORTED);
    device.max_iterations = 0;
    assert_int_equal(try_plan(&device, 1, 2, 1, 4096, true, false, &x), QUARTIC_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_group_takes_64_edges_of_a_head),
        cmocka_unit_test(every_plan_keeps_the_limits),
        cmocka_unit_test(splits_cover_all_edges),
        cmocka_unit_test(vulkan_on_a_cpu_gets_groups_of_eight_lanes),
        cmocka_unit_test(loops_stay_within_the_iterations_of_a_device),
        cmocka_unit_test(small_or_formless_adjoints_need_no_scratch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
