/* edge_softmax_plan_test.c: the GPU plans of softmax attention among edges hold what every device offers, for
 * any width of heads; all edges of 128 nodes are within reach of every device; the operations of
 * causal choices; the messages of the shape rule.
 */
#include "expect.h"

#include "ops/edge_softmax/problem.h"

typedef struct call {
    quartic_edge_softmax_options options;
    quartic_layout inputs[QUARTIC_EDGE_INPUTS], outputs[3];
    quartic_op_call call;
} call;

/* q, k, v (b, m, h, d) with positions and mask by their shapes; rank 0: left out. */
static void edge_softmax_plan_begin(call *c, quartic_shape q, uint32_t nodes, quartic_shape positions,
                                    quartic_shape mask) {
    *c = (call){.options = {.nodes = nodes}};
    quartic_shape lse = q;
    lse.rank = 3;
    for (uint32_t k = 0; k < QUARTIC_EDGE_INPUTS; ++k) {
        const bool integer = k == QUARTIC_EDGE_POSITIONS || k == QUARTIC_EDGE_MASK;
        const quartic_shape *shape = k == QUARTIC_EDGE_POSITIONS ? &positions
                                     : k == QUARTIC_EDGE_MASK    ? &mask
                                     : k == QUARTIC_EDGE_LSE     ? &lse
                                                                 : &q;
        const quartic_dtype dtype = integer && shape->rank == 0 ? QUARTIC_NO_DTYPE
                                    : integer                   ? QUARTIC_INT32
                                                                : QUARTIC_FLOAT32;
        c->inputs[k] = quartic_layout_contiguous(dtype, shape);
    }
    c->call = (quartic_op_call){&c->options, 0, 0, c->inputs, c->outputs};
}

static quartic_status edge_softmax_plan_infer(call *c, bool backward) {
    const quartic_op *op =
        backward ? &quartic_op_edge_softmax_attention_grad : &quartic_op_edge_softmax_attention;
    c->call.input_count = backward ? QUARTIC_EDGE_INPUTS : QUARTIC_EDGE_OUT;
    return op->infer(&c->call, c->outputs, &c->call.output_count);
}

static const quartic_shape none = {0};

static quartic_status edge_softmax_plan_plan(bool backward, quartic_shape q, uint32_t shared_bytes,
                                             uint32_t max_iterations, quartic_dispatch_list *out_list) {
    const quartic_gpu_limits limits = {.max_shared_bytes = shared_bytes,
                                       .max_invocations = 128,
                                       .subgroup_size = 32,
                                       .compute_units = 20,
                                       .max_iterations = max_iterations};
    call c;
    uint32_t nodes = 1;
    while (nodes * nodes < q.dims[1]) ++nodes;
    edge_softmax_plan_begin(&c, q, nodes, none, none);
    assert_int_equal(edge_softmax_plan_infer(&c, backward), QUARTIC_OK);
    memset(out_list, 0, sizeof *out_list);
    return (backward ? quartic_edge_gpu_grad : quartic_edge_gpu)(&c.call, &limits, out_list);
}

/* Bytes of shared memory that a dispatch's shader declares for its constants, as the shaders state it. */
static uint64_t edge_softmax_plan_shared_bytes(const quartic_dispatch *dispatch) {
    const uint32_t *spec = dispatch->spec;
    if (dispatch->spec_count < 5) return 0; /* not an attention */
    const uint64_t d = spec[0], threads = spec[1], split = spec[2], tile = spec[3];
    const uint64_t vectors = (d + 4 * split - 1) / (4 * split), tiles = 2 * 16 * tile * split * vectors;
    if (strcmp(dispatch->shader, "edge_softmax") == 0) return tiles + 4 * tile + 4 * tile * spec[5] * threads;
    return tiles + 12 * tile + (split == 1 ? 8 : 8 * threads * tile);
}

static void every_width_fits_every_device(void **state) {
    (void)state;
    static const uint32_t widths[] = {1, 3, 16, 24, 25, 32, 33, 64, 100, 128, 257, 512, 1024};
    for (size_t w = 0; w < sizeof widths / sizeof widths[0]; ++w)
        for (uint32_t shared = 16384; shared <= 65536; shared *= 2)
            for (int backward = 0; backward < 2; ++backward) {
                quartic_dispatch_list list;
                const quartic_shape q = QUARTIC_SHAPE(2, 81, 3, widths[w]);
                assert_int_equal(edge_softmax_plan_plan(backward, q, shared, 0, &list), QUARTIC_OK);
                assert_int_equal(list.count, backward ? 4 : 2);
                for (uint32_t k = 0; k < list.count; ++k) {
                    assert_true(edge_softmax_plan_shared_bytes(&list.items[k]) <= 32768);
                    assert_true(edge_softmax_plan_shared_bytes(&list.items[k]) <= shared);
                    if (list.items[k].spec_count < 5) continue; /* not an attention */
                    const uint32_t *spec = list.items[k].spec;
                    assert_true(spec[1] <= 128);
                    assert_int_equal(spec[1] % spec[2], 0); /* slices of rows */
                    assert_int_equal(32 % spec[3], 0);      /* a tile lies in one of the sight buffer's */
                    assert_true(spec[2] * 32 >= widths[w]); /* registers of a thread */
                }
            }
}

