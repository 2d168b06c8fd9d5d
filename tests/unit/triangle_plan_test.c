/* triangle_plan_test.c: the GPU plans of triangle attention on small devices: shared memory, loops, and the
 * work of one workgroup are bounded; groups are walked as the shaders number them, and every number of every
 * result is written once; what cannot be run is refused with its figures.
 */
#include "expect.h"

#include "ops/triangle/problem.h"
#include "shaders/matmul_reduce.args.h"
#include "shaders/triangle_bias_grad.args.h"
#include "shaders/triangle_both.args.h"
#include "shaders/triangle_both_grad.args.h"
#include "shaders/triangle_pack.args.h"
#include "shaders/triangle_rows.args.h"
#include "shaders/triangle_terms.args.h"

#define LENGTH(array) (sizeof(array) / sizeof(array)[0])

enum { SMALL_SHARED = 16384, LARGE_SHARED = 65536, MOST_SHARED = 32768, NO_LIMIT = 0 };

/* One case: its op's call, and the plan for it. */
typedef struct planned {
    uint32_t kind, batch, n, heads, d, shared, iterations;
    bool backward, bias, masked, causal;
    quartic_dispatch_list list;
} planned;

static quartic_status triangle_plan_plan(planned *c) {
    const quartic_triangle_options options = {.kind = c->kind, .causal = c->causal, .scale = 0.5f};
    const quartic_gpu_limits limits = {.max_shared_bytes = c->shared,
                                       .max_invocations = 256,
                                       .subgroup_size = 4,
                                       .compute_units = 2,
                                       .max_iterations = c->iterations};
    const quartic_shape wide = QUARTIC_SHAPE(c->batch, c->n, c->n, c->heads, c->d), none = {0};
    const quartic_shape narrow = QUARTIC_SHAPE(c->batch, c->n, c->n, c->heads);
    const quartic_shape nodes = QUARTIC_SHAPE(c->batch, c->n);
    quartic_layout inputs[QUARTIC_TRIANGLE_INPUTS], outputs[4];
    for (uint32_t k = 0; k < QUARTIC_TRIANGLE_INPUTS; ++k)
        inputs[k] = quartic_layout_contiguous(QUARTIC_FLOAT32, &wide);
    inputs[QUARTIC_TRIANGLE_LSE] = quartic_layout_contiguous(QUARTIC_FLOAT32, &narrow);
    if (c->kind != QUARTIC_TRIANGLE_BOTH)
        inputs[QUARTIC_TRIANGLE_V2] = quartic_layout_contiguous(QUARTIC_NO_DTYPE, &none);
    inputs[QUARTIC_TRIANGLE_BIAS] =
        quartic_layout_contiguous(c->bias ? QUARTIC_FLOAT32 : QUARTIC_NO_DTYPE, c->bias ? &narrow : &none);
    inputs[QUARTIC_TRIANGLE_MASK] =
        quartic_layout_contiguous(c->masked ? QUARTIC_INT32 : QUARTIC_NO_DTYPE, c->masked ? &nodes : &none);
    const quartic_op *op = c->backward ? &quartic_op_triangle_attention_grad : &quartic_op_triangle_attention;
    quartic_op_call call = {&options, c->backward ? QUARTIC_TRIANGLE_INPUTS : QUARTIC_TRIANGLE_OUT, 0, inputs,
                            outputs};
    assert_int_equal(op->infer(&call, outputs, &call.output_count), QUARTIC_OK);
    memset(&c->list, 0, sizeof c->list);
    return op->gpu(&call, &limits, &c->list);
}

static uint32_t up(uint64_t count, uint32_t by) {
    return (uint32_t)((count + by - 1) / by);
}

static uint64_t groups_of(const quartic_dispatch *dispatch) {
    return (uint64_t)dispatch->groups[0] * dispatch->groups[1] * dispatch->groups[2];
}

static bool is(const quartic_dispatch *dispatch, const char *shader) {
    return strcmp(dispatch->shader, shader) == 0;
}

