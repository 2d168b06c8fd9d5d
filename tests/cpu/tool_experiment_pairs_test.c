/* tool_experiment_pairs_test.c: the pairs of graphs of `quartic experiment` are what they are said to be, no two
 * of a pair are the same graph, and forms of edge attention tell them apart or not as docs/which-edge-attention.md says:
 * whatever the weights, and in double. */
#include "expect.h"

#include <math.h>

#include "experiment_labels.h"
#include "quartic/quartic.h"

enum { MOST = 32, CLASSES = 2, WIDTH = 16, DEPTH = 3, WEIGHTS = 2, PAIRS = 4 };

static const char *const pair_names[PAIRS] = {"circulants", "strongly-regular", "cfi", "designs"};

/* Both graphs of a pair: label 0, then label 1. The caller frees them. */
static const experiment_task *draw_pair(uint32_t index, experiment_data *out_two) {
    const experiment_task *task = experiment_task_named(pair_names[index]);
    assert_non_null(task);
    assert_true(task->two_graphs && task->n <= MOST);
    experiment_data_draw(task, 7, EXPERIMENT_TRAIN, 2, out_two);
    assert_int_equal(out_two->targets[0], 0);
    assert_int_equal(out_two->targets[1], 1);
    return task;
}

static int32_t count_common(const int32_t *types, uint32_t n, uint32_t i, uint32_t j) {
    int32_t common = 0;
    for (uint32_t l = 0; l < n; ++l) common += types[i * n + l] * types[j * n + l];
    return common;
}

static void graphs_are_regular_and_undirected(void **state) {
    (void)state;
    static const int32_t degrees[PAIRS] = {4, 6, 6, 6};
    for (uint32_t p = 0; p < PAIRS; ++p) {
        experiment_data two;
        const uint32_t n = draw_pair(p, &two)->n;
        for (uint32_t row = 0; row < 2 * n; ++row) {
            const int32_t *types = two.edge_types + (size_t)(row / n) * n * n;
            int32_t degree = 0;
            for (uint32_t j = 0; j < n; ++j) {
                degree += types[row % n * n + j];
                assert_int_equal(types[row % n * n + j], types[j * n + row % n]);
            }
            assert_int_equal(degree, degrees[p]);
            assert_int_equal(types[row % n * n + row % n], 0);
        }
        experiment_data_free(&two);
    }
}

static void strongly_regular_graphs_have_equal_parameters(void **state) {
    (void)state;
    experiment_data two;
    const uint32_t n = draw_pair(1, &two)->n;
    for (uint32_t pair = 0; pair < 2 * n * n; ++pair) {
        const uint32_t i = pair % (n * n) / n, j = pair % n;
        if (i != j) assert_int_equal(count_common(two.edge_types + pair / (n * n) * n * n, n, i, j), 2);
    }
    experiment_data_free(&two);
}

/* How far apart nodes are: (i, j). */
static void find_distances(const int32_t *types, uint32_t n, uint32_t *out_distance) {
    for (uint32_t k = 0; k < n * n; ++k) out_distance[k] = k / n == k % n ? 0 : types[k] ? 1 : n;
    for (uint32_t l = 0; l < n; ++l)
        for (uint32_t k = 0; k < n * n; ++k) {
            const uint32_t way = out_distance[k / n * n + l] + out_distance[l * n + k % n];
            if (way < out_distance[k]) out_distance[k] = way;
        }
}

/* Of nodes at a distance d, so many neighbours of one are at d + 1 and at d - 1 of the other. */
static void designs_are_distance_regular(void **state) {
    (void)state;
    static const uint32_t away[4] = {6, 5, 4, 0}, nearer[4] = {0, 1, 2, 6};
    experiment_data two;
    const uint32_t n = draw_pair(3, &two)->n;
    for (uint32_t graph = 0; graph < 2; ++graph) {
        const int32_t *types = two.edge_types + (size_t)graph * n * n;
        uint32_t distance[MOST * MOST];
        find_distances(types, n, distance);
        for (uint32_t pair = 0; pair < n * n; ++pair) {
            const uint32_t i = pair / n, j = pair % n, d = distance[pair];
            uint32_t more = 0, less = 0;
            assert_true(d <= 3);
            for (uint32_t l = 0; l < n; ++l) {
                more += types[j * n + l] && distance[i * n + l] == d + 1;
                less += types[j * n + l] && distance[i * n + l] + 1 == d;
            }
            assert_int_equal(more, away[d]);
            assert_int_equal(less, nearer[d]);
        }
    }
    experiment_data_free(&two);
}

