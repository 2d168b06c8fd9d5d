/* tool_experiment_test.c: the graphs of `quartic experiment`: labels against brute force, balance, and that
 * training and test never share a graph in any order of its nodes. */
#include "expect.h"

#include "experiment_labels.h"

enum { TRAIN_GRAPHS = 96, TEST_GRAPHS = 32, MOST = EXPERIMENT_MOST_NODES, TASKS = 16, SEED = 5 };

static int32_t type_of(const int32_t *types, uint32_t n, uint32_t i, uint32_t j) {
    return types[i * n + j];
}

/* ---- tests ---- */

static void for_each_task(void (*check)(const experiment_task *task, const experiment_data *train,
                                        const experiment_data *test)) {
    const experiment_task *task;
    uint32_t index = 0;
    for (; (task = experiment_task_at(index)) != NULL; ++index) {
        experiment_data train, test;
        experiment_data_draw(task, SEED, EXPERIMENT_TRAIN, TRAIN_GRAPHS, &train);
        experiment_data_draw(task, SEED, EXPERIMENT_TEST, TEST_GRAPHS, &test);
        check(task, &train, &test);
        experiment_data_free(&train);
        experiment_data_free(&test);
    }
    assert_int_equal(index, TASKS);
}

/* Given labels are right, equally many in each graph of pairs (in all graphs of graph labels), and not few.
 */
static void check_labels(const experiment_task *task, const experiment_data *data) {
    uint32_t all[2] = {0, 0};
    for (uint32_t graph = 0; graph < data->graphs; ++graph) {
        uint32_t of[2] = {0, 0};
        for (uint32_t pair = 0; pair < data->targets_per_graph; ++pair) {
            const int32_t target = data->targets[(size_t)graph * data->targets_per_graph + pair];
            if (target < 0) continue;
            const int32_t want = experiment_true_label(task, data, graph, pair);
            if (target != want)
                fail_msg("%s, graph %u, pair %u: label %d, not %d", task->name, graph, pair, (int)target,
                         (int)want);
            ++of[target];
        }
        if (task->readout != QUARTIC_READOUT_GRAPH) assert_int_equal(of[0], of[1]);
        if (task->readout == QUARTIC_READOUT_EDGE) assert_true(of[1] >= 3);
        if (task->readout == QUARTIC_READOUT_NODE) assert_true(of[1] >= 2);
        all[0] += of[0];
        all[1] += of[1];
    }
    assert_int_equal(all[0], all[1]);
    assert_true(experiment_majority(data) == 0.5);
}

static void check_all_labels(const experiment_task *task, const experiment_data *train,
                             const experiment_data *test) {
    check_labels(task, train);
    check_labels(task, test);
}

static void labels_are_true_and_balanced(void **state) {
    (void)state;
    for_each_task(check_all_labels);
}

/* About half of foaf's pairs are linked before the balancing; 35 to 65 of 100 are left by it on either side.
 */
static void check_density(const experiment_task *task, const experiment_data *train,
                          const experiment_data *test) {
    (void)test;
    if (strncmp(task->name, "foaf", 4) != 0) return;
    const uint32_t n = train->n;
    uint32_t linked = 0;
    for (uint32_t graph = 0; graph < train->graphs; ++graph)
        for (uint32_t pair = 0; pair < n * n; ++pair)
            linked += experiment_true_label(task, train, graph, pair) == 1;
    const double share = (double)linked / (train->graphs * n * (n - 1));
    if (share < 0.4 || share > 0.6) fail_msg("%s: %.3f of the pairs are linked", task->name, share);
}

static void about_half_are_linked(void **state) {
    (void)state;
    for_each_task(check_density);
}

