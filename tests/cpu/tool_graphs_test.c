/* tool_graphs_test.c: `quartic train` and `eval` on graphs from the outside. */
#include "expect.h"

#include "tool_run.h"

#include "quartic/io.h"

enum { GRAPHS = 30, NODES = 5, PATH_BYTES = 1024 };

#define CONFIG                                                                                               \
    "echo '{\"model\": \"relational\", \"dim\": 16, \"depth\": 1, \"dim_edges\": 4, \"heads\": 2, "          \
    "\"dim_head\": 8, \"positions\": false}' > graphs.json; "
#define TRAIN "$Q train graphs.safetensors --device cpu --batch 10 "

/* Graphs with the class of each node in its token, so that a few steps learn it. */
static int write_graphs(void **state) {
    static int32_t tokens[GRAPHS * NODES], types[GRAPHS * NODES * NODES];
    static uint8_t mask[GRAPHS * NODES];
    char path[TEST_PATH_BYTES];
    if (tool_make_test_folder(state) != 0) return -1;
    for (int i = 0; i < GRAPHS * NODES; ++i) {
        tokens[i] = i * i % 7 % 3;
        mask[i] = i % NODES < 3 + i / NODES % 3;
        for (int j = 0; j < NODES; ++j) types[i * NODES + j] = (i + j) % 4 - 1;
    }
    const quartic_safetensors_tensor tensors[] = {
        {"tokens", QUARTIC_SAFETENSORS_I32, QUARTIC_SHAPE(GRAPHS, NODES), tokens, 0},
        {"targets", QUARTIC_SAFETENSORS_I32, QUARTIC_SHAPE(GRAPHS, NODES), tokens, 0},
        {"mask", QUARTIC_SAFETENSORS_U8, QUARTIC_SHAPE(GRAPHS, NODES), mask, 0},
        {"edge_types", QUARTIC_SAFETENSORS_I32, QUARTIC_SHAPE(GRAPHS, NODES, NODES), types, 0}};
    snprintf(path, sizeof path, "%s/graphs.safetensors", tool_folder);
    if (quartic_safetensors_save(path, tensors, 4, NULL, 0) != QUARTIC_OK) return -1;
    snprintf(path, sizeof path, "%s/bare.safetensors", tool_folder);
    if (quartic_safetensors_save(path, tensors, 1, NULL, 0) != QUARTIC_OK) return -1;
    /* Classes of graphs and of edges, features of both, no mask. */
    static float features[GRAPHS * NODES * NODES * 2];
    static int32_t labels[GRAPHS];
    labels[7] = 4;
    const quartic_safetensors_tensor of_graphs[] = {
        {"node_features", QUARTIC_SAFETENSORS_F32, QUARTIC_SHAPE(GRAPHS, NODES, 3), features, 0},
        {"edge_features", QUARTIC_SAFETENSORS_F32, QUARTIC_SHAPE(GRAPHS, NODES, NODES, 2), features, 0},
        {"targets", QUARTIC_SAFETENSORS_I32, QUARTIC_SHAPE(GRAPHS), labels, 0}};
    snprintf(path, sizeof path, "%s/whole.safetensors", tool_folder);
    if (quartic_safetensors_save(path, of_graphs, 3, NULL, 0) != QUARTIC_OK) return -1;
    const quartic_safetensors_tensor of_edges[] = {
        tensors[0], {"targets", QUARTIC_SAFETENSORS_I32, QUARTIC_SHAPE(GRAPHS, NODES, NODES), types, 0}};
    snprintf(path, sizeof path, "%s/pairs.safetensors", tool_folder);
    return quartic_safetensors_save(path, of_edges, 2, NULL, 0) == QUARTIC_OK ? 0 : -1;
}

static void graphs_are_learnt_and_measured(void **state) {
    (void)state;
    tool_expect(
        CONFIG TRAIN "--config graphs.json --out run --steps 40 --learning-rate 0.02", 0,
        "30 graphs of up to 5 nodes, 120 targets: 3 classes of nodes\nsteps 1 to 40 of 1 x 10 x 5 nodes");
    tool_expect("$Q eval run graphs.safetensors --device cpu", 0, "100.00 % right; 30 graphs");
    tool_expect("$Q eval run graphs.safetensors --device cpu --batch 7 --json", 0, "\"predictions\": 120");
    tool_expect("$Q inspect run", 0, "parameters");
}

static void a_resumed_run_repeats_the_unbroken_one(void **state) {
    (void)state;
    tool_expect(CONFIG TRAIN "--config graphs.json --out whole --steps 6 --constant-rate", 0,
                "finished at step 6");
    tool_expect(TRAIN "--config graphs.json --out parts --steps 4 --constant-rate", 0, "finished at step 4");
    tool_expect(TRAIN "--out parts --resume --steps 6", 0, "finished at step 6");
    tool_expect("cut -d, -f1-4 whole/metrics.csv > 1; cut -d, -f1-4 parts/metrics.csv | cmp - 1 && echo same",
                0, "same");
    tool_expect("$Q train $S/data/tales.txt --out parts --resume --steps 8 --device cpu", 1,
                "this model takes graphs and does not predict the tokens of a text");
}

static void bad_input_is_a_message(void **state) {
    (void)state;
    tool_expect(CONFIG "$Q train bare.safetensors --config graphs.json --out bare --steps 1 --device cpu", 1,
                "these graphs have no targets to learn");
    tool_expect("$Q train missing.safetensors --config graphs.json --out none", 1, "missing.safetensors");
    tool_expect("ls none", 2, "none");
    tool_expect("cp run/checkpoint.safetensors weights.safetensors; "
                "$Q train weights.safetensors --config graphs.json --out none",
                1, "a dataset holds tokens or node_features");
    tool_expect(
        "echo '{\"dim\": 8, \"depth\": 1, \"num_edge_types\": 2}' > few.json; " TRAIN
        "--config few.json --out few",
        1, "edge_types of graphs.safetensors: 2 at (0, 1, 2) is beyond num_edge_types = 2 of the model's");
    tool_expect("$Q sample run --prompt x --device cpu", 1, "this model takes graphs");
    tool_expect("$Q eval run $S/data/tales.txt --device cpu", 1, "this model takes graphs");
}