/* Estimates count every pair, groups cover every row, memory is linear, no loop is too long for llvmpipe. */
static void edges_of_128_nodes_are_within_reach(void **state) {
    (void)state;
    const double pairs = 4.0 * 16384 * 16384;
    static const uint32_t widths[] = {4, 32, 64, 128};
    for (size_t w = 0; w < sizeof widths / sizeof widths[0]; ++w)
        for (int backward = 0; backward < 2; ++backward) {
            quartic_dispatch_list list;
            const quartic_shape q = QUARTIC_SHAPE(1, 16384, 4, widths[w]);
            assert_int_equal(edge_softmax_plan_plan(backward, q, 32768, 65535, &list), QUARTIC_OK);
            assert_true(list.scratch_bytes <= 16384 * 4 * 2 * sizeof(float) + 16384 * 12);
            double flops = 0;
            for (uint32_t k = 0; k < list.count; ++k) {
                const quartic_dispatch *dispatch = &list.items[k];
                flops += dispatch->flops;
                if (dispatch->spec_count < 5) continue;
                const uint32_t rows =
                    dispatch->spec[1] / dispatch->spec[2] * (backward ? 1 : dispatch->spec[5]);
                assert_true((uint64_t)dispatch->groups[0] * dispatch->groups[1] * rows >= 4ull * 16384);
                assert_true(dispatch->flops / dispatch->groups[0] < 2e9); /* one group is no long submit */
            }
            assert_true(flops > pairs * (backward ? 14 : 4) * widths[w]);
        }
    quartic_dispatch_list list;
    assert_int_equal(edge_softmax_plan_plan(false, QUARTIC_SHAPE(1, 16384, 1, 1024), 32768, 65535, &list),
                     QUARTIC_UNSUPPORTED);
    assert_non_null(strstr(quartic_error_message(), "this device leaves loops after 65535"));
}

/* Operations, causal, of k edges in each row, the visible ones first, are those of the pairs counted out. */
static void operations_are_those_of_visible_pairs(void **state) {
    (void)state;
    enum { N = 9 };
    for (uint32_t k = 1; k <= N; ++k) {
        int32_t positions[N * N];
        for (uint32_t t = 0; t < N * k; ++t) positions[t] = (int32_t)(t / k * N + t % k);
        const quartic_edge_problem problem = {
            .batch = 2, .tokens = N * k, .heads = 3, .d = 5, .nodes = N, .positioned = true, .causal = true};
        double pairs = 0;
        for (uint32_t query = 0; query < N * k; ++query)
            for (uint32_t key = 0; key < N * k; ++key)
                pairs += quartic_edge_key_row(&problem, positions, NULL, 0, key) <=
                         quartic_edge_query_limit(&problem, positions, 0, query);
        for (int backward = 0; backward < 2; ++backward)
            assert_true(quartic_edge_flops(&problem, backward) ==
                        2 * 3 * pairs * quartic_edge_pair_flops(&problem, backward));
    }
}

static void wrong_operands_give_messages(void **state) {
    (void)state;
    static const struct {
        quartic_shape q, positions, mask;
        uint32_t nodes;
        quartic_status status;
        const char *words;
    } wrong[] = {
        {{4, {1, 10, 2, 3}},
         {0},
         {0},
         3,
         QUARTIC_SHAPE_MISMATCH,
         "all 3 * 3 edges, but q has shape (1, 10, 2, 3)"},
        {{4, {1, 9, 2, 3}}, {0}, {0}, 0, QUARTIC_INVALID_ARGUMENT, "the edges of 0 nodes"},
        {{4, {1, 9, 2, 3}}, {0}, {0}, 50000, QUARTIC_INVALID_ARGUMENT, "50000 nodes"},
        {{4, {1, 9, 2, 1025}}, {0}, {0}, 3, QUARTIC_SHAPE_MISMATCH, "(1, 9, 2, 1025)"},
        {{4, {1, 0, 2, 3}}, {0}, {0}, 3, QUARTIC_SHAPE_MISMATCH, "(1, 0, 2, 3)"},
        {{4, {2, 5, 2, 3}}, {2, {2, 6}}, {0}, 3, QUARTIC_SHAPE_MISMATCH, "(2, 6)"},
        {{4, {2, 9, 2, 3}}, {0}, {2, {2, 9}}, 3, QUARTIC_SHAPE_MISMATCH, "(2, 9)"},
        {{3, {2, 9, 2}}, {0}, {0}, 3, QUARTIC_SHAPE_MISMATCH, "(2, 9, 2)"},
    };
    for (size_t k = 0; k < sizeof wrong / sizeof wrong[0]; ++k)
        for (int backward = 0; backward < 2; ++backward) {
            call c;
            edge_softmax_plan_begin(&c, wrong[k].q, wrong[k].nodes, wrong[k].positions, wrong[k].mask);
            assert_int_equal(edge_softmax_plan_infer(&c, backward), wrong[k].status);
            if (strstr(quartic_error_message(), wrong[k].words) == NULL)
                fail_msg("case %zu: %s", k, quartic_error_message());
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_width_fits_every_device),
        cmocka_unit_test(edges_of_128_nodes_are_within_reach),
        cmocka_unit_test(operations_are_those_of_visible_pairs),
        cmocka_unit_test(wrong_operands_give_messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
