/* split_sums_test.c: split sums that the last group of a tile finishes have the bits of those that a second dispatch
 * adds up, in products and in trainings of all families, with fewer dispatches; and their counters are 0 at every run,
 * whatever lies in a workspace that the program shares. QUARTIC_DISABLE=memory_model leaves the second dispatch. */
#include "vulkan/vulkan_test.h"

#include "base/rng.h"
#include "train/trainer.h"

enum { BATCH = 2, NODES = 24, VOCABULARY = 7, DEPTH = 3000, ROWS = 40, COLUMNS = 52 };

static int32_t tokens[BATCH * NODES], targets[BATCH * NODES];

static int split_sums_begin(void **state) {
    for (uint32_t i = 0; i < BATCH * NODES; ++i) {
        tokens[i] = (int32_t)(quartic_random_bits(3, 0, i) % VOCABULARY);
        targets[i] = (int32_t)(quartic_random_bits(3, 1, i) % VOCABULARY);
    }
    return vulkan_test_begin(state);
}

/* A device that switches these features off. */
static quartic_device *split_sums_device(const char *disabled) {
    setenv("QUARTIC_DISABLE", disabled, 1);
    quartic_device *device = vulkan_test_device();
    setenv("QUARTIC_DISABLE", "cache", 1);
    return device;
}

/* ---- trainings ---- */

typedef struct trained {
    quartic_step_report reports[2];
    uint32_t dispatches;
    float *weights;
    uint64_t bytes;
} trained;

static trained split_sums_train(const char *json, const char *disabled) {
    trained result = {.weights = NULL};
    quartic_device *device = split_sums_device(disabled);
    quartic_model_config config = QUARTIC_MODEL_CONFIG_INIT;
    config.num_tokens = VOCABULARY, config.dim = 8, config.depth = 2, config.dim_edges = 6, config.heads = 2;
    config.dim_head = 4, config.linear_heads = 1, config.linear_dim_head = 3, config.ff_mult = 2;
    config.max_seq_len = NODES, config.edge_heads = 1, config.edge_dim_head = 4;
    assert_ok(quartic_model_config_read_json(&config, json));
    quartic_model *model;
    assert_ok(quartic_model_create(device, &config, &model));
    assert_ok(quartic_model_initialise(model, 7));
    quartic_trainer_config training = QUARTIC_TRAINER_CONFIG_INIT;
    training.batch = BATCH, training.length = NODES, training.learning_rate = 0.01f;
    training.accumulation = 2; /* gradients are added up too */
    quartic_trainer *trainer;
    assert_ok(quartic_trainer_create(model, &training, &trainer));
    int32_t all_tokens[2 * BATCH * NODES], all_targets[2 * BATCH * NODES];
    for (uint32_t i = 0; i < 2 * BATCH * NODES; ++i) {
        all_tokens[i] = tokens[i % (BATCH * NODES)];
        all_targets[i] = targets[(i + 5) % (BATCH * NODES)];
    }
    quartic_model_batch in = QUARTIC_MODEL_BATCH_INIT;
    in.batch = 2 * BATCH, in.length = NODES, in.tokens = all_tokens, in.targets = all_targets;
    for (int step = 0; step < 2; ++step)
        assert_ok(quartic_trainer_step_batch(trainer, &in, &result.reports[step]));
    result.dispatches = quartic_program_replay_info(trainer->micro).dispatches +
                        quartic_program_replay_info(trainer->apply).dispatches;
    quartic_tensor *weights = quartic_model_weights(model);
    result.bytes = quartic_tensor_device_bytes(weights);
    result.weights = quartic_alloc(result.bytes, 1);
    assert_ok(quartic_tensor_read(weights, result.weights, result.bytes));
    quartic_trainer_destroy(trainer);
    quartic_model_destroy(model);
    quartic_device_destroy(device);
    return result;
}