static bool of_kind_both(const quartic_dispatch *dispatch) {
    return is(dispatch, "triangle_both") || is(dispatch, "triangle_both_grad");
}

static bool of_rows(const quartic_dispatch *dispatch) {
    return is(dispatch, "triangle_rows") || is(dispatch, "triangle_query_grad") ||
           is(dispatch, "triangle_key_grad");
}

/* ---- what the shaders declare and run, from their constants ---- */

static uint64_t triangle_plan_shared_bytes(const quartic_dispatch *dispatch) {
    const uint32_t *spec = dispatch->spec;
    if (is(dispatch, "triangle_both")) return 2ull * 4 * 16 * (spec[3] | 1) * 16 + 4 * (4 + 1) * 16 * 16;
    if (is(dispatch, "triangle_both_grad")) return 5ull * 8 * 8 * (spec[3] | 1) * 16 + 8 * 8 * 8 * 8;
    if (is(dispatch, "triangle_bias_grad")) return 4ull * 32 * ((spec[0] < 4 ? spec[0] : 4) | 1) * 16;
    if (!of_rows(dispatch)) return 0;
    const uint32_t split = spec[4], tile = spec[5], width = up(spec[0], split) * split;
    const uint32_t exchanged = is(dispatch, "triangle_rows") ? 4 : 8;
    return 2ull * tile * width * 16 + (split == 1 ? exchanged : exchanged * tile * 64);
}

/* Of all loops together that one invocation runs at most. */
static uint64_t iterations(const planned *c, const quartic_dispatch *dispatch) {
    const uint32_t *spec = dispatch->spec, n = c->n, quads = spec[0];
    if (is(dispatch, "triangle_pack")) return 0;
    if (is(dispatch, "triangle_terms")) return c->d;
    if (of_kind_both(dispatch)) {
        const bool forward = is(dispatch, "triangle_both");
        const uint32_t chunk = spec[3], held = spec[4], chunks = up(quads, chunk), step = forward ? 4 : 8;
        const uint32_t load = forward ? up(4 * 16 * chunk, 256) : up(8 * 8 * chunk, 128);
        return up(n, step) * (1ull + chunks * (1 + load + chunk) + held * (1 + load + step));
    }
    if (of_rows(dispatch)) {
        const uint32_t split = spec[4], tile = spec[5], width = up(quads, split) * split;
        const uint32_t steps = is(dispatch, "triangle_rows") ? tile / 4 : tile; /* over rows */
        return up(n, tile) *
               (1ull + up(tile * width, 64) + steps + (split == 1 ? 0 : tile + (uint64_t)tile * split));
    }
    if (is(dispatch, "triangle_bias_grad")) {
        const quartic_triangle_bias_grad_args *args = (const void *)dispatch->args;
        const uint32_t chunk = quads < 4 ? quads : 4;
        return args->firsts * (1ull + up(quads, chunk) * (1 + up(32 * chunk, 64) + chunk));
    }
    assert_string_equal(dispatch->shader, "matmul_reduce");
    return ((const quartic_matmul_reduce_args *)(const void *)dispatch->args)->splits;
}

/* ---- what is written ---- */

/* Blocks of nodes cover 0 .. n - 1 without one that is empty. */
static void expect_blocks(uint32_t n, uint32_t blocks, uint32_t size) {
    assert_true((uint64_t)blocks * size >= n && (uint64_t)(blocks - 1) * size < n);
}

static void expect_once(const uint8_t *written, size_t count, const quartic_dispatch *dispatch) {
    for (size_t k = 0; k < count; ++k)
        if (written[k] != 1)
            fail_msg("%s with QUADS %u: block %zu of %zu is written %u times", dispatch->shader,
                     dispatch->spec[0], k, count, written[k]);
}

/* That many workgroups, laid out as every shader counts them; surplus ones return. */
static void expect_groups(const quartic_dispatch *dispatch, uint64_t count) {
    assert_int_equal(dispatch->groups[0], count < QUARTIC_GRID_X ? count : QUARTIC_GRID_X);
    assert_int_equal(dispatch->groups[1], up(count, QUARTIC_GRID_X));
    assert_int_equal(dispatch->groups[2], 1);
}

