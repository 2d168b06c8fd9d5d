/* tool_encode_test.c: `quartic encode`: what it adds to a file of graphs, and what it refuses. */
#include "expect.h"

#include "quartic/data.h"
#include "quartic/io.h"
#include "tool/encodings.h"
#include "tool_run.h"

enum { GRAPHS = 3, N = 5, TYPES = 3, TOKENS = 4, WALKS = 4, VECTORS = 2, STEPS = 3 };

static int32_t tokens[GRAPHS * N], types[GRAPHS * N * N], targets[GRAPHS * N * N];
static uint8_t mask[GRAPHS * N];

static const char *in_folder(const char *name) {
    static char path[700];
    snprintf(path, sizeof path, "%s/%s", tool_folder, name);
    return path;
}

static void write_graphs(const char *name, bool with_types) {
    for (uint32_t k = 0; k < GRAPHS * N; ++k) {
        tokens[k] = (int32_t)(k * 7 % TOKENS);
        mask[k] = !(k / N == 1 && k % N == N - 1);
    }
    for (uint32_t k = 0; k < GRAPHS * N * N; ++k) {
        types[k] = (int32_t)(k * k % 11 % (TYPES + 1)) - 1;
        targets[k] = (int32_t)(k % 2);
    }
    types[3] = TYPES - 1;
    quartic_safetensors_tensor all[4] = {
        {"tokens", QUARTIC_SAFETENSORS_I32, {.rank = 2, .dims = {GRAPHS, N}}, tokens, 0},
        {"mask", QUARTIC_SAFETENSORS_U8, {.rank = 2, .dims = {GRAPHS, N}}, mask, 0},
        {"targets", QUARTIC_SAFETENSORS_I32, {.rank = 3, .dims = {GRAPHS, N, N}}, targets, 0},
        {"edge_types", QUARTIC_SAFETENSORS_I32, {.rank = 3, .dims = {GRAPHS, N, N}}, types, 0}};
    assert_ok(quartic_safetensors_save(in_folder(name), all, with_types ? 4 : 3, NULL, 0));
}

/* All graphs of a file; the data set owns them. */
static quartic_dataset *read_graphs(const char *name, quartic_model_batch *out_batch) {
    quartic_dataset *dataset;
    const uint32_t order[GRAPHS] = {0, 1, 2};
    assert_ok(quartic_dataset_open(in_folder(name), &dataset));
    assert_ok(quartic_dataset_gather(dataset, order, GRAPHS, out_batch));
    return dataset;
}

static void features_stand_in_the_place_of_tokens(void **state) {
    (void)state;
    enum { ROWS = 2 * N * (TYPES - 1) + N, ALL = TOKENS + ROWS + WALKS + VECTORS };
    quartic_model_batch in;
    write_graphs("graphs.safetensors", true);
    tool_expect("$Q encode graphs.safetensors out.safetensors --rows --walks 4 --laplacian 2", 0,
                "out.safetensors: 3 graphs, 35 features a node in the place of tokens");
    quartic_dataset *dataset = read_graphs("out.safetensors", &in);
    const quartic_dataset_info *info = quartic_dataset_get_info(dataset);
    assert_int_equal(info->dim_node_features, ALL);
    assert_int_equal(info->num_tokens, 0);
    assert_int_equal(info->num_edge_types, TYPES);
    assert_int_equal(info->readout, QUARTIC_READOUT_EDGE);
    assert_memory_equal(in.mask, mask, sizeof mask);
    for (uint32_t g = 0; g < GRAPHS; ++g) {
        float want[N * ALL] = {0};
        const uint32_t counts[NODE_ENCODINGS] = {0, WALKS, VECTORS};
        uint32_t at = TOKENS;
        for (uint32_t i = 0; i < N; ++i) want[i * ALL + (uint32_t)tokens[g * N + i]] = mask[g * N + i];
        for (uint32_t kind = 0; kind < NODE_ENCODINGS; ++kind) {
            encoding_write((node_encoding)kind, types + g * N * N, mask + g * N, N, TYPES, counts[kind], ALL,
                           want + at);
            at += encoding_width((node_encoding)kind, N, TYPES, counts[kind]);
        }
        assert_int_equal(at, ALL);
        for (uint32_t k = 0; k < N * ALL; ++k)
            if (mask[g * N + k / ALL]) assert_true(in.node_features[g * N * ALL + k] == want[k]);
        for (uint32_t k = 0; k < N * N; ++k)
            if (mask[g * N + k / N] && mask[g * N + k % N])
                assert_int_equal(in.targets[g * N * N + k], targets[g * N * N + k]);
    }
    quartic_dataset_close(dataset);
}

