/* triple_plan_test.c: the GPU plans of triple attention on small devices: shared memory, loops and registers
 * are bounded; every number of every result is written once; what cannot be run is refused with its figures.
 */
#include "expect.h"

#include "ops/triple/problem.h"
#include "shaders/triangle_pack.args.h"
#include "shaders/triple_bias_grad.args.h"
#include "shaders/triple_row_grad.args.h"

#define LENGTH(array) (sizeof(array) / sizeof(array)[0])

enum { SMALL_SHARED = 16384, MOST_SHARED = 32768, NO_LIMIT = 0, THREADS = 64 };

/* One case: its op's call, and the plan for it. */
typedef struct triple_planned {
    uint32_t batch, n, heads, d, shared, iterations;
    bool backward, masked, causal;
    quartic_dispatch_list list;
} triple_planned;

static quartic_status triple_plan_plan(triple_planned *c) {
    const quartic_triple_options options = {.causal = c->causal, .scale = 0.5f};
    const quartic_gpu_limits limits = {.max_shared_bytes = c->shared,
                                       .max_invocations = 256,
                                       .subgroup_size = 4,
                                       .compute_units = 2,
                                       .max_iterations = c->iterations};
    const quartic_shape wide = QUARTIC_SHAPE(c->batch, c->n, c->n, c->heads, c->d), none = {0};
    const quartic_shape narrow = QUARTIC_SHAPE(c->batch, c->n, c->n, c->heads);
    const quartic_shape nodes = QUARTIC_SHAPE(c->batch, c->n);
    quartic_layout inputs[QUARTIC_TRIPLE_INPUTS], outputs[QUARTIC_TRIPLE_GRADIENTS];
    for (uint32_t k = 0; k < QUARTIC_TRIPLE_INPUTS; ++k)
        inputs[k] = quartic_layout_contiguous(
            QUARTIC_FLOAT32, k == QUARTIC_TRIPLE_BIAS || k == QUARTIC_TRIPLE_LSE ? &narrow : &wide);
    inputs[QUARTIC_TRIPLE_MASK] =
        quartic_layout_contiguous(c->masked ? QUARTIC_INT32 : QUARTIC_NO_DTYPE, c->masked ? &nodes : &none);
    const quartic_op *op = c->backward ? &quartic_op_triple_attention_grad : &quartic_op_triple_attention;
    quartic_op_call call = {&options, c->backward ? QUARTIC_TRIPLE_INPUTS : QUARTIC_TRIPLE_OUT, 0, inputs,
                            outputs};
    assert_int_equal(op->infer(&call, outputs, &call.output_count), QUARTIC_OK);
    memset(&c->list, 0, sizeof c->list);
    return op->gpu(&call, &limits, &c->list);
}

static uint32_t triple_plan_up(uint64_t count, uint32_t by) {
    return (uint32_t)((count + by - 1) / by);
}

static bool triple_plan_is(const quartic_dispatch *dispatch, const char *shader) {
    return strcmp(dispatch->shader, shader) == 0;
}

/* ---- what the shaders declare and run, from their constants ---- */

/* Quads of a row that one invocation holds. */
static uint32_t triple_plan_slice(const quartic_dispatch *dispatch) {
    return triple_plan_up(dispatch->spec[0], dispatch->spec[3]);
}

static uint64_t triple_plan_shared_bytes(const quartic_dispatch *dispatch) {
    const uint32_t *spec = dispatch->spec;
    if (triple_plan_is(dispatch, "triple_bias_grad"))
        return 4ull * 16 * ((spec[0] < 4 ? spec[0] : 4) | 1) * 16;
    if (!triple_plan_is(dispatch, "triple_rows") && !triple_plan_is(dispatch, "triple_row_grad")) return 0;
    const bool forward = triple_plan_is(dispatch, "triple_rows");
    const uint32_t slice = triple_plan_slice(dispatch), split = spec[3], tile = spec[4];
    const uint64_t rows = 2ull * tile * slice * split, sums = (uint64_t)THREADS * slice;
    return 16 * (rows > sums ? rows : sums) + (split > 1 ? tile * THREADS * (forward ? 4ull : 8ull) : 0) +
           (forward ? 12ull * (THREADS / split) : 0);
}

