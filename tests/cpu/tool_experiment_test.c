/* tool_experiment_test.c: the graphs of `quartic experiment`: labels against brute force, balance, and that
 * training and test never share a graph in any order of its nodes. */
#include "expect.h"

#include "tool/experiment_tasks.h"

enum { TRAIN_GRAPHS = 96, TEST_GRAPHS = 32, MOST = 32, SEED = 5 };

static int32_t type_of(const int32_t *types, uint32_t n, uint32_t i, uint32_t j) {
    return types[i * n + j];
}

/* ---- labels, each in a way other than the generator's ---- */

/* Closed walks of three steps. */
static int32_t cycles_label(const int32_t *types, uint32_t n) {
    int32_t walks = 0;
    for (uint32_t i = 0; i < n; ++i)
        for (uint32_t j = 0; j < n; ++j)
            for (uint32_t l = 0; l < n; ++l)
                walks += type_of(types, n, i, j) * type_of(types, n, j, l) * type_of(types, n, l, i);
    return walks > 0;
}

static int32_t foaf_label(const int32_t *types, uint32_t n, uint32_t i, uint32_t j) {
    int32_t ways = 0;
    for (uint32_t l = 0; l < n; ++l) ways += type_of(types, n, i, l) * type_of(types, n, l, j);
    return ways > 0;
}

static int32_t compose_label(const int32_t *types, uint32_t n, uint32_t i, uint32_t j) {
    uint32_t middle = n, end = n;
    for (uint32_t l = 0; l < n; ++l)
        if (type_of(types, n, i, l) % 2 == 1) middle = l;
    assert_true(middle < n);
    for (uint32_t l = 0; l < n; ++l)
        if (type_of(types, n, middle, l) >= 2) end = l;
    return end == j;
}

static bool tool_experiment_is_set(int32_t a, int32_t b, int32_t c) {
    for (uint32_t attribute = 0; attribute < 3; ++attribute, a /= 3, b /= 3, c /= 3) {
        const bool equal = a % 3 == b % 3 && b % 3 == c % 3;
        const bool different = a % 3 != b % 3 && b % 3 != c % 3 && a % 3 != c % 3;
        if (!equal && !different) return false;
    }
    return true;
}

static int32_t set_label(const int32_t *cards, uint32_t n, uint32_t i, uint32_t j) {
    for (uint32_t l = 0; l < n; ++l)
        if (l != i && l != j && tool_experiment_is_set(cards[i], cards[j], cards[l])) return 1;
    return 0;
}

static int32_t true_label(const experiment_task *task, const experiment_data *data, uint32_t graph,
                          uint32_t pair) {
    const uint32_t n = data->n;
    const int32_t *types = data->edge_types == NULL ? NULL : data->edge_types + (size_t)graph * n * n;
    if (task->readout == QUARTIC_READOUT_GRAPH) return cycles_label(types, n);
    if (pair / n == pair % n && strcmp(task->name, "compose") != 0) return -1;
    if (strncmp(task->name, "foaf", 4) == 0) return foaf_label(types, n, pair / n, pair % n);
    if (strcmp(task->name, "compose") == 0) return compose_label(types, n, pair / n, pair % n);
    return set_label(data->tokens + (size_t)graph * n, n, pair / n, pair % n);
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
    assert_int_equal(index, 5);
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
            const int32_t want = true_label(task, data, graph, pair);
            if (target != want)
                fail_msg("%s, graph %u, pair %u: label %d, not %d", task->name, graph, pair, (int)target,
                         (int)want);
            ++of[target];
        }
        if (task->readout == QUARTIC_READOUT_EDGE) assert_int_equal(of[0], of[1]);
        if (task->readout == QUARTIC_READOUT_EDGE) assert_true(of[1] >= 3);
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
        for (uint32_t pair = 0; pair < n * n; ++pair) linked += true_label(task, train, graph, pair) == 1;
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
    if (task->edge_types != 2) return;
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
    experiment_source source = {.seed = 3};
    uint32_t order[MOST];
    for (uint32_t graph = 0; graph < test->graphs; ++graph) {
        experiment_permutation(&source, test->n, order);
        assert_true(renamed_hash(task, test, graph, order) == test->hashes[graph]);
        for (uint32_t other = 0; other < train->graphs; ++other)
            assert_true(train->hashes[other] != test->hashes[graph]);
    }
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
    assert_memory_not_equal(other.hashes, again.hashes, train->graphs * sizeof(uint64_t));
    experiment_data_free(&again);
    experiment_data_free(&other);
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
        cmocka_unit_test(training_and_test_share_no_graph),
        cmocka_unit_test(a_seed_gives_the_same_graphs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
