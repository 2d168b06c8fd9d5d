/* tool_pairs_test.c: the pairs of graphs of `quartic pairs` are what they are said to be and not isomorphic, and forms
 * of edge attention tell them apart or not as docs/which-edge-attention.md says. */
#include "expect.h"

#include <jansson.h>

#include "experiment_labels.h"
#include "tool/pairs.h"
#include "tool_run.h"

enum { MOST_SEARCHED = 20 }; /* nodes up to which the plain search of experiment_labels.c is quick */

/* All pairs of a category; the caller frees them. */
static pairs_pair *make_pairs(const char *name, uint32_t *out_count) {
    const pairs_category *category;
    for (uint32_t k = 0; (category = pairs_category_at(k)) != NULL; ++k) {
        if (strcmp(category->name, name) != 0) continue;
        pairs_pair *pairs = calloc(category->count, sizeof *pairs);
        assert_non_null(pairs);
        category->make(pairs);
        *out_count = category->count;
        return pairs;
    }
    fail_msg("no category %s", name);
    return NULL;
}

/* (n, n) */
static void read_types(const pairs_graph *graph, int32_t *out_types) {
    for (uint32_t k = 0; k < graph->n * graph->n; ++k)
        out_types[k] = pairs_joined(graph, k / graph->n, k % graph->n);
}

static uint32_t common_neighbours(const pairs_graph *graph, uint32_t i, uint32_t j) {
    return (uint32_t)__builtin_popcountll(graph->rows[i] & graph->rows[j]);
}

/* Undirected, without loops, connected, alike to refinement and not isomorphic: by the tool's own search, and for few
 * nodes by one that knows no refinement. */
static void pairs_are_alike_and_not_isomorphic(void **state) {
    (void)state;
    const pairs_category *category;
    for (uint32_t c = 0; (category = pairs_category_at(c)) != NULL; ++c) {
        uint32_t count = 0;
        if (category->count == 0) continue;
        pairs_pair *pairs = make_pairs(category->name, &count);
        assert_int_equal(count, category->count);
        for (uint32_t k = 0; k < count; ++k) {
            const pairs_graph *left = &pairs[k].of[0], *right = &pairs[k].of[1];
            const uint32_t n = left->n;
            assert_true(n > 2 && n == right->n && n <= PAIRS_MOST_NODES);
            for (uint32_t g = 0; g < 2; ++g)
                for (uint32_t i = 0; i < n; ++i) {
                    const pairs_graph *graph = &pairs[k].of[g];
                    assert_false(pairs_joined(graph, i, i));
                    for (uint32_t j = 0; j < n; ++j)
                        assert_int_equal(pairs_joined(graph, i, j), pairs_joined(graph, j, i));
                    if (n < 64) assert_true(graph->rows[i] >> n == 0);
                }
            assert_false(pairs_differ_in_nodes(left, right));
            assert_false(pairs_isomorphic(left, right));
            if (strcmp(category->name, "cfi") != 0)
                assert_true(pairs_connected(left) && pairs_connected(right));
            if (n > MOST_SEARCHED) continue;
            int32_t types[2][MOST_SEARCHED * MOST_SEARCHED];
            for (uint32_t g = 0; g < 2; ++g) read_types(&pairs[k].of[g], types[g]);
            assert_false(experiment_isomorphic(types[0], types[1], n));
        }
        free(pairs);
    }
}

/* The search finds the isomorphism of a renamed graph of each category, and refinement and hash do not mind. */
static void renamed_graphs_are_the_same(void **state) {
    (void)state;
    const pairs_category *category;
    experiment_source source = {.seed = 3};
    for (uint32_t c = 0; (category = pairs_category_at(c)) != NULL; ++c) {
        uint32_t count, order[PAIRS_MOST_NODES];
        if (category->count == 0) continue;
        pairs_pair *pairs = make_pairs(category->name, &count);
        const pairs_graph *graph = &pairs[0].of[0];
        pairs_graph renamed;
        experiment_permutation(&source, graph->n, order);
        pairs_rename(graph, order, &renamed);
        assert_true(pairs_isomorphic(graph, &renamed));
        assert_false(pairs_differ_in_nodes(graph, &renamed));
        assert_false(pairs_differ_in_pairs(graph, &renamed));
        assert_false(pairs_differ_in_triples(graph, &renamed));
        assert_true(pairs_hash(graph) == pairs_hash(&renamed));
        free(pairs);
    }
}