/* Returns the dispatches that were saved: one for each split product, but for the one that zeroes the counters. */
static uint32_t split_sums_compare(const char *json, const char *with, const char *without) {
    trained one = split_sums_train(json, with), two = split_sums_train(json, without);
    print_message("%s: %u dispatches, %u by the last groups\n", json, two.dispatches, one.dispatches);
    assert_true(one.dispatches <= two.dispatches);
    assert_int_equal(one.bytes, two.bytes);
    for (int step = 0; step < 2; ++step) {
        assert_memory_equal(&one.reports[step].loss, &two.reports[step].loss, sizeof(float));
        assert_memory_equal(&one.reports[step].gradient_norm, &two.reports[step].gradient_norm,
                            sizeof one.reports[step].gradient_norm);
    }
    assert_memory_equal(one.weights, two.weights, one.bytes);
    quartic_free(one.weights);
    quartic_free(two.weights);
    return two.dispatches - one.dispatches;
}

static void trainings_have_the_same_bits(void **state) {
    (void)state;
    static const char *const families[] = {
        "{\"model\": \"quartic\", \"edge_attention\": \"axial\", \"dropout\": 0.1}",
        "{\"model\": \"quartic\", \"edge_attention\": \"taylor\", \"causal\": true}",
        "{\"model\": \"quartic\", \"edge_attention\": \"triangle-multiply\"}",
        "{\"model\": \"relational\", \"causal\": true}",
        "{\"model\": \"multi-stream\", \"num_residual_streams\": 2}",
    };
    uint32_t saved = 0;
    for (size_t f = 0; f < sizeof families / sizeof families[0]; ++f)
        saved += split_sums_compare(families[f], "cache", "cache,memory_model");
    assert_true(saved >= 3);
    /* The tiles of GPUs instead of those for a CPU. */
    saved = split_sums_compare("{\"model\": \"quartic\"}", "cache,shuffle", "cache,shuffle,memory_model");
    assert_true(saved >= 3);
}

/* ---- programs ---- */

/* y = alpha * a^T b + bias + addend with a long contraction, once more with a batch. */
static quartic_graph *split_sums_graph(void) {
    quartic_graph *graph;
    assert_ok(quartic_graph_create(&graph));
    const quartic_value a = quartic_graph_input(graph, "a", QUARTIC_FLOAT32, &QUARTIC_SHAPE(DEPTH, ROWS)),
                        b = quartic_graph_input(graph, "b", QUARTIC_FLOAT32, &QUARTIC_SHAPE(DEPTH, COLUMNS));
    quartic_matmul_options options = QUARTIC_MATMUL_OPTIONS_INIT;
    options.transpose_a = 1;
    options.alpha = -0.5f;
    const quartic_value inner = quartic_exp(graph, quartic_scale(graph, a, 0.1f, 0.0f));
    options.bias = quartic_graph_input(graph, "bias", QUARTIC_FLOAT32, &QUARTIC_SHAPE(COLUMNS));
    options.addend = quartic_graph_input(graph, "addend", QUARTIC_FLOAT32, &QUARTIC_SHAPE(ROWS, COLUMNS));
    const quartic_value y = quartic_matmul(graph, inner, b, &options);
    options.addend = y;
    quartic_graph_output(graph, "y", quartic_matmul(graph, a, b, &options));
    const quartic_shape parts = QUARTIC_SHAPE(2, DEPTH / 2, ROWS),
                        others = QUARTIC_SHAPE(2, DEPTH / 2, COLUMNS);
    quartic_matmul_options batch = QUARTIC_MATMUL_OPTIONS_INIT;
    batch.transpose_a = 1;
    quartic_graph_output(
        graph, "z",
        quartic_matmul(graph, quartic_reshape(graph, a, &parts), quartic_reshape(graph, b, &others), &batch));
    assert_ok(quartic_graph_status(graph));
    return graph;
}

enum { Y = ROWS * COLUMNS, Z = 2 * ROWS * COLUMNS };

