/* arenas_test.c: on a device that grants little in one allocation, a workspace lies in several, and models compute
 * the same bits as in one; no allocation is larger than allowed, barriers hold across arenas, and a single value
 * that is larger is refused with its size and the limit. The limit is lowered by QUARTIC_LOWER_LIMITS. */
#include "vulkan/orders.h"
#include "vulkan/vulkan_test.h"

#include "base/rng.h"
#include "gpu/internal.h"
#include "train/trainer.h"

enum { BATCH = 2, NODES = 24, VOCABULARY = 7, MOST = 1 << 17 }; /* of one allocation: bytes */
static const char lowered[] = "max_buffer_bytes=131072";

static int32_t tokens[BATCH * NODES], targets[BATCH * NODES];

static int make_inputs(void **state) {
    for (uint32_t i = 0; i < BATCH * NODES; ++i) {
        tokens[i] = (int32_t)(quartic_random_bits(3, 0, i) % VOCABULARY);
        targets[i] = (int32_t)(quartic_random_bits(3, 1, i) % VOCABULARY);
    }
    return vulkan_test_begin(state);
}

static const char *const families[] = {
    "{\"model\": \"quartic\", \"edge_attention\": \"axial\", \"dropout\": 0.1}",
    "{\"model\": \"quartic\", \"edge_attention\": \"taylor\", \"causal\": true}",
    "{\"model\": \"quartic\", \"edge_attention\": \"triangle\"}",
    "{\"model\": \"quartic\", \"edge_attention\": \"triangle-multiply\"}",
    "{\"model\": \"quartic\", \"edge_attention\": \"routed\", \"num_routed\": 5}",
    "{\"model\": \"relational\", \"causal\": true}",
    "{\"model\": \"multi-stream\", \"num_residual_streams\": 2}",
};
enum { FAMILIES = sizeof families / sizeof families[0] };

static quartic_model *open_model(quartic_device *device, const char *json) {
    quartic_model_config config = QUARTIC_MODEL_CONFIG_INIT;
    config.num_tokens = VOCABULARY, config.dim = 8, config.depth = 2, config.dim_edges = 6, config.heads = 2;
    config.dim_head = 4, config.linear_heads = 1, config.linear_dim_head = 3, config.ff_mult = 2;
    config.max_seq_len = NODES, config.edge_heads = 1, config.edge_dim_head = 4;
    assert_ok(quartic_model_config_read_json(&config, json));
    quartic_model *model;
    assert_ok(quartic_model_create(device, &config, &model));
    assert_ok(quartic_model_initialise(model, 7));
    return model;
}

static quartic_trainer_config training(void) {
    quartic_trainer_config config = QUARTIC_TRAINER_CONFIG_INIT;
    config.batch = BATCH, config.length = NODES, config.learning_rate = 0.01f;
    return config;
}

/* What two steps leave. */
typedef struct trained {
    quartic_step_report reports[2];
    float *weights;
    uint64_t bytes;
    uint32_t arenas;
} trained;

static void expect_small_blocks(const quartic_device *device) {
    const quartic_gpu_device *gpu = device->gpu;
    assert_non_null(gpu->blocks);
    for (const quartic_gpu_block *block = gpu->blocks; block != NULL; block = block->next)
        assert_true(block->bytes <= MOST);
}

/* with_orders: the dispatches of the programs are also run in other orders (orders.h). */
static trained train(const char *json, bool small, bool with_orders) {
    trained result = {.weights = NULL};
    if (small) setenv("QUARTIC_LOWER_LIMITS", lowered, 1);
    quartic_device *device = vulkan_test_device();
    unsetenv("QUARTIC_LOWER_LIMITS");
    quartic_model *model = open_model(device, json);
    const quartic_trainer_config config = training();
    quartic_program_memory memory;
    assert_ok(quartic_trainer_measure(model, &config, &memory));
    quartic_trainer *trainer;
    assert_ok(quartic_trainer_create(model, &config, &trainer));
    result.arenas = trainer->micro->arena_count;
    assert_int_equal(memory.workspace_allocations, result.arenas + trainer->apply->arena_count);
    quartic_model_batch in = QUARTIC_MODEL_BATCH_INIT;
    in.batch = BATCH, in.length = NODES, in.tokens = tokens, in.targets = targets;
    for (int step = 0; step < 2; ++step)
        assert_ok(quartic_trainer_step_batch(trainer, &in, &result.reports[step]));
    if (small) expect_small_blocks(device);
    quartic_tensor *weights = quartic_model_weights(model);
    result.bytes = quartic_tensor_device_bytes(weights);
    result.weights = quartic_alloc(result.bytes, 1);
    assert_ok(quartic_tensor_read(weights, result.weights, result.bytes));
    if (with_orders) {
        uint32_t moved = 0;
        order_expect_same(json, trainer->micro, &moved);
        assert_true(moved > 0);
    }
    quartic_trainer_destroy(trainer);
    quartic_model_destroy(model);
    quartic_device_destroy(device);
    return result;
}