static void two_graphs_are_not_one(void **state) {
    (void)state;
    for (uint32_t p = 0; p < PAIRS; ++p) {
        experiment_data two;
        const experiment_task *task = draw_pair(p, &two);
        assert_int_equal(experiment_true_label(task, &two, 0, 0), 0);
        assert_int_equal(experiment_true_label(task, &two, 1, 0), 1);
        experiment_data_free(&two);
    }
    /* and the search finds the order of a renamed graph */
    experiment_data two, again;
    const uint32_t n = draw_pair(2, &two)->n;
    experiment_data_draw(experiment_task_named("cfi"), 8, EXPERIMENT_TEST, 2, &again);
    assert_memory_not_equal(two.edge_types, again.edge_types, n * n * sizeof(int32_t));
    assert_true(experiment_isomorphic(two.edge_types, again.edge_types, n));
    assert_false(experiment_isomorphic(two.edge_types, again.edge_types + (size_t)n * n, n));
    experiment_data_free(&two);
    experiment_data_free(&again);
}

static quartic_device *device;

/* How far the logits of the two graphs are apart, in units of their size. */
static double largest_gap(const experiment_task *task, const experiment_data *two, const char *form,
                          uint64_t seed) {
    quartic_model_config config = QUARTIC_MODEL_CONFIG_INIT;
    char text[128];
    config.model = QUARTIC_MODEL_RELATIONAL;
    config.num_tokens = 1, config.num_edge_types = 2, config.num_classes = CLASSES;
    config.dim = config.dim_edges = WIDTH, config.depth = DEPTH;
    config.heads = config.edge_heads = 2, config.dim_head = config.edge_dim_head = 8;
    config.ff_mult = 2, config.max_seq_len = task->n, config.positions = 0;
    config.readout = QUARTIC_READOUT_GRAPH;
    snprintf(text, sizeof text, "{\"edge_attention\": \"%s\"}", form);
    assert_ok(quartic_model_config_read_json(&config, text));
    quartic_model *model;
    assert_ok(quartic_model_create(device, &config, &model));
    assert_ok(quartic_model_initialise(model, seed));
    const quartic_shape shape = quartic_tensor_shape(quartic_model_weights(model));
    const size_t bytes = quartic_shape_elements(&shape) * sizeof(float);
    float *weights = malloc(bytes), logits[2 * CLASSES];
    assert_non_null(weights);
    assert_ok(quartic_tensor_read(quartic_model_weights(model), weights, bytes));
    for (size_t k = 0; k < bytes / sizeof(float); ++k) weights[k] *= 2;
    assert_ok(quartic_tensor_write(quartic_model_weights(model), weights, bytes));
    free(weights);
    quartic_model_batch in = QUARTIC_MODEL_BATCH_INIT;
    in.batch = 2, in.length = task->n, in.tokens = two->tokens, in.edge_types = two->edge_types;
    assert_ok(quartic_model_forward_batch(model, &in, logits));
    quartic_model_destroy(model);
    double gap = 0, size = 0;
    for (uint32_t c = 0; c < CLASSES; ++c) {
        gap = fmax(gap, fabs((double)logits[c] - (double)logits[CLASSES + c]));
        size = fmax(size, fabs((double)logits[c]));
    }
    assert_true(size > 1e-3);
    return gap / size;
}

/* Everything is computed in double; what is left is that logits come out as float32. */
static const double rounding = 3e-7, visible = 2e-6;

/* Triangle forms tell circulants apart and none of the other pairs, and "none" tells nothing apart. */
static void triangles_tell_circulants_apart_only(void **state) {
    (void)state;
    static const char *const forms[] = {"none", "triangle", "triangle-start-end", "triangle-multiply"};
    for (uint32_t p = 0; p < PAIRS; ++p) {
        experiment_data two;
        const experiment_task *task = draw_pair(p, &two);
        for (uint32_t k = 0; k < 4; ++k) {
            double gap = 0;
            for (uint64_t seed = 1; seed <= WEIGHTS; ++seed)
                gap = fmax(gap, largest_gap(task, &two, forms[k], seed));
            print_message("%-18s %-18s %.1e\n", task->name, forms[k], gap);
            if (p == 0 && k > 0)
                assert_true(gap > visible);
            else
                assert_true(gap < rounding);
        }
        experiment_data_free(&two);
    }
}

static int open_device(void **state) {
    (void)state;
    return quartic_device_create("reference64", &device) == QUARTIC_OK ? 0 : -1;
}

static int close_device(void **state) {
    (void)state;
    quartic_device_destroy(device);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(graphs_are_regular_and_undirected),
        cmocka_unit_test(strongly_regular_graphs_have_equal_parameters),
        cmocka_unit_test(designs_are_distance_regular),
        cmocka_unit_test(two_graphs_are_not_one),
        cmocka_unit_test(triangles_tell_circulants_apart_only),
    };
    return cmocka_run_group_tests(tests, open_device, close_device);
}