typedef struct results {
    float numbers[Y + Z];
} results;

static void write_random(quartic_program *program, const char *name, uint32_t count, uint32_t stream) {
    float *numbers = quartic_alloc(count, sizeof *numbers);
    for (uint32_t i = 0; i < count; ++i) numbers[i] = quartic_random_normal(5, stream, i);
    assert_ok(quartic_tensor_write(quartic_program_tensor(program, name), numbers, count * sizeof *numbers));
    quartic_free(numbers);
}

static quartic_program *split_sums_program(quartic_device *device, quartic_tensor *workspace) {
    quartic_graph *graph = split_sums_graph();
    quartic_program_config config = QUARTIC_PROGRAM_CONFIG_INIT;
    config.workspace = workspace;
    quartic_program *program;
    assert_ok(quartic_program_create(device, graph, &config, &program));
    quartic_graph_destroy(graph);
    write_random(program, "a", DEPTH * ROWS, 0);
    write_random(program, "b", DEPTH * COLUMNS, 1);
    write_random(program, "bias", COLUMNS, 2);
    write_random(program, "addend", ROWS * COLUMNS, 3);
    return program;
}

static void split_sums_run(quartic_program *program, results *out) {
    assert_ok(quartic_program_run(program));
    assert_ok(quartic_tensor_read(quartic_program_tensor(program, "y"), out->numbers, Y * sizeof(float)));
    assert_ok(quartic_tensor_read(quartic_program_tensor(program, "z"), out->numbers + Y, Z * sizeof(float)));
}

/* Two programs in one workspace that holds anything, in turn. */
static void check_counters(const char *with, const char *without) {
    results *want = quartic_alloc(1, sizeof *want), *got = quartic_alloc(1, sizeof *got);
    quartic_device *device = split_sums_device(without);
    quartic_program *program = split_sums_program(device, NULL);
    const uint32_t dispatches = quartic_program_replay_info(program).dispatches;
    split_sums_run(program, want);
    quartic_program_destroy(program);
    quartic_device_destroy(device);

    device = split_sums_device(with);
    quartic_graph *graph = split_sums_graph();
    quartic_program_memory memory;
    assert_ok(quartic_program_measure(device, graph, NULL, &memory));
    quartic_graph_destroy(graph);
    const uint32_t words = (uint32_t)(memory.workspace_bytes / sizeof(float));
    quartic_tensor *workspace;
    assert_ok(quartic_tensor_create(device, QUARTIC_FLOAT32, &QUARTIC_SHAPE(words), &workspace));
    float *anything = quartic_alloc(words, sizeof *anything);
    quartic_program *programs[] = {split_sums_program(device, workspace),
                                   split_sums_program(device, workspace)};
    assert_true(quartic_program_replay_info(programs[0]).dispatches < dispatches);
    for (int run = 0; run < 4; ++run) {
        for (uint32_t w = 0; w < words; ++w) anything[w] = run == 0 ? 0.0f : (float)(run + (int)w);
        if (run < 3) assert_ok(quartic_tensor_write(workspace, anything, words * sizeof *anything));
        split_sums_run(programs[run % 2], got);
        assert_memory_equal(got->numbers, want->numbers, sizeof got->numbers);
    }
    quartic_program_destroy(programs[0]);
    quartic_program_destroy(programs[1]);
    quartic_tensor_destroy(workspace);
    quartic_device_destroy(device);
    quartic_free(anything);
    quartic_free(want);
    quartic_free(got);
}

static void counters_are_zero_at_every_run(void **state) {
    (void)state;
    check_counters("cache", "cache,memory_model");
    check_counters("cache,shuffle", "cache,shuffle,memory_model");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(counters_are_zero_at_every_run),
                                       cmocka_unit_test(trainings_have_the_same_bits)};
    return cmocka_run_group_tests(tests, split_sums_begin, vulkan_test_end);
}
