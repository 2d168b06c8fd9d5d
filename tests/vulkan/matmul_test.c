/* matmul_test.c: products that are too large for the cases of `quartic validate`, on a Vulkan device, with
 * the validation layers on: several tiles and steps with remainders, split contractions, and on devices that
 * have shuffles also the tiles through shared memory, which they would not choose.
 */
#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "ops/ops.h"
#include "verify/harness.h"
#include "vulkan/vulkan_test.h"

typedef struct product {
    const char *label;
    quartic_shape a, b;
    uint32_t transpose_a, transpose_b, with; /* with: 1 bias, 2 addend */
} product;

/* y on a device; the caller frees it. */
static float *matmul_run(const char *name, const product *c, uint64_t *out_count) {
    quartic_device *device;
    quartic_graph *graph;
    assert_ok(quartic_device_create(name, &device));
    assert_ok(quartic_graph_create(&graph));
    quartic_matmul_options options = QUARTIC_MATMUL_OPTIONS_INIT;
    options.transpose_a = c->transpose_a;
    options.transpose_b = c->transpose_b;
    options.alpha = 0.5f;
    quartic_value a = quartic_graph_input(graph, "a", QUARTIC_FLOAT32, &c->a);
    quartic_value b = quartic_graph_input(graph, "b", QUARTIC_FLOAT32, &c->b);
    quartic_shape shape = quartic_graph_shape(graph, quartic_matmul(graph, a, b, &options));
    const quartic_shape bias = {1, {shape.dims[shape.rank - 1]}};
    const quartic_shape shapes[] = {c->a, c->b, bias, shape};
    if (c->with & 1) options.bias = quartic_graph_input(graph, "bias", QUARTIC_FLOAT32, &bias);
    if (c->with & 2) options.addend = quartic_graph_input(graph, "addend", QUARTIC_FLOAT32, &shape);
    quartic_graph_output(graph, "y", quartic_matmul(graph, a, b, &options));
    assert_ok(quartic_graph_status(graph));

    static const char *const names[] = {"a", "b", "bias", "addend"};
    quartic_feed feeds[4];
    float *data[4] = {NULL};
    uint32_t feed_count = 0;
    for (uint32_t i = 0; i < 4; ++i) {
        if ((i == 2 && !(c->with & 1)) || (i == 3 && !(c->with & 2))) continue;
        uint64_t count = quartic_shape_elements(&shapes[i]);
        data[i] = quartic_alloc(count, sizeof(float));
        for (uint64_t k = 0; k < count; ++k) data[i][k] = quartic_random_normal(11, i, k);
        feeds[feed_count++] =
            (quartic_feed){.name = names[i], .data = data[i], .bytes = count * sizeof(float)};
    }
    *out_count = quartic_shape_elements(&shape);
    float *y = quartic_alloc(*out_count, sizeof *y);
    const quartic_fetch fetch = {"y", y, *out_count};
    assert_ok(quartic_harness_run(device, graph, feeds, feed_count, &fetch, 1));
    for (uint32_t i = 0; i < 4; ++i) quartic_free(data[i]);
    quartic_graph_destroy(graph);
    quartic_device_destroy(device);
    return y;
}

static void matmul_check(const product *c) {
    uint64_t count;
    float *want = matmul_run("reference", c, &count), *got = matmul_run(vulkan_test_name(), c, &count);
    float *again = matmul_run(vulkan_test_name(), c, &count);
    uint32_t k = c->a.dims[c->a.rank - (c->transpose_a ? 2 : 1)];
    double largest = 1.0, some = 0.0;
    for (uint64_t i = 0; i < count; ++i) largest = fmax(largest, fabs((double)want[i]));
    double bound = quartic_op_matmul.tolerance * 1.2e-7 * sqrt(k) * largest;
    for (uint64_t i = 0; i < count; ++i) {
        some += fabs((double)want[i]);
        if (!(fabs((double)got[i] - want[i]) <= bound))
            fail_msg("%s, element %llu: got %.9g, want %.9g, bound %.2g", c->label, (unsigned long long)i,
                     (double)got[i], (double)want[i], bound);
    }
    assert_true(some > 0.1 * (double)count);
    assert_memory_equal(got, again, count * sizeof *got); /* the same bits every time */
    quartic_free(want);
    quartic_free(got);
    quartic_free(again);
}

static void large_products_match_the_reference(void **state) {
    (void)state;
    static const product products[] = {
        {"several tiles", {2, {197, 131}}, {2, {131, 203}}, 0, 0, 3},
        {"edges to channels", {3, {2, 1021, 32}}, {2, {96, 32}}, 0, 1, 1},
        {"edges to heads", {2, {4001, 32}}, {2, {8, 32}}, 0, 1, 1},
        {"weights of edges, split", {2, {9001, 40}}, {2, {9001, 33}}, 1, 0, 2},
        {"weights of heads, split", {2, {8, 20001}}, {2, {7, 20001}}, 0, 1, 3},
        {"longer than a software device runs a loop", {2, {140001, 8}}, {2, {140001, 9}}, 1, 0, 0},
        {"heads that talk", {2, {8, 8}}, {3, {2, 8, 3001}}, 0, 0, 0},
        {"row times rows", {2, {1, 1100}}, {2, {301, 1100}}, 0, 1, 1},
        {"row times matrix", {2, {1, 300}}, {2, {300, 1001}}, 0, 0, 2},
    };
    for (size_t i = 0; i < sizeof products / sizeof products[0]; ++i) matmul_check(&products[i]);
}

static void tiles_through_shared_memory_match_the_reference(void **state) {
    (void)state;
    /* Dense and aligned along every axis, and not; a device that runs on a CPU compiles each for seconds. */
    static const product products[] = {
        {"aligned", {2, {132, 100}}, {2, {100, 68}}, 0, 0, 3},
        {"aligned, both transposed", {2, {100, 68}}, {2, {72, 100}}, 1, 1, 0},
        {"odd", {2, {67, 45}}, {2, {45, 71}}, 0, 0, 1},
        {"split", {2, {3000, 17}}, {2, {3000, 20}}, 1, 0, 3},
    };
    setenv("QUARTIC_DISABLE", "cache,shuffle", 1);
    for (size_t i = 0; i < sizeof products / sizeof products[0]; ++i) matmul_check(&products[i]);
    setenv("QUARTIC_DISABLE", "cache", 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(large_products_match_the_reference),
                                       cmocka_unit_test(tiles_through_shared_memory_match_the_reference)};
    return cmocka_run_group_tests(tests, vulkan_test_begin, vulkan_test_end);
}