/* A group: a tile of edges (first, second), a slice of their quads. */
static void expect_both_written(const planned *c, const quartic_dispatch *dispatch) {
    const bool forward = is(dispatch, "triangle_both");
    const uint32_t quads = dispatch->spec[0], chunk = dispatch->spec[3], held = dispatch->spec[4];
    const uint32_t tile = forward ? 16 : 8, tiles = up(c->n, tile), units = c->batch * c->heads;
    const uint32_t chunks = up(quads, chunk), slices = up(chunks, held);
    assert_int_equal(quads, up(c->d, 4));
    assert_true(chunk >= 1 && chunk <= (forward ? 8 : 4)); /* quads that four invocations of an edge reach */
    assert_true(held * up(chunk, 4) <= 4);                 /* registers */
    expect_blocks(c->n, tiles, tile);
    uint8_t *written = calloc((size_t)units * quads * tiles * tiles, 1);
    assert_non_null(written);
    for (uint64_t group = 0; group < groups_of(dispatch); ++group) {
        const uint64_t unit = group / (slices * tiles * tiles);
        const uint32_t slice = (uint32_t)(group / (tiles * tiles) % slices);
        const uint32_t place = (uint32_t)(group % (tiles * tiles));
        if (unit >= units) continue; /* the shader returns */
        for (uint32_t k = 0; k < held * chunk; ++k) {
            const uint32_t quad = slice * held * chunk + k;
            if (quad < quads) ++written[(unit * quads + quad) * tiles * tiles + place];
        }
    }
    expect_once(written, (size_t)units * quads * tiles * tiles, dispatch);
    free(written);
}

/* A group: a sequence (unit, first) and a block of its rows, each shared by `split` invocations. */
static void expect_rows_written(const planned *c, const quartic_dispatch *dispatch) {
    const uint32_t quads = dispatch->spec[0], split = dispatch->spec[4], lanes = 64 / split;
    const uint32_t blocks = up(c->n, lanes), sequences = c->batch * c->heads * c->n;
    const uint32_t slice = up(quads, split);
    assert_int_equal(64 % split, 0);
    assert_int_equal(dispatch->spec[5] % 4, 0);
    assert_true(slice * split >= quads);
    assert_true(slice <= (is(dispatch, "triangle_rows") ? 8u : 4u)); /* registers */
    expect_blocks(c->n, blocks, lanes);
    uint8_t *written = calloc((size_t)sequences * blocks, 1);
    assert_non_null(written);
    for (uint64_t group = 0; group < groups_of(dispatch); ++group)
        if (group / blocks < sequences) ++written[group];
    expect_once(written, (size_t)sequences * blocks, dispatch);
    free(written);
}

/* A group: a tile of (l, p) and a part of the first nodes; the next dispatch adds the parts. */
static void expect_bias_written(const planned *c, const quartic_dispatch *dispatch) {
    const quartic_triangle_bias_grad_args *args = (const void *)dispatch->args;
    const uint32_t tiles = up(c->n, 32), units = c->batch * c->heads;
    expect_blocks(c->n, tiles, 32);
    expect_blocks(c->n, args->splits, args->firsts);
    expect_groups(dispatch, (uint64_t)units * args->splits * tiles * tiles);
    if (args->splits == 1) {
        assert_ptr_equal(dispatch, &c->list.items[c->list.count - 1]);
        return;
    }
    const quartic_dispatch *next = dispatch + 1;
    const quartic_matmul_reduce_args *sum = (const void *)next->args;
    assert_string_equal(next->shader, "matmul_reduce");
    assert_int_equal(sum->splits, args->splits);
    assert_int_equal(sum->count, (uint64_t)units * c->n * c->n);
}