/* Refinement of nodes sees degrees, of pairs triangles, of triples what joins four nodes. */
static void refinement_sees_what_it_should(void **state) {
    (void)state;
    pairs_graph path = {.n = 6}, ring = {.n = 6}, two = {.n = 6}, rook, shrikhande;
    for (uint32_t i = 0; i < 6; ++i) {
        if (i < 5) pairs_join(&path, i, i + 1);
        pairs_join(&ring, i, (i + 1) % 6);
        pairs_join(&two, i, i / 3 * 3 + (i + 1) % 3);
    }
    pairs_torus_graph(false, &rook);
    pairs_torus_graph(true, &shrikhande);
    assert_true(pairs_differ_in_nodes(&path, &ring));
    assert_false(pairs_differ_in_nodes(&ring, &two));
    assert_true(pairs_differ_in_pairs(&ring, &two));
    assert_false(pairs_differ_in_pairs(&rook, &shrikhande));
    assert_true(pairs_differ_in_triples(&rook, &shrikhande));
}

/* Any two nodes have as many neighbours in common as the first two that are as near: parameters are equal in both
 * graphs, so refinement of pairs cannot tell them apart. */
static void strongly_regular_graphs_are(void **state) {
    (void)state;
    uint32_t count;
    pairs_pair *pairs = make_pairs("strongly-regular", &count);
    for (uint32_t k = 0; k < count; ++k) {
        const pairs_graph *first = &pairs[k].of[0];
        uint32_t common[2] = {UINT32_MAX, UINT32_MAX};
        for (uint32_t g = 0; g < 2; ++g)
            for (uint32_t i = 0; i < first->n; ++i)
                for (uint32_t j = 0; j < i; ++j) {
                    const pairs_graph *graph = &pairs[k].of[g];
                    const uint32_t joined = pairs_joined(graph, i, j), of = common_neighbours(graph, i, j);
                    if (common[joined] == UINT32_MAX) common[joined] = of;
                    assert_int_equal(common[joined], of);
                    assert_int_equal(pairs_degree(graph, i), pairs_degree(first, 0));
                }
    }
    free(pairs);
}

/* How many steps apart two nodes are: (i, j). */
static void find_steps(const pairs_graph *graph, uint8_t *out_steps) {
    const uint32_t n = graph->n;
    for (uint32_t i = 0; i < n; ++i) {
        uint64_t reached = (uint64_t)1 << i;
        for (uint8_t step = 0; step < n; ++step) {
            uint64_t next = reached;
            for (uint32_t j = 0; j < n; ++j)
                if (reached >> j & 1) {
                    if (step == 0 || out_steps[i * n + j] == step) out_steps[i * n + j] = step;
                    next |= graph->rows[j];
                }
            for (uint32_t j = 0; j < n; ++j)
                if ((next & ~reached) >> j & 1) out_steps[i * n + j] = (uint8_t)(step + 1);
            if (next == reached) break;
            reached = next;
        }
    }
}

/* Of two nodes so many steps apart, so many neighbours of one are one step nearer to the other, and one further. */
static void distance_regular_graphs_are(void **state) {
    (void)state;
    uint32_t count;
    pairs_pair *pairs = make_pairs("distance-regular", &count);
    for (uint32_t k = 0; k < count; ++k) {
        const uint32_t n = pairs[k].of[0].n;
        uint32_t numbers[PAIRS_MOST_NODES];
        uint64_t known = 0;
        for (uint32_t g = 0; g < 2; ++g) {
            uint8_t steps[PAIRS_MOST_NODES * PAIRS_MOST_NODES] = {0};
            find_steps(&pairs[k].of[g], steps);
            for (uint32_t pair = 0; pair < n * n; ++pair) {
                const uint32_t i = pair / n, j = pair % n, d = steps[pair];
                uint32_t nearer = 0, further = 0;
                for (uint32_t l = 0; l < n; ++l) {
                    if (!pairs_joined(&pairs[k].of[g], j, l)) continue;
                    nearer += steps[i * n + l] + 1u == d;
                    further += steps[i * n + l] == d + 1u;
                }
                if (!(known >> d & 1)) numbers[d] = nearer * 64 + further;
                known |= (uint64_t)1 << d;
                assert_int_equal(numbers[d], nearer * 64 + further);
            }
        }
        assert_true(known > 7); /* of diameter 3 or more */
    }
    free(pairs);
}