static void distances_stay_beside_tokens(void **state) {
    (void)state;
    quartic_model_batch in;
    write_graphs("graphs.safetensors", true);
    tool_expect("$Q encode graphs.safetensors far.safetensors --distances 3", 0,
                "far.safetensors: 3 graphs\n");
    quartic_dataset *dataset = read_graphs("far.safetensors", &in);
    for (uint32_t g = 0; g < GRAPHS; ++g) {
        int32_t want[N * N];
        encoding_distances(types + g * N * N, mask + g * N, N, STEPS, want);
        for (uint32_t k = 0; k < N * N; ++k)
            if (mask[g * N + k / N] && mask[g * N + k % N])
                assert_int_equal(in.edge_types[g * N * N + k], want[k]);
        for (uint32_t i = 0; i < N; ++i)
            if (mask[g * N + i]) assert_int_equal(in.tokens[g * N + i], tokens[g * N + i]);
    }
    quartic_dataset_close(dataset);
}

/* A model trains on what comes out, and a second file gets the same width by --tokens and --types. */
static void encoded_graphs_can_be_learnt(void **state) {
    (void)state;
    write_graphs("graphs.safetensors", true);
    tool_expect("$Q encode graphs.safetensors wide.safetensors --rows --tokens 6 --types 5", 0,
                "wide.safetensors: 3 graphs, 51 features");
    tool_expect(
        "echo '{\"model\": \"quartic\", \"dim\": 8, \"depth\": 1, \"heads\": 1, \"dim_head\": 8, "
        "\"num_residual_streams\": 1, \"positions\": false, \"static_edges\": true}' > c.json; $Q train "
        "wide.safetensors --config c.json --out run --steps 2 --batch 2 --device cpu > log && $Q eval run "
        "wide.safetensors --device cpu",
        0, "");
}

static void what_cannot_be_encoded_is_refused(void **state) {
    (void)state;
    write_graphs("graphs.safetensors", true);
    write_graphs("bare.safetensors", false);
    tool_expect("$Q encode graphs.safetensors out.safetensors", 2, "say what to add");
    tool_expect("$Q encode graphs.safetensors out --rows", 2, "does not end in .safetensors");
    tool_expect("$Q encode bare.safetensors out.safetensors --rows", 1, "has no edge types to encode");
    tool_expect("$Q encode graphs.safetensors out.safetensors --rows --types 2", 1,
                "more than --tokens or --types");
    tool_expect("$Q encode graphs.safetensors out.safetensors --rows --types 60000", 1,
                "more than the 65536");
    tool_expect("$Q encode none.safetensors out.safetensors --rows", 1, "none.safetensors");
    tool_expect("$Q encode graphs.safetensors nowhere/out.safetensors --rows", 1, "nowhere/out.safetensors");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(features_stand_in_the_place_of_tokens),
        cmocka_unit_test(distances_stay_beside_tokens),
        cmocka_unit_test(encoded_graphs_can_be_learnt),
        cmocka_unit_test(what_cannot_be_encoded_is_refused),
    };
    return cmocka_run_group_tests(tests, tool_make_test_folder, tool_remove_test_folder);
}