static void expect_written(const planned *c, const quartic_dispatch *dispatch) {
    const uint64_t edges = (uint64_t)c->batch * c->heads * c->n * c->n;
    if (of_kind_both(dispatch))
        expect_both_written(c, dispatch);
    else if (of_rows(dispatch))
        expect_rows_written(c, dispatch);
    else if (is(dispatch, "triangle_bias_grad"))
        expect_bias_written(c, dispatch);
    else if (is(dispatch, "triangle_pack")) {
        const quartic_triangle_pack_args *args = (const void *)dispatch->args;
        assert_true(args->lanes == 1 || args->lanes == 4 * up(c->d, 4));
        assert_int_equal(args->count, edges * args->lanes);
        expect_groups(dispatch, up(args->count, 256));
    } else
        expect_groups(dispatch, up(edges, is(dispatch, "triangle_terms") ? 256 : 64));
}

/* Every operand's packed rows, then the kernels, each once. */
static void expect_kernels(const planned *c) {
    static const char *const kernels[2][2][5] = {
        {{"triangle_both"}, {"triangle_both_grad", "triangle_both_grad"}},
        {{"triangle_rows"}, {"triangle_query_grad", "triangle_key_grad", "triangle_bias_grad"}}};
    const char *const *want = kernels[c->kind != QUARTIC_TRIANGLE_BOTH][c->backward];
    uint32_t found = 0;
    for (uint32_t k = 0; k < c->list.count; ++k) {
        const quartic_dispatch *dispatch = &c->list.items[k];
        if (is(dispatch, "triangle_pack") || is(dispatch, "triangle_terms") || is(dispatch, "matmul_reduce"))
            continue;
        assert_non_null(want[found]);
        assert_string_equal(dispatch->shader, want[found++]);
    }
    if (c->kind != QUARTIC_TRIANGLE_BOTH && c->backward && !c->bias) ++found; /* no gradient of a bias */
    assert_null(want[found]);
}

/* ---- the tests ---- */

static void expect_plan_fits(const planned *c) {
    expect_kernels(c);
    for (uint32_t k = 0; k < c->list.count; ++k) {
        const quartic_dispatch *dispatch = &c->list.items[k];
        const uint64_t bytes = triangle_plan_shared_bytes(dispatch), loops = iterations(c, dispatch);
        if (bytes > c->shared || bytes > MOST_SHARED)
            fail_msg("%s, d %u: %llu bytes of shared memory of %u", dispatch->shader, c->d,
                     (unsigned long long)bytes, c->shared);
        if (c->iterations != NO_LIMIT && loops > c->iterations)
            fail_msg("%s, n %u, d %u: %llu iterations of %u", dispatch->shader, c->n, c->d,
                     (unsigned long long)loops, c->iterations);
        /* Submits are cut between workgroups: none may be long by itself. */
        assert_true(dispatch->flops / (double)groups_of(dispatch) < 1e9);
        expect_written(c, dispatch);
    }
}

static const uint32_t widths[] = {1, 3, 33, 64, 256}, nodes[] = {1, 5, 512};

static void plans_fit_and_write_everything_once(void **state) {
    (void)state;
    static const uint32_t most_iterations[] = {NO_LIMIT, 65535, 4096, 300};
    uint32_t fitting = 0, refused = 0;
    for (uint32_t k = 0; k < 3 * LENGTH(widths) * LENGTH(nodes) * LENGTH(most_iterations) * 32; ++k) {
        planned c = {.batch = 1, .heads = 2};
        uint32_t rest = k;
        c.backward = rest % 2, rest /= 2;
        c.bias = rest % 2, rest /= 2;
        c.masked = rest % 2, rest /= 2;
        c.causal = rest % 2, rest /= 2;
        c.shared = rest % 2 ? LARGE_SHARED : SMALL_SHARED, rest /= 2;
        c.kind = rest % 3, rest /= 3;
        c.d = widths[rest % LENGTH(widths)], rest /= LENGTH(widths);
        c.n = nodes[rest % LENGTH(nodes)], rest /= LENGTH(nodes);
        c.iterations = most_iterations[rest];
        if (c.bias && c.kind == QUARTIC_TRIANGLE_BOTH) continue;
        if (c.n == 512 && c.masked != c.causal) continue; /* the sizes do not depend on either */
        if (c.n < 512) c.batch = 3;
        if (triangle_plan_plan(&c) == QUARTIC_OK) {
            ++fitting;
            expect_plan_fits(&c);
            continue;
        }
        ++refused;
        assert_true(c.n == 512 || c.iterations == 300); /* a few nodes fit every device that there is */
        assert_true(c.iterations == 4096 || c.iterations == 300);
        const char *message = quartic_error_message();
        assert_non_null(strstr(message, "triangle_attention"));
        assert_non_null(strstr(message, c.iterations == 300 ? "300" : "4096"));
    }
    assert_true(fitting > refused && refused > 100);
}

