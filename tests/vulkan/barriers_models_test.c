/* barriers_models_test.c: every barrier that a model's programs need is there, and nothing in them reads what
 * nobody wrote.
 *
 * Neither software devices nor the validation layers notice a missing barrier. So the dispatches of every run
 * without a barrier are executed in other orders, over poisoned memory; the bits must stay the same
 * (orders.h). All families and all forms of edge attention, forward, gradients and training steps. That the
 * test finds faults is part of it: barriers are taken out, and their absence must show.
 */
#include "vulkan/declared.h"
#include "vulkan/orders.h"
#include "vulkan/vulkan_test.h"

#include "base/rng.h"
#include "train/trainer.h"

static quartic_device *device;

/* ---- models -------------------------------------------------------------------------------------------- */

enum { BATCH = 2, NODES = 5, VOCABULARY = 7, EDGE_TYPES = 3, MOST_NUMBERS = 1 << 14 };

/* Inputs for every kind of model; a model takes what its configuration asks for. */
static int32_t tokens[2 * BATCH * NODES], targets[2 * BATCH * NODES * NODES],
    edge_types[2 * BATCH * NODES * NODES];
static float features[2 * BATCH * NODES * NODES * 2];
static uint8_t mask[2 * BATCH * NODES];

static void make_inputs(void) {
    for (uint32_t i = 0; i < 2 * BATCH * NODES * NODES; ++i) {
        if (i < 2 * BATCH * NODES) tokens[i] = (int32_t)(quartic_random_bits(3, 0, i) % VOCABULARY);
        if (i < 2 * BATCH * NODES) mask[i] = i % NODES != NODES - 2 + i / NODES % 2;
        targets[i] = (int32_t)(quartic_random_bits(3, 1, i) % VOCABULARY) - (i % 4 == 1);
        edge_types[i] = (int32_t)(quartic_random_bits(3, 2, i) % EDGE_TYPES);
        features[2 * i] = quartic_random_normal(3, 3, 2 * i);
        features[2 * i + 1] = quartic_random_normal(3, 3, 2 * i + 1);
    }
}

static quartic_model_config barriers_models_small_config(quartic_model_family family, uint32_t form,
                                                         bool causal) {
    quartic_model_config config = QUARTIC_MODEL_CONFIG_INIT;
    config.model = family, config.edge_attention = (quartic_edge_attention)form, config.causal = causal;
    config.num_tokens = VOCABULARY, config.dim = 6, config.depth = 2, config.dim_edges = 4;
    config.heads = 2, config.dim_head = 3, config.linear_heads = 2, config.linear_dim_head = 3;
    config.edge_heads = 2, config.edge_dim_head = 3, config.num_routed = 5, config.routed_eps = 1.0f;
    config.max_seq_len = NODES, config.num_residual_streams = 2, config.ff_mult = 2, config.dropout = 0.1f;
    return config;
}

static quartic_model_batch batch_for(const quartic_model_config *config, uint32_t batch, bool masked) {
    quartic_model_batch in = QUARTIC_MODEL_BATCH_INIT;
    in.batch = batch, in.length = NODES, in.targets = targets, in.mask = masked ? mask : NULL;
    in.tokens = config->dim_node_features == 0 ? tokens : NULL;
    in.node_features = config->dim_node_features == 0 ? NULL : features;
    in.edge_types = config->num_edge_types == 0 ? NULL : edge_types;
    in.edge_features = config->dim_edge_features == 0 ? NULL : features;
    return in;
}

/* No weight is zero, so that nothing is multiplied by zero before it reaches an output. */
static quartic_model *barriers_models_open_model(const quartic_model_config *config) {
    quartic_model *model;
    assert_ok(quartic_model_create(device, config, &model));
    order_write_random(quartic_model_weights(model), 5, 0.3f);
    return model;
}