/* How many pairs of a category a form tells apart, of the document that `quartic pairs --json` prints. */
static json_int_t count_apart(const json_t *category, const char *form) {
    size_t at;
    const json_t *of;
    json_array_foreach(json_object_get(category, "forms"), at, of) {
        if (strcmp(json_string_value(json_object_get(of, "form")), form) != 0) continue;
        if (strcmp(form, "routed") != 0)
            assert_int_equal(json_integer_value(json_object_get(of, "unclear")), 0);
        return json_integer_value(json_object_get(of, "apart"));
    }
    fail_msg("no form %s", form);
    return -1;
}

/* The first pair of each category of up to 16 nodes: nothing that sees no two edges at a node tells any apart; the
 * triangle forms all but the strongly regular one; triple that as well. */
static void forms_tell_apart_what_they_should(void **state) {
    (void)state;
    static const char *const wanted[] = {"basic",     "regular",          "extension",
                                         "circulant", "strongly-regular", "cfi"};
    static const char *const blind[] = {"none", "axial", "taylor", "full"};
    static const char *const triangles[] = {"triangle", "triangle-start-end", "triangle-multiply"};
    const tool_result *run = tool_run("$Q pairs --first 1 --nodes 16 --json");
    assert_int_equal(run->code, 0);
    json_t *document = json_loads(run->out, 0, NULL);
    assert_non_null(document);
    assert_int_equal(json_integer_value(json_object_get(document, "against_a_theorem")), 0);
    uint32_t seen = 0;
    size_t at;
    const json_t *category;
    json_array_foreach(json_object_get(document, "categories"), at, category) {
        const char *name = json_string_value(json_object_get(category, "category"));
        const json_int_t compared = json_integer_value(json_object_get(category, "compared"));
        for (uint32_t k = 0; k < sizeof wanted / sizeof wanted[0]; ++k) seen += strcmp(name, wanted[k]) == 0;
        if (compared == 0) continue;
        assert_int_equal(compared, 1);
        for (uint32_t k = 0; k < 4; ++k) assert_int_equal(count_apart(category, blind[k]), 0);
        for (uint32_t k = 0; k < 3; ++k)
            assert_int_equal(count_apart(category, triangles[k]), strcmp(name, "strongly-regular") != 0);
        assert_int_equal(count_apart(category, "triple"), 1);
    }
    assert_int_equal(seen, sizeof wanted / sizeof wanted[0]);
    json_decref(document);
}

/* Over K(4) the graphs have 16 nodes and refinement of pairs does not do: its treewidth is 3. */
static void triangles_fail_on_some_cfi_pairs(void **state) {
    (void)state;
    uint32_t count, hard = 0;
    pairs_pair *pairs = make_pairs("cfi", &count);
    for (uint32_t k = 0; k < count; ++k)
        if (pairs[k].of[0].n == 16 && strcmp(pairs[k].name, "over 4 nodes with 6 edges") == 0) {
            assert_false(pairs_differ_in_pairs(&pairs[k].of[0], &pairs[k].of[1]));
            assert_true(pairs_differ_in_triples(&pairs[k].of[0], &pairs[k].of[1]));
            ++hard;
        }
    assert_int_equal(hard, 1);
    free(pairs);
}

static void wrong_usage_is_told(void **state) {
    (void)state;
    tool_expect("$Q pairs --only nothing", 2, "there is no category nothing");
    tool_expect("$Q pairs --form nothing", 2, "there is no form of edge attention nothing");
    tool_expect("$Q pairs --only 4-vertex --form none", 0, "| 4-vertex | 20 | 0 | 0 | - |");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pairs_are_alike_and_not_isomorphic),
        cmocka_unit_test(renamed_graphs_are_the_same),
        cmocka_unit_test(refinement_sees_what_it_should),
        cmocka_unit_test(strongly_regular_graphs_are),
        cmocka_unit_test(distance_regular_graphs_are),
        cmocka_unit_test(triangles_fail_on_some_cfi_pairs),
        cmocka_unit_test(forms_tell_apart_what_they_should),
        cmocka_unit_test(wrong_usage_is_told),
    };
    return cmocka_run_group_tests(tests, tool_make_test_folder, tool_remove_test_folder);
}
