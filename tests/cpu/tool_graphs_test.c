/* tool_graphs_test.c: `quartic train` and `eval` on graphs from the outside. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tool_run.h"

#include "quartic/io.h"

enum { GRAPHS = 30, NODES = 5 };

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
    return quartic_safetensors_save(path, tensors, 1, NULL, 0) == QUARTIC_OK ? 0 : -1;
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

static void bad_input_is_a_sentence(void **state) {
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
        1, "num_edge_types of the model's configuration is 2, but graphs.safetensors goes up to number 2");
    tool_expect(TRAIN "--config graphs.json --out long --length 9 --steps 1", 1,
                "graphs (accumulation, batch) of 9");
    tool_expect("$Q sample run --prompt x --device cpu", 1, "this model takes graphs");
    tool_expect("$Q eval run $S/data/tales.txt --device cpu", 1, "this model takes graphs");
    tool_expect("$Q bench run --device cpu", 1, "this model takes graphs");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(graphs_are_learnt_and_measured),
        cmocka_unit_test(a_resumed_run_repeats_the_unbroken_one),
        cmocka_unit_test(bad_input_is_a_sentence),
    };
    return cmocka_run_group_tests(tests, write_graphs, tool_remove_test_folder);
}
