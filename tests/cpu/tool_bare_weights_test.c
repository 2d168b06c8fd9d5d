/* tool_bare_weights_test.c: weights that come without a configuration, as other programs write them, through
 * every command that takes a model: --config says what they are of, and they give what the whole file gives.
 */
#include "expect.h"

#include "quartic/io.h"
#include "tool_run.h"

enum { MOST_TENSORS = 200, GRAPHS = 20, NODES = 4, PATH_BYTES = 1024 };

/* Writes the model's tensors of a run as a file without metadata. */
static int write_bare(const char *run, const char *name) {
    char path[PATH_BYTES];
    quartic_safetensors *file;
    quartic_safetensors_tensor tensors[MOST_TENSORS];
    uint32_t count = 0;
    snprintf(path, sizeof path, "%s/%s/checkpoint.safetensors", tool_folder, run);
    if (quartic_safetensors_open(path, &file) != QUARTIC_OK) return -1;
    for (uint32_t k = 0; k < quartic_safetensors_count(file) && count < MOST_TENSORS; ++k)
        if (strncmp(quartic_safetensors_at(file, k)->name, "adamw.", 6) != 0)
            tensors[count++] = *quartic_safetensors_at(file, k);
    snprintf(path, sizeof path, "%s/%s", tool_folder, name);
    const quartic_status status = quartic_safetensors_save(path, tensors, count, NULL, 0);
    quartic_safetensors_close(file);
    return status == QUARTIC_OK ? 0 : -1;
}

static int tool_bare_weights_write_graphs(void) {
    static int32_t tokens[GRAPHS * NODES];
    char path[PATH_BYTES];
    for (int i = 0; i < GRAPHS * NODES; ++i) tokens[i] = i * i % 7 % 3;
    const quartic_safetensors_tensor tensors[] = {
        {"tokens", QUARTIC_SAFETENSORS_I32, QUARTIC_SHAPE(GRAPHS, NODES), tokens, 0},
        {"targets", QUARTIC_SAFETENSORS_I32, QUARTIC_SHAPE(GRAPHS, NODES), tokens, 0}};
    snprintf(path, sizeof path, "%s/graphs.safetensors", tool_folder);
    return quartic_safetensors_save(path, tensors, 2, NULL, 0) == QUARTIC_OK ? 0 : -1;
}

static int make_models(void **state) {
    if (tool_make_test_folder(state) != 0 || tool_bare_weights_write_graphs() != 0) return -1;
    const int code =
        tool_run(
            "echo '{\"dim\": 8, \"depth\": 1, \"dim_edges\": 4, \"heads\": 2, \"dim_head\": 4, "
            "\"linear_heads\": 1, \"linear_dim_head\": 3, \"max_seq_len\": 32, \"num_residual_streams\": 1}' "
            "> tiny.json; head -c 300 $S/data/tales.txt > text; "
            "echo '{\"model\": \"relational\", \"dim\": 16, \"depth\": 1, \"dim_edges\": 4, \"heads\": 2, "
            "\"dim_head\": 8, \"positions\": false}' > graphs.json; "
            "$Q train text --config tiny.json --out run --steps 20 --length 32 --device cpu && "
            "$Q train graphs.safetensors --config graphs.json --out graphs --steps 40 --learning-rate 0.02 "
            "--device cpu")
            ->code;
    return code == 0 && write_bare("run", "bare.safetensors") == 0 &&
                   write_bare("graphs", "bare_graphs.safetensors") == 0
               ? 0
               : -1;
}

static void without_a_configuration_the_way_is_told(void **state) {
    (void)state;
    tool_expect("$Q sample bare.safetensors --device cpu", 1, "so its model is unknown");
    static const char *const commands[] = {"sample bare.safetensors", "eval bare.safetensors text",
                                           "bench bare.safetensors"};
    for (size_t k = 0; k < 3; ++k) {
        char command[128];
        snprintf(command, sizeof command, "$Q %s --device cpu", commands[k]);
        tool_expect(command, 1, "Hint: --config FILE.json tells what model the weights are of.");
    }
    tool_expect("$Q inspect bare.safetensors", 0, "not shown as a model: ");
}