static void arenas_change_no_bit(void **state) {
    (void)state;
    for (uint32_t f = 0; f < FAMILIES; ++f) {
        trained one = train(families[f], false, false), several = train(families[f], true, f == 0 || f == 6);
        print_message("%s: %u arenas\n", families[f], several.arenas);
        assert_int_equal(one.arenas, 1);
        assert_true(several.arenas >= 2);
        assert_int_equal(one.bytes, several.bytes);
        for (int step = 0; step < 2; ++step) {
            assert_memory_equal(&one.reports[step].loss, &several.reports[step].loss, sizeof(float));
            assert_memory_equal(&one.reports[step].gradient_norm, &several.reports[step].gradient_norm,
                                sizeof one.reports[step].gradient_norm);
        }
        assert_memory_equal(one.weights, several.weights, one.bytes);
        quartic_free(one.weights);
        quartic_free(several.weights);
    }
}

/* exp of `elements` numbers, which is needed once more after the next step: an intermediate of that size, or the
 * tensors x and y of it. */
static quartic_status make_program(quartic_device *device, uint32_t elements, bool named) {
    quartic_graph *graph;
    assert_ok(quartic_graph_create(&graph));
    const uint32_t rows = 4, columns = elements / rows;
    const quartic_value x = quartic_graph_input(
        graph, "x", QUARTIC_FLOAT32, named ? &QUARTIC_SHAPE(rows, columns) : &QUARTIC_SHAPE(rows, 1));
    const quartic_shape whole = QUARTIC_SHAPE(rows, columns);
    const quartic_value wide = named ? x : quartic_copy(graph, quartic_broadcast(graph, x, &whole));
    quartic_graph_output(graph, "sum", quartic_sum_squares(graph, quartic_exp(graph, wide)));
    quartic_program *program = NULL;
    const quartic_status status = quartic_program_create(device, graph, NULL, &program);
    if (status == QUARTIC_OK) assert_ok(quartic_program_run(program));
    if (status != QUARTIC_OK) assert_null(program);
    quartic_program_destroy(program);
    quartic_graph_destroy(graph);
    return status;
}

static void a_value_larger_than_one_allocation_is_refused(void **state) {
    (void)state;
    setenv("QUARTIC_LOWER_LIMITS", lowered, 1);
    quartic_device *device = vulkan_test_device();
    unsetenv("QUARTIC_LOWER_LIMITS");
    assert_ok(make_program(device, MOST / 4, false)); /* all of an arena */
    assert_ok(make_program(device, MOST / 4, true));
    assert_int_equal(make_program(device, MOST / 4 + 4, false), QUARTIC_OUT_OF_DEVICE_MEMORY);
    assert_message("the result of ");
    assert_message(
        "takes 0.1 MiB (131088 bytes), but one allocation of this device has at most 0.1 MiB (131072 bytes)");
    assert_int_equal(make_program(device, MOST / 4 + 4, true), QUARTIC_OUT_OF_DEVICE_MEMORY);
    assert_message(
        "takes 0.1 MiB (131088 bytes), but one allocation of this device has at most 0.1 MiB (131072 bytes)");
    quartic_device_destroy(device);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arenas_change_no_bit),
        cmocka_unit_test(a_value_larger_than_one_allocation_is_refused),
    };
    return cmocka_run_group_tests(tests, make_inputs, vulkan_test_end);
}