static void numbers_beyond_the_configuration_are_told_with_their_place(void **state) {
    (void)state;
    static const char *const cases[][3] = {
        {"graphs", "num_tokens", "tokens of graphs.safetensors: 2 at (2, 0) is beyond num_tokens = 2"},
        {"graphs", "num_classes", "targets of graphs.safetensors: 2 at (2, 0) is beyond num_classes = 2"},
        {"whole", "num_classes", "targets of whole.safetensors: 4 at (7) is beyond num_classes = 2"},
        {"pairs", "num_classes", "targets of pairs.safetensors: 2 at (0, 0, 3) is beyond num_classes = 2"},
    };
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; ++k) {
        char command[512];
        snprintf(
            command, sizeof command,
            "echo '{\"dim\": 8, \"depth\": 1, \"%s\": 2}' > few.json; $Q train %s.safetensors --device cpu "
            "--config few.json --out few%zu",
            cases[k][1], cases[k][0], k);
        tool_expect(command, 1, cases[k][2]);
    }
}

static void a_length_that_does_not_fit_is_refused_first(void **state) {
    (void)state;
    tool_expect(CONFIG TRAIN "--config graphs.json --out long --length 9 --steps 1", 1,
                "--length is 9, but the graphs have only 5 nodes (padding included)\n"
                "Hint: leave --length out, or say --length 5: it follows from the graphs.");
    tool_expect(TRAIN "--config graphs.json --out long --length 3 --steps 1", 1,
                "the graphs have 5 nodes (padding included), which do not fit --length 3");
    tool_expect("echo '{\"dim\": 8, \"depth\": 1, \"max_seq_len\": 4}' > short.json; " TRAIN
                "--config short.json --out long --steps 1",
                1, "the graphs of graphs.safetensors have 5 nodes, the model takes at most max_seq_len = 4");
    tool_expect("test -e long || echo nothing", 0, "nothing");
    tool_expect(TRAIN "--config graphs.json --out long --length 5 --steps 1", 0, "finished at step 1");
    tool_expect("$Q eval run graphs.safetensors --device cpu --length 3", 1, "which do not fit --length 3");
    tool_expect("$Q eval run graphs.safetensors --device cpu --length 5", 0, "30 graphs");
}

static void bench_and_inspect_take_a_run_of_graphs_with_its_length(void **state) {
    (void)state;
    tool_expect("$Q bench run --device cpu --repeat 1", 0, "batch 1, length 5, masked, on cpu");
    tool_expect("$Q bench run --device cpu --repeat 1 --length 7 --batch 2 --forward-only", 0,
                "batch 2, length 7, masked, on cpu");
    tool_expect("$Q inspect run", 0, "batch 1, length 5, masked:\n  forward");
    tool_expect("$Q inspect run --length 7", 0, "batch 1, length 7, masked:\n");
    tool_expect(CONFIG "$Q train whole.safetensors --device cpu --config graphs.json --out plain --steps 1",
                0, "finished at step 1");
    tool_expect("$Q bench plain --device cpu --repeat 1", 0, "batch 1, length 5, on cpu");
    tool_expect("$Q train pairs.safetensors --device cpu --config graphs.json --out edges --steps 1", 0,
                "finished at step 1");
    tool_expect("$Q bench edges/checkpoint.safetensors --device cpu --repeat 1", 0,
                "batch 1, length 5, on cpu");
}

/* A program must begin with the sanitizer of the library that it is linked with. */
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED "-fsanitize=address,undefined "
#elif defined(__SANITIZE_THREAD__)
#define SANITIZED "-fsanitize=thread "
#else
#define SANITIZED ""
#endif

/* The blocks of docs/data.md that write the same graph: both files hold the same, and the tool reads them. */
static void documented_writers_write_the_same_graph(void **state) {
    (void)state;
    tool_expect("mkdir py c && awk '/^```python/ {n++; on = n == 2; next} /^```/ {on = 0} on' "
                "$S/docs/data.md > py/write.py "
                "&& (cd py && python3 write.py) && awk '/^```c$/ {on = 1; next} /^```/ {on = 0} on' "
                "$S/docs/data.md > "
                "c/write.c && libraries=$(dirname $(readlink -f $Q)) && cc -std=c17 " SANITIZED
                "-I $S/include -I "
                "$libraries/include c/write.c -o c/write -L $libraries -lquartic && (cd c && "
                "LD_LIBRARY_PATH=$libraries ./write) && for k in py c; do $Q encode $k/graphs.safetensors "
                "$k.safetensors "
                "--distances 3; done; cmp py.safetensors c.safetensors && echo same",
                0, "same");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(documented_writers_write_the_same_graph),
        cmocka_unit_test(graphs_are_learnt_and_measured),
        cmocka_unit_test(a_resumed_run_repeats_the_unbroken_one),
        cmocka_unit_test(bad_input_is_a_message),
        cmocka_unit_test(numbers_beyond_the_configuration_are_told_with_their_place),
        cmocka_unit_test(a_length_that_does_not_fit_is_refused_first),
        cmocka_unit_test(bench_and_inspect_take_a_run_of_graphs_with_its_length),
    };
    return cmocka_run_group_tests(tests, write_graphs, tool_remove_test_folder);
}