/* Compiles and runs a pass that shows everything, and the gradients. */
static void run_passes(quartic_model *model, const quartic_model_batch *in) {
    float *numbers[3], diversity, loss;
    for (int k = 0; k < 3; ++k) numbers[k] = quartic_alloc(MOST_NUMBERS, sizeof(float));
    quartic_model_readout readout = QUARTIC_MODEL_READOUT_INIT;
    readout.logits = numbers[0], readout.attention = numbers[1];
    if (model->config.model == QUARTIC_MODEL_MULTI_STREAM)
        readout.diversity = &diversity;
    else
        readout.edges = numbers[2];
    assert_ok(quartic_model_inspect_batch(model, in, &readout));
    assert_ok(quartic_model_gradients_batch(model, in, &loss));
    for (int k = 0; k < 3; ++k) quartic_free(numbers[k]);
}

static void compare_training(const char *what, quartic_model *model, bool masked, uint32_t *inout_moved) {
    quartic_trainer_config config = QUARTIC_TRAINER_CONFIG_INIT;
    config.batch = BATCH, config.length = NODES, config.accumulation = 2, config.masked = masked;
    config.learning_rate = 0.01f;
    quartic_trainer *trainer;
    assert_ok(quartic_trainer_create(model, &config, &trainer));
    const quartic_model_batch in = batch_for(&model->config, 2 * BATCH, masked);
    assert_ok(quartic_trainer_step_batch(trainer, &in, NULL));
    order_expect_same(what, trainer->micro, inout_moved); /* and leaves gradients for the update */
    order_expect_same(what, trainer->apply, inout_moved);
    quartic_trainer_destroy(trainer);
}

/* Every fourth model in graph order, where memory is shared most; the others by level. */
static void compare_model(const char *what, const quartic_model_config *config, bool masked,
                          uint32_t *inout_moved) {
    static uint32_t models;
    assert_ok(quartic_device_set_workspace_budget(device, ++models % 4 == 0));
    quartic_model *model = barriers_models_open_model(config);
    const quartic_model_batch in = batch_for(config, BATCH, masked);
    run_passes(model, &in);
    assert_int_equal(model->program_count, 2);
    for (uint32_t k = 0; k < model->program_count; ++k)
        order_expect_same(what, model->programs[k].program, inout_moved);
    compare_training(what, model, masked, inout_moved);
    quartic_model_destroy(model);
    assert_ok(quartic_device_set_workspace_budget(device, 0));
}

static const char *const form_names[] = {
#define FORM_NAME(suffix, name) name,
    QUARTIC_EDGE_ATTENTION_LIST(FORM_NAME)
#undef FORM_NAME
};
enum { FORM_COUNT = sizeof form_names / sizeof form_names[0] };

static void forms_have_their_barriers(void **state) {
    (void)state;
    uint32_t moved = 0;
    for (int family = QUARTIC_MODEL_QUARTIC; family <= QUARTIC_MODEL_RELATIONAL; ++family)
        for (uint32_t form = 0; form < FORM_COUNT; ++form)
            for (int kind = 0; kind < 3; ++kind) { /* plain, masked, causal and masked */
                char what[128];
                const quartic_model_config config =
                    barriers_models_small_config((quartic_model_family)family, form, kind == 2);
                snprintf(what, sizeof what, "%s in family %d, masked %d, causal %d", form_names[form], family,
                         kind > 0, kind == 2);
                compare_model(what, &config, kind > 0, &moved);
            }
    print_message("%u dispatches moved\n", moved);
    assert_true(moved > 0);
}

static void streams_have_their_barriers(void **state) {
    (void)state;
    uint32_t moved = 0;
    for (int options = 0; options < 8; ++options) {
        char what[128];
        quartic_model_config config = barriers_models_small_config(
            QUARTIC_MODEL_MULTI_STREAM, QUARTIC_EDGE_ATTENTION_DEFAULT, options & 1);
        config.parallel_streams = options >> 1 & 1, config.depth = 3;
        config.non_linear_talking_heads = options >> 2 & 1, config.residual_talking_heads = options & 1;
        config.separate_stream_emb = options >> 1 & 1, config.diversity_loss = 0.1f;
        snprintf(what, sizeof what, "multi-stream with options %d", options);
        compare_model(what, &config, options & 1, &moved);
    }
    print_message("%u dispatches moved\n", moved);
    assert_true(moved > 0);
}