/* Nodes cannot be told apart by counting: cycles is 3-regular without direction, foaf in both directions. */
static void check_degrees(const experiment_task *task, const experiment_data *train,
                          const experiment_data *test) {
    (void)test;
    if (strcmp(task->name, "cycles") != 0 && strncmp(task->name, "foaf", 4) != 0) return;
    const uint32_t n = train->n;
    const bool undirected = task->readout == QUARTIC_READOUT_GRAPH;
    uint32_t degree = 0;
    for (uint32_t j = 0; j < n; ++j) degree += (uint32_t)train->edge_types[j];
    if (undirected) assert_int_equal(degree, 3);
    for (uint32_t graph = 0; graph < train->graphs; ++graph) {
        const int32_t *types = train->edge_types + (size_t)graph * n * n;
        for (uint32_t i = 0; i < n; ++i) {
            uint32_t out = 0, in = 0;
            for (uint32_t j = 0; j < n; ++j) {
                out += (uint32_t)type_of(types, n, i, j);
                in += (uint32_t)type_of(types, n, j, i);
                if (undirected) assert_int_equal(type_of(types, n, i, j), type_of(types, n, j, i));
            }
            assert_int_equal(type_of(types, n, i, i), 0);
            for (uint32_t j = 0; j < n && !undirected; ++j)
                assert_int_equal(type_of(types, n, i, j) * type_of(types, n, j, i), 0);
            assert_int_equal(out, degree);
            assert_int_equal(in, degree);
        }
    }
}

static void degrees_tell_nothing(void **state) {
    (void)state;
    for_each_task(check_degrees);
}

/* In compose both labels come equally often with every i and with every j. */
static void check_marginals(const experiment_task *task, const experiment_data *train,
                            const experiment_data *test) {
    (void)test;
    if (strcmp(task->name, "compose") != 0) return;
    const uint32_t n = train->n;
    for (uint32_t graph = 0; graph < train->graphs; ++graph) {
        int32_t rows[MOST] = {0}, columns[MOST] = {0};
        for (uint32_t pair = 0; pair < n * n; ++pair) {
            const int32_t target = train->targets[(size_t)graph * n * n + pair];
            if (target >= 0) rows[pair / n] += 2 * target - 1;
            if (target >= 0) columns[pair % n] += 2 * target - 1;
        }
        for (uint32_t i = 0; i < n; ++i) assert_int_equal(rows[i], 0);
        for (uint32_t j = 0; j < n; ++j) assert_int_equal(columns[j], 0);
    }
}

static void one_end_tells_nothing_of_a_composition(void **state) {
    (void)state;
    for_each_task(check_marginals);
}

/* In relation and quotient each of the first group has one arrow, to a node of its own, and every node of the
 * second and third group half of the others, before the balancing too. */
static void check_groups(const experiment_task *task, const experiment_data *train,
                         const experiment_data *test) {
    (void)test;
    if (strcmp(task->name, "relation") != 0 && strcmp(task->name, "quotient") != 0) return;
    const uint32_t n = train->n, m = n / 3;
    for (uint32_t graph = 0; graph < train->graphs; ++graph) {
        const int32_t *types = train->edge_types + (size_t)graph * n * n,
                      *group = train->tokens + (size_t)graph * n;
        uint32_t members[3] = {0};
        for (uint32_t i = 0; i < n; ++i) {
            uint32_t in[3] = {0}, out[3] = {0};
            ++members[group[i]];
            for (uint32_t j = 0; j < n; ++j) {
                out[group[j]] += type_of(types, n, i, j) == 1;
                in[group[j]] += type_of(types, n, j, i) == 1;
            }
            assert_int_equal(out[1], group[i] == 0 ? 1 : 0);
            assert_int_equal(out[2], group[i] == 1 ? m / 2 : 0);
            assert_int_equal(in[0], group[i] == 1 ? 1 : 0);
            assert_int_equal(in[1], group[i] == 2 ? m / 2 : 0);
            assert_int_equal(out[0] + in[2], 0);
        }
        for (uint32_t k = 0; k < 3; ++k) assert_int_equal(members[k], m);
    }
}