static void with_one_they_are_the_model(void **state) {
    (void)state;
    tool_expect(
        "$Q sample run --device cpu --tokens 40 > 1; "
        "$Q sample bare.safetensors --config tiny.json --device cpu --tokens 40 | cmp - 1 && echo same",
        0, "same");
    tool_expect(
        "$Q eval run text --device cpu | cut -d ';' -f 1,2 > 1; $Q eval bare.safetensors text --config "
        "tiny.json --device cpu | cut -d ';' -f 1,2 | cmp - 1 && echo same",
        0, "same");
    tool_expect("$Q bench bare.safetensors --config tiny.json --device cpu --repeat 1", 0,
                "batch 1, length 32, on");
    tool_expect("$Q inspect bare.safetensors --config tiny.json", 0, "batch 1, length 32:\n  forward");
    tool_expect("$Q inspect bare.safetensors --config tiny.json", 0, "\"causal\": true");
    tool_expect("cat tiny.json | $Q inspect bare.safetensors --config /dev/stdin", 0, "\"causal\": true");
}

static void weights_of_graphs_take_the_rest_from_the_data(void **state) {
    (void)state;
    tool_expect("$Q eval graphs graphs.safetensors --device cpu | cut -d ';' -f 1,2 > 1; cat 1; "
                "$Q eval bare_graphs.safetensors graphs.safetensors --config graphs.json --device cpu | "
                "cut -d ';' -f 1,2 | cmp - 1 && echo same",
                0, "100.00 % right; 20 graphs of 4 nodes, 80 targets: 3 classes of nodes\nsame");
    tool_expect(
        "sed 's/{/{\"num_tokens\": 3, \"num_classes\": 3, \"readout\": \"node\", /' graphs.json > full.json; "
        "$Q bench bare_graphs.safetensors --config full.json --length 4 --device cpu --repeat 1",
        0, "batch 1, length 4, on cpu");
    /* Out of a pipe, which gives its text once. */
    tool_expect("cat full.json | $Q inspect bare_graphs.safetensors --config /dev/stdin", 0,
                "\"causal\": false");
    tool_expect(
        "cat graphs.json | $Q eval bare_graphs.safetensors graphs.safetensors --config /dev/stdin --device "
        "cpu",
        0, "100.00 % right");
}

static void a_wrong_configuration_is_a_message(void **state) {
    (void)state;
    tool_expect("sed 's/\"dim\": 8/\"dim\": 16/' tiny.json > wide.json; "
                "$Q sample bare.safetensors --config wide.json --device cpu",
                1, "the model needs (");
    tool_expect("$Q sample bare.safetensors --config missing.json --device cpu", 1, "missing.json");
    tool_expect("$Q eval bare_graphs.safetensors graphs.safetensors --config missing.json --device cpu", 1,
                "missing.json");
    tool_expect("$Q inspect bare.safetensors --config wide.json", 1, "the model needs (");
    /* A file that has a configuration is not made another model. */
    tool_expect("$Q eval run text --config tiny.json --device cpu", 0, "loss ");
    tool_expect("$Q eval graphs graphs.safetensors --config graphs.json --device cpu", 0, "100.00 % right");
    tool_expect(
        "sed 's/{/{\"causal\": false, /' tiny.json > other.json; "
        "$Q eval run text --config other.json --device cpu",
        1,
        "other.json says that \"causal\" is false, but run/checkpoint.safetensors was made with true\n"
        "Hint: leave --config out");
    tool_expect("$Q bench tiny.json --config tiny.json --device cpu", 2,
                "--config goes with a file of weights");
    tool_expect("$Q bench --config tiny.json --device cpu", 2, "`quartic bench FILE.json`");
    tool_expect("$Q inspect tiny.json --config tiny.json", 2, "--config goes with a file of weights");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_configuration_the_way_is_told),
        cmocka_unit_test(with_one_they_are_the_model),
        cmocka_unit_test(weights_of_graphs_take_the_rest_from_the_data),
        cmocka_unit_test(a_wrong_configuration_is_a_message),
    };
    return cmocka_run_group_tests(tests, make_models, tool_remove_test_folder);
}