/* Slices of wide heads compute scores again, tiles reach beyond few nodes: estimates say so. */
static void estimates_count_what_runs(void **state) {
    (void)state;
    for (uint32_t k = 0; k < 24; ++k) {
        planned c = {.kind = k % 3,
                     .backward = k / 3 % 2,
                     .causal = k / 6 % 2,
                     .batch = 1,
                     .heads = 1,
                     .n = 512,
                     .d = 256,
                     .shared = k / 12 ? LARGE_SHARED : SMALL_SHARED};
        c.bias = c.kind != QUARTIC_TRIANGLE_BOTH;
        assert_int_equal(triangle_plan_plan(&c), QUARTIC_OK);
        const double triangles = c.causal ? 512.0 * 513 * 514 / 6 : 512.0 * 512 * 512;
        double flops = 0, least = 0;
        for (uint32_t i = 0; i < c.list.count; ++i) {
            const quartic_dispatch *dispatch = &c.list.items[i];
            const uint32_t *spec = dispatch->spec;
            flops += dispatch->flops;
            if (of_kind_both(dispatch))
                least += (is(dispatch, "triangle_both") ? 2.0 : 5.0) * up(up(64, spec[3]), spec[4]) +
                         (is(dispatch, "triangle_both") ? 3.0 : 5.0);
            else if (of_rows(dispatch))
                least += is(dispatch, "triangle_rows") ? 4 : is(dispatch, "triangle_query_grad") ? 6 : 8;
            else if (is(dispatch, "triangle_bias_grad"))
                least += 4;
        }
        if (flops < least * 256 * triangles || flops > 1.5 * least * 256 * triangles)
            fail_msg("kind %u, backward %u, causal %u: %g operations, not about %g", c.kind, c.backward,
                     c.causal, flops, least * 256 * triangles);
    }
    planned c = {
        .kind = QUARTIC_TRIANGLE_BOTH, .batch = 100, .heads = 1, .n = 1, .d = 4, .shared = SMALL_SHARED};
    assert_int_equal(triangle_plan_plan(&c), QUARTIC_OK);
    assert_true(c.list.items[c.list.count - 1].flops > 100.0 * 16 * 16 * 16); /* whole tiles */
}

static void what_cannot_be_indexed_is_refused(void **state) {
    (void)state;
    for (uint32_t k = 0; k < 6; ++k) {
        planned c = {.kind = k % 3,
                     .backward = k / 3,
                     .batch = 2,
                     .heads = 5,
                     .n = 917,
                     .d = 253,
                     .shared = LARGE_SHARED};
        /* Operands can be indexed; packed rows are of 256 numbers and cannot. */
        assert_true((uint64_t)c.batch * c.heads * c.n * c.n * 253 < INT32_MAX);
        assert_int_equal(triangle_plan_plan(&c), QUARTIC_UNSUPPORTED);
        assert_non_null(strstr(quartic_error_message(), "2 graphs of 917 nodes with 5 heads of 253 needs"));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plans_fit_and_write_everything_once),
        cmocka_unit_test(estimates_count_what_runs),
        cmocka_unit_test(what_cannot_be_indexed_is_refused),
    };
    return cmocka_run_group_tests_name("triangle plans", tests, NULL, NULL);
}
