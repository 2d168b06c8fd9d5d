/* edge_softmax_large_test.c: all edges of 128 nodes, 16384 of them, on a Vulkan device against the tuned
 * rows: no loop is left early, no submit is too long, and memory stays linear in the number of edges. */
#include <string.h>

#include "base/rng.h"
#include "quartic/graph.h"
#include "quartic/program.h"
#include "quartic/verify.h"
#include "vulkan/vulkan_test.h"

enum { NODES = 128, EDGES = NODES * NODES, WIDTH = 4 };

static quartic_graph *edge_softmax_large_build(void) {
    const quartic_shape shape = QUARTIC_SHAPE(1, EDGES, 1, WIDTH);
    const quartic_edge_softmax_options options = {.nodes = NODES};
    quartic_graph *graph = NULL;
    assert_ok(quartic_graph_create(&graph));
    const char *const names[] = {"q", "k", "v", "g"};
    quartic_value x[4], gradients[3], none = {0};
    for (uint32_t k = 0; k < 4; ++k) x[k] = quartic_graph_input(graph, names[k], QUARTIC_FLOAT32, &shape);
    quartic_value out = quartic_edge_softmax_attention(graph, x[0], x[1], x[2], none, none, &options);
    assert_ok(quartic_graph_gradients(graph, out, x[3], x, 3, gradients));
    quartic_graph_output(graph, "out", out);
    quartic_graph_output(graph, "dq", gradients[0]);
    quartic_graph_output(graph, "dk", gradients[1]);
    quartic_graph_output(graph, "dv", gradients[2]);
    assert_ok(quartic_graph_status(graph));
    return graph;
}

static void edge_softmax_large_print_failed(void *context, const quartic_check *check) {
    (void)context;
    if (check->verdict != QUARTIC_PASSED)
        fprintf(stderr, "%s %s, %s: %s\n", check->subject, check->label, check->check, check->text);
}

static void every_edge_of_128_nodes_counts(void **state) {
    (void)state;
    quartic_device *device = vulkan_test_device(), *trusted = NULL;
    assert_ok(quartic_device_create("cpu", &trusted));
    quartic_graph *graph = edge_softmax_large_build();
    quartic_feed feeds[] = {{"q", NULL, 0}, {"k", NULL, 0}, {"v", NULL, 0}, {"g", NULL, 0}};
    for (uint32_t f = 0; f < 4; ++f) {
        float *numbers = quartic_alloc(EDGES * WIDTH, sizeof *numbers);
        assert_non_null(numbers);
        for (size_t i = 0; i < EDGES * WIDTH; ++i) numbers[i] = quartic_random_normal(5, f, i);
        feeds[f].data = numbers;
        feeds[f].bytes = EDGES * WIDTH * sizeof *numbers;
    }
    quartic_check_totals totals;
    assert_ok(quartic_compare_devices(device, trusted, graph, feeds, 4, edge_softmax_large_print_failed, NULL,
                                      &totals));
    assert_int_equal(totals.failed, 0);
    assert_int_equal(totals.unsupported, 0);
    assert_true(totals.passed >= 6); /* two steps, four outputs */
    for (uint32_t f = 0; f < 4; ++f) quartic_free((void *)feeds[f].data);
    quartic_graph_destroy(graph);
    quartic_device_destroy(trusted);
    quartic_device_destroy(device);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_edge_of_128_nodes_counts)};
    return cmocka_run_group_tests(tests, vulkan_test_begin, vulkan_test_end);
}