static void groups_have_equal_degrees(void **state) {
    (void)state;
    for_each_task(check_groups);
}

/* Every task can be drawn in other sizes, as far as it says so; labels stay true. */
static void check_other_sizes(const experiment_task *task, const experiment_data *train,
                              const experiment_data *test) {
    (void)train, (void)test;
    experiment_task other;
    assert_true(experiment_task_resize(task, 0, &other) && other.n == task->n);
    assert_true(experiment_task_resize(task, task->n, &other));
    assert_false(experiment_task_resize(task, 5, &other));
    assert_false(experiment_task_resize(task, EXPERIMENT_MOST_NODES + 1, &other));
    const uint32_t wanted[2] = {12, 36};
    for (uint32_t k = 0; k < 2; ++k) {
        const bool fits =
            task->node_step > 0 && wanted[k] % task->node_step == 0 && wanted[k] >= task->fewest_nodes;
        assert_true(experiment_task_resize(task, wanted[k], &other) == (fits || task->n == wanted[k]));
        if (!fits) continue;
        experiment_data data;
        experiment_data_draw(&other, SEED, EXPERIMENT_TRAIN, 4, &data);
        assert_int_equal(data.n, wanted[k]);
        check_labels(&other, &data);
        experiment_data_free(&data);
    }
}

static void other_sizes_keep_true_labels(void **state) {
    (void)state;
    for_each_task(check_other_sizes);
}

/* Regular graphs of another degree, as far as a task says so. */
static void check_other_degrees(const experiment_task *task, const experiment_data *train,
                                const experiment_data *test) {
    (void)train, (void)test;
    enum { NODES = 16, DEGREE = 4 };
    experiment_task other;
    if (!experiment_task_resize(task, NODES, &other)) return;
    const uint32_t own = other.degree;
    assert_true(experiment_task_set_degree(&other, 0) && other.degree == own);
    assert_false(experiment_task_set_degree(&other, 6));
    const bool has = experiment_task_set_degree(&other, DEGREE);
    assert_true(has == (strcmp(task->name, "cycles") == 0 || strncmp(task->name, "foaf", 4) == 0));
    if (!has) return;
    experiment_data data;
    experiment_data_draw(&other, SEED, EXPERIMENT_TEST, 4, &data);
    check_labels(&other, &data);
    for (uint32_t row = 0; row < 4 * NODES; ++row) {
        int32_t degree = 0;
        for (uint32_t j = 0; j < NODES; ++j) degree += data.edge_types[row * NODES + j];
        assert_int_equal(degree, DEGREE);
    }
    experiment_data_free(&data);
}

static void other_degrees_keep_true_labels(void **state) {
    (void)state;
    for_each_task(check_other_degrees);
}

/* The graph with node i renamed order[i]. */
static uint64_t renamed_hash(const experiment_task *task, const experiment_data *data, uint32_t graph,
                             const uint32_t *order) {
    const uint32_t n = data->n;
    int32_t tokens[MOST], types[MOST * MOST];
    for (uint32_t i = 0; i < n; ++i) {
        tokens[order[i]] = data->tokens[graph * n + i];
        for (uint32_t j = 0; j < n && data->edge_types != NULL; ++j)
            types[order[i] * n + order[j]] = data->edge_types[((size_t)graph * n + i) * n + j];
    }
    const experiment_graph renamed = {.tokens = tokens,
                                      .edge_types = data->edge_types == NULL ? NULL : types};
    return experiment_graph_hash(task, &renamed);
}

static int tool_experiment_by_size(const void *a, const void *b) {
    const uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return left < right ? -1 : left > right;
}