static void graphs_have_their_barriers(void **state) {
    (void)state;
    uint32_t moved = 0;
    for (int family = QUARTIC_MODEL_QUARTIC; family <= QUARTIC_MODEL_RELATIONAL; ++family)
        for (int readout = QUARTIC_READOUT_NODE; readout <= QUARTIC_READOUT_GRAPH; ++readout) {
            char what[128];
            quartic_model_config config = barriers_models_small_config((quartic_model_family)family,
                                                                       QUARTIC_EDGE_ATTENTION_DEFAULT, false);
            config.num_tokens = 0, config.num_classes = VOCABULARY, config.positions = 0;
            config.dim_node_features = 2, config.num_edge_types = EDGE_TYPES, config.dim_edge_features = 2;
            config.readout = (quartic_readout)readout;
            snprintf(what, sizeof what, "graph data in family %d, readout %d", family, readout);
            compare_model(what, &config, true, &moved);
        }
    print_message("%u dispatches moved\n", moved);
    assert_true(moved > 0);
}

/* ---- declarations -------------------------------------------------------------------------------------- */

static void expect_declared(const quartic_model_config *config) {
    quartic_model *model = barriers_models_open_model(config);
    const quartic_model_batch in = batch_for(config, BATCH, true);
    declared_result result;
    run_passes(model, &in);
    assert_ok(declared_check(model->programs[1].program, 0, &result));
    if (!result.right) fail_msg("family %d: %s", (int)config->model, result.fault);
    assert_true(result.dispatches > 0);
    quartic_model_destroy(model);
}

/* Also with the strided operands that models have. */
static void models_touch_what_they_declare(void **state) {
    (void)state;
    for (int family = QUARTIC_MODEL_QUARTIC; family <= QUARTIC_MODEL_MULTI_STREAM; ++family) {
        const quartic_model_config config =
            barriers_models_small_config((quartic_model_family)family, QUARTIC_EDGE_ATTENTION_DEFAULT, true);
        expect_declared(&config);
    }
}

/* ---- barriers taken out of a model --------------------------------------------------------------------- */

/* Takes the barriers out of the gradients' program one by one. Few may pass unseen: those between the parts
 * of one concat, which interleave without touching the same bytes, and those between two updates in place
 * that give the same bits in either order. */
static void missing_barriers_are_found(void **state) {
    (void)state;
    quartic_model_config config =
        barriers_models_small_config(QUARTIC_MODEL_QUARTIC, QUARTIC_EDGE_ATTENTION_DEFAULT, false);
    config.depth = 1;
    quartic_model *model = barriers_models_open_model(&config);
    const quartic_model_batch in = batch_for(&config, BATCH, true);
    run_passes(model, &in);
    quartic_program *program = model->programs[1].program;
    quartic_gpu_command *commands;
    uint32_t count, barriers = 0, found = 0;
    assert_ok(order_lower(program, &commands, NULL, &count));
    for (uint32_t c = 0; c < count; ++c) {
        if (!commands[c].barrier) continue;
        order_result result;
        commands[c].barrier = false;
        assert_ok(order_compare(program, commands, count, &result));
        commands[c].barrier = true;
        ++barriers;
        found += !result.same;
    }
    print_message("%u dispatches, %u barriers, each taken out: %u found\n", count, barriers, found);
    assert_true(barriers > 20); /* else there is too little to look at */
    assert_true(100 * found >= 95 * barriers);
    quartic_free(commands);
    quartic_model_destroy(model);
}

static int barriers_models_begin(void **state) {
    if (vulkan_test_begin(state) != 0) return 1;
    make_inputs();
    return quartic_device_create(vulkan_test_name(), &device) != QUARTIC_OK;
}

static int barriers_models_end(void **state) {
    quartic_device_destroy(device);
    return vulkan_test_end(state);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(missing_barriers_are_found), cmocka_unit_test(models_touch_what_they_declare),
        cmocka_unit_test(forms_have_their_barriers),  cmocka_unit_test(streams_have_their_barriers),
        cmocka_unit_test(graphs_have_their_barriers),
    };
    return cmocka_run_group_tests(tests, barriers_models_begin, barriers_models_end);
}