/* Loops of one invocation, without those over what it holds. */
static uint64_t triple_plan_iterations(const triple_planned *c, const quartic_dispatch *dispatch) {
    const uint32_t *spec = dispatch->spec;
    if (triple_plan_is(dispatch, "triple_bias_grad")) {
        const quartic_triple_bias_grad_args *args = (const void *)dispatch->args;
        const uint32_t chunk = spec[0] < 4 ? spec[0] : 4, chunks = triple_plan_up(spec[0], chunk);
        return args->firsts * (1 + (uint64_t)c->n * (1 + chunks * (1 + 16 * chunk / 64 + chunk)));
    }
    if (!triple_plan_is(dispatch, "triple_rows") && !triple_plan_is(dispatch, "triple_row_grad")) return 0;
    const bool forward = triple_plan_is(dispatch, "triple_rows");
    const uint32_t split = spec[3], tile = spec[4], lanes = THREADS / split;
    const uint64_t of_tile = 1 + triple_plan_up(tile * triple_plan_slice(dispatch) * split, THREADS) +
                             (split > 1 ? tile * (1ull + split) : 0) + tile / (forward ? 4 : 1);
    return (forward ? triple_plan_up(c->n, lanes) : c->n) * (1 + triple_plan_up(c->n, tile) * of_tile) +
           (forward ? 3ull * lanes : 0);
}

/* ---- what is checked of a plan ---- */

/* The groups of a dispatch are as many as its shader counts, and what they own covers each result once. */
static void triple_plan_expect_groups(const triple_planned *c, const quartic_dispatch *dispatch) {
    const uint64_t units = (uint64_t)c->batch * c->heads, edges = units * c->n * c->n;
    uint64_t want = 0;
    if (triple_plan_is(dispatch, "triple_rows"))
        want = edges;
    else if (triple_plan_is(dispatch, "triple_terms"))
        want = triple_plan_up(edges, 256);
    else if (triple_plan_is(dispatch, "triangle_pack"))
        want = triple_plan_up(((const quartic_triangle_pack_args *)(const void *)dispatch->args)->count, 256);
    else if (triple_plan_is(dispatch, "triple_row_grad"))
        want = units * c->n * triple_plan_up(c->n, THREADS / dispatch->spec[3]);
    else if (triple_plan_is(dispatch, "triple_bias_grad")) {
        const quartic_triple_bias_grad_args *args = (const void *)dispatch->args;
        const uint64_t tiles = triple_plan_up(c->n, 16);
        assert_true((uint64_t)args->splits * args->firsts >= c->n);
        assert_true((uint64_t)(args->splits - 1) * args->firsts < c->n);
        want = units * tiles * tiles * args->splits;
    } else {
        assert_string_equal(dispatch->shader, "matmul_reduce");
        want = triple_plan_up(edges, 64);
    }
    assert_true((uint64_t)dispatch->groups[0] * dispatch->groups[1] >= want);
    assert_int_equal(dispatch->groups[0], want < QUARTIC_GRID_X ? want : QUARTIC_GRID_X);
    assert_int_equal(dispatch->groups[1], triple_plan_up(want, QUARTIC_GRID_X));
}