static void check_hashes(const experiment_task *task, const experiment_data *train,
                         const experiment_data *test) {
    if (task->two_graphs) return; /* orders of the same two graphs */
    experiment_source source = {.seed = 3};
    uint32_t order[MOST];
    experiment_data validation;
    experiment_data_draw(task, SEED, EXPERIMENT_VALIDATION, TEST_GRAPHS, &validation);
    for (uint32_t k = 0; k < validation.graphs * train->graphs; ++k)
        assert_true(validation.hashes[k / train->graphs] != train->hashes[k % train->graphs]);
    for (uint32_t graph = 0; graph < test->graphs; ++graph) {
        experiment_permutation(&source, test->n, order);
        assert_true(renamed_hash(task, test, graph, order) == test->hashes[graph]);
        for (uint32_t other = 0; other < validation.graphs; ++other)
            assert_true(validation.hashes[other] != test->hashes[graph]);
        for (uint32_t other = 0; other < train->graphs; ++other)
            assert_true(train->hashes[other] != test->hashes[graph]);
    }
    experiment_data_free(&validation);
    /* A mark that all graphs share would tell nothing. */
    uint32_t different = 1;
    qsort(train->hashes, train->graphs, sizeof train->hashes[0], tool_experiment_by_size);
    for (uint32_t graph = 1; graph < train->graphs; ++graph)
        different += train->hashes[graph] != train->hashes[graph - 1];
    if (different < train->graphs / 4)
        fail_msg("%s: only %u hashes of %u graphs", task->name, different, train->graphs);
}

static void training_and_test_share_no_graph(void **state) {
    (void)state;
    for_each_task(check_hashes);
}

static void check_repetition(const experiment_task *task, const experiment_data *train,
                             const experiment_data *test) {
    (void)test;
    experiment_data again, other;
    const size_t targets = (size_t)train->graphs * train->targets_per_graph,
                 nodes = (size_t)train->graphs * train->n;
    experiment_data_draw(task, SEED, EXPERIMENT_TRAIN, TRAIN_GRAPHS, &again);
    experiment_data_draw(task, SEED + 1, EXPERIMENT_TRAIN, TRAIN_GRAPHS, &other);
    assert_memory_equal(again.targets, train->targets, targets * sizeof(int32_t));
    assert_memory_equal(again.tokens, train->tokens, nodes * sizeof(int32_t));
    if (!task->two_graphs)
        assert_memory_not_equal(other.hashes, again.hashes, train->graphs * sizeof(uint64_t));
    experiment_data_free(&again);
    experiment_data_free(&other);
}

/* 12 nodes have few: see docs/which-edge-attention.md. */
static void cubic_graphs_of_16_nodes_give_many_test_classes(void **state) {
    (void)state;
    enum { GRAPHS = 512, CLASSES = 300 };
    experiment_task task;
    experiment_data data;
    assert_true(experiment_task_resize(experiment_task_named("cycles"), 16, &task));
    experiment_data_draw(&task, SEED, EXPERIMENT_TEST, GRAPHS, &data);
    uint32_t different = 1;
    qsort(data.hashes, GRAPHS, sizeof data.hashes[0], tool_experiment_by_size);
    for (uint32_t graph = 1; graph < GRAPHS; ++graph)
        different += data.hashes[graph] != data.hashes[graph - 1];
    print_message("%u classes in %u graphs\n", different, (uint32_t)GRAPHS);
    assert_true(different >= CLASSES);
    experiment_data_free(&data);
}

static void a_seed_gives_the_same_graphs(void **state) {
    (void)state;
    for_each_task(check_repetition);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(labels_are_true_and_balanced),
        cmocka_unit_test(about_half_are_linked),
        cmocka_unit_test(degrees_tell_nothing),
        cmocka_unit_test(one_end_tells_nothing_of_a_composition),
        cmocka_unit_test(groups_have_equal_degrees),
        cmocka_unit_test(other_sizes_keep_true_labels),
        cmocka_unit_test(other_degrees_keep_true_labels),
        cmocka_unit_test(cubic_graphs_of_16_nodes_give_many_test_classes),
        cmocka_unit_test(training_and_test_share_no_graph),
        cmocka_unit_test(a_seed_gives_the_same_graphs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