static void triple_plan_expect(const triple_planned *c) {
    static const char *const forward[] = {"triple_rows"};
    static const char *const backward[] = {"triple_terms",    "triple_row_grad", "triple_row_grad",
                                           "triple_row_grad", "triple_row_grad", "triple_bias_grad"};
    const char *const *want = c->backward ? backward : forward;
    uint32_t found = 0, packed = 0, results = 0;
    for (uint32_t k = 0; k < c->list.count; ++k) {
        const quartic_dispatch *dispatch = &c->list.items[k];
        triple_plan_expect_groups(c, dispatch);
        assert_true(triple_plan_shared_bytes(dispatch) <=
                    (c->shared < MOST_SHARED ? c->shared : (uint32_t)MOST_SHARED));
        if (c->iterations != NO_LIMIT) assert_true(triple_plan_iterations(c, dispatch) <= c->iterations);
        for (uint32_t p = 0; p < dispatch->pointer_count; ++p)
            if (dispatch->pointers[p].kind == QUARTIC_OPERAND_OUTPUT)
                results |= 1u << dispatch->pointers[p].index;
        if (triple_plan_is(dispatch, "triangle_pack")) ++packed;
        if (triple_plan_is(dispatch, "triangle_pack") || triple_plan_is(dispatch, "matmul_reduce")) continue;
        assert_true(found < (c->backward ? LENGTH(backward) : LENGTH(forward)));
        assert_string_equal(dispatch->shader, want[found++]);
        assert_int_equal(dispatch->spec[0], triple_plan_up(c->d, 4));
        if (dispatch->spec_count < 5) continue;
        assert_true(triple_plan_slice(dispatch) <= (c->backward ? 2u : 8u)); /* registers */
        assert_int_equal(THREADS % dispatch->spec[3], 0);
        assert_int_equal(dispatch->spec[4] % 4, 0);
        assert_true(dispatch->spec[4] >= 4);
    }
    assert_int_equal(found, c->backward ? LENGTH(backward) : LENGTH(forward));
    assert_int_equal(packed, c->backward ? 9 : 7);
    assert_int_equal(results, c->backward ? (1u << QUARTIC_TRIPLE_GRADIENTS) - 1 : 3u);
}

static void plans_keep_to_the_device(void **state) {
    (void)state;
    static const uint32_t nodes[] = {1, 2, 15, 16, 17, 33, 64, 100},
                          widths[] = {1, 4, 5, 16, 31, 32, 33, 130, 256};
    static const uint32_t shared[] = {SMALL_SHARED, MOST_SHARED, 65536}, loops[] = {NO_LIMIT, 65535};
    uint32_t planned = 0, refused = 0;
    for (size_t a = 0; a < LENGTH(nodes); ++a)
        for (size_t b = 0; b < LENGTH(widths); ++b)
            for (uint32_t way = 0; way < 2 * 3 * 2 * 4; ++way) {
                triple_planned c = {.batch = 1 + way % 3,
                                    .n = nodes[a],
                                    .heads = 3,
                                    .d = widths[b],
                                    .shared = shared[way / 2 % 3],
                                    .iterations = loops[way / 6 % 2],
                                    .backward = way % 2 != 0,
                                    .masked = way / 12 % 2 != 0,
                                    .causal = way / 24 % 2 != 0};
                if (triple_plan_plan(&c) == QUARTIC_OK) {
                    triple_plan_expect(&c);
                    ++planned;
                    continue;
                }
                assert_true(c.iterations != NO_LIMIT); /* nothing else is in the way at these sizes */
                assert_message("triple_attention");
                assert_message("65535");
                ++refused;
            }
    assert_true(planned > 1000);
    assert_true(refused > 0);
}

static void more_than_can_be_indexed_is_refused(void **state) {
    (void)state;
    for (uint32_t backward = 0; backward < 2; ++backward) {
        triple_planned c = {
            .batch = 60000, .n = 40, .heads = 4, .d = 32, .shared = SMALL_SHARED, .backward = backward != 0};
        assert_int_equal(triple_plan_plan(&c), QUARTIC_UNSUPPORTED);
        assert_message("triple_attention of 60000 graphs of 40 nodes with 4 heads of 32");
        assert_message("fewer graphs");
    }
}

/* Estimates bound the length of a submit: no less than the work of all pairs, and not much more. */
static void estimates_count_every_pair(void **state) {
    (void)state;
    for (uint32_t backward = 0; backward < 2; ++backward) {
        triple_planned c = {
            .batch = 2, .n = 128, .heads = 2, .d = 32, .shared = MOST_SHARED, .backward = backward != 0};
        assert_int_equal(triple_plan_plan(&c), QUARTIC_OK);
        double flops = 0;
        for (uint32_t k = 0; k < c.list.count; ++k) flops += c.list.items[k].flops;
        const double pairs = 4.0 * 128 * 128 * 128 * 128, least = (backward ? 4 * 8 + 4 : 4) * 32 * pairs;
        assert_true(flops >= least);
        assert_true(flops <= 1.5 * least);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plans_keep_to_the_device),
        cmocka_unit_test(more_than_can_be_indexed_is_refused),
        cmocka_unit_test(estimates_count_every_pair),
    };
    return cmocka_run_group_tests_name("triple plans", tests, NULL, NULL);
}
