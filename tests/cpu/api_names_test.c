/* api_names_test.c: a message names the function that was called, not its family nor one that it uses.
 *
 * Every builder of graphs gets operands that it refuses; every other function is in api_null_test, which
 * checks names too. Then errors that come from deep inside: of a model's checks, of a graph compiled later,
 * of a callback of the caller's.
 */
#include "expect.h"

#include "api_list.h"
#include "base/status.h"
#include "quartic/quartic.h"

enum { LENGTH = 3 };

static quartic_graph *graph;
static quartic_value whole; /* int32 (2, 3): no float */
static quartic_value real;  /* (2, 3) */
static const quartic_value none = {0};

static char tried[API_MOST_FUNCTIONS][API_NAME];
static uint32_t tried_count;

static void begin_graph(void) {
    assert_ok(quartic_graph_create(&graph));
    whole = quartic_graph_input(graph, "whole", QUARTIC_INT32, &QUARTIC_SHAPE(2, 3));
    real = quartic_graph_input(graph, "real", QUARTIC_FLOAT32, &QUARTIC_SHAPE(2, 3));
    quartic_fail_again(QUARTIC_OK, "", "");
}

/* The message begins with the name, and says no other function's or family's. */
static void api_names_check_name(const char *function) {
    static const char *const families[] = {"unary", "binary", "elementwise", "quartic_graph_append"};
    const char *message = quartic_error_message();
    const size_t length = strlen(function);
    assert_string_equal(quartic_error_function(), function);
    if (strncmp(message, function, length) != 0 || strncmp(message + length, ": ", 2) != 0)
        fail_msg("\"%s\" does not begin with \"%s: \"", message, function);
    for (uint32_t k = 0; k < sizeof families / sizeof families[0]; ++k)
        if (strstr(message, families[k]) != NULL) fail_msg("\"%s\" names %s", message, families[k]);
    if (strstr(message + length, "quartic_") != NULL &&
        strncmp(strstr(message + length, "quartic_"), function, length) == 0)
        fail_msg("\"%s\" has the name twice", message);
    if (strlen(message + length) < 20) fail_msg("\"%s\" is no sentence", message);
}

static void check_builder(const char *function) {
    snprintf(tried[tried_count++], API_NAME, "%s", function);
    api_names_check_name(function);
    assert_int_not_equal(quartic_graph_status(graph), QUARTIC_OK);
    api_names_check_name(function); /* also when it is asked for again */
    quartic_graph_destroy(graph);
    begin_graph();
}

#define WRONG(name, ...) (quartic_##name(graph, __VA_ARGS__), check_builder("quartic_" #name))

static void builders_name_themselves(void **state) {
    (void)state;
    const quartic_shape seven = QUARTIC_SHAPE(7);
    const quartic_value wrong[] = {real, whole};
    quartic_value out;
    quartic_taylor_options taylor = QUARTIC_TAYLOR_OPTIONS_INIT;
    quartic_edge_softmax_options edges = QUARTIC_EDGE_SOFTMAX_OPTIONS_INIT;
    quartic_norm_linear_options linear = QUARTIC_NORM_LINEAR_OPTIONS_INIT;
    taylor.axis = 1, edges.nodes = 2;
    begin_graph();
#define WRONG_UNARY(name)  WRONG(name, whole);
#define WRONG_BINARY(name) WRONG(name, whole, real);
    QUARTIC_UNARY_LIST(WRONG_UNARY)
    QUARTIC_BINARY_LIST(WRONG_BINARY)
    WRONG(graph_input, "", QUARTIC_FLOAT32, &seven);
    WRONG(graph_parameter, "real", &seven);
    WRONG(graph_state, "s", (quartic_dtype)7, &seven);
    WRONG(reshape, real, &seven);
    WRONG(permute, real, ((uint32_t[]){1, 1}));
    WRONG(slice, real, 0, 1, 9);
    WRONG(broadcast, real, &seven);
    WRONG(diagonal, real, 5);
    WRONG(copy, none);
    WRONG(concat, wrong, 2, 0);
    WRONG(pad, real, 0, 3, 2);
    WRONG(diagonal_add, real, real);
    WRONG(embedding, whole, real);
    WRONG(relative_bias, real);
    WRONG(range, 0, 0.0f, 1.0f);
    WRONG(scale, whole, 2.0f, 0.0f);
    WRONG(multiply_add_loop, real, 3.0f, 0.0f, 2);
    WRONG(sum, real, 64, 0);
    WRONG(dropout, real, whole, 2.0f, 0);
    WRONG(matmul, real, real, NULL);
    WRONG(linear, real, whole, none);
    WRONG(rms_norm, real, whole, 1e-5f);
    WRONG(l2_norm, real, whole, 0.0f);
    WRONG(layer_norm, real, whole, real, 1e-5f);
    quartic_norm_linear(graph, real, none, &whole, 1, &linear, &out);
    check_builder("quartic_norm_linear");
    WRONG(gated_linear, real, whole, real, none);
    WRONG(gelu_linear, real, whole, none);
    WRONG(softmax, real, none, 0);
    WRONG(taylor_attention, real, real, real, none, &taylor);
    WRONG(triangle_attention, real, real, real, real, none, none, NULL);
    WRONG(triple_attention, real, real, real, real, real, real, real, none, NULL);
    WRONG(edge_keep, real, none, QUARTIC_EDGES_LOWER);
    WRONG(relational_scores, real, real, real, real, real, NULL);
    WRONG(relational_values, real, real, real, real);
    WRONG(edge_softmax_attention, real, real, real, none, none, &edges);
    WRONG(pair_mask, real, NULL);
    WRONG(coordinate_descent, whole, none, NULL);
    WRONG(top_k, real, none, 99);
    WRONG(gather_rows, real, whole);
    WRONG(scatter_add_rows, real, real, whole);
    WRONG(straight_through, whole);
    WRONG(stream_exchange, real, whole);
    WRONG(stream_feedforward, real, real, real, real, -1.0f);
    WRONG(cross_entropy, whole, real);
    WRONG(diversity_loss, real, 2);
    WRONG(sum_squares, whole);
    WRONG(accumulate, real, real, 1.0f);
    WRONG(assign, real, real);
    WRONG(fill, real, 1.0f);
    quartic_adamw(graph, real, real, real, real, real, none, 1.0f);
    check_builder("quartic_adamw");
    quartic_graph_output(graph, "y", none);
    check_builder("quartic_graph_output");
    quartic_graph_destroy(graph);

    static api_list declared;
    assert_true(api_read_all(&declared, QUARTIC_TEST_SOURCE));
    uint32_t builders = 0;
    for (uint32_t f = 0; f < declared.count; ++f) {
        if (!declared.functions[f].is_builder || strstr(declared.functions[f].name, "_model_") != NULL)
            continue;
        ++builders;
        uint32_t k = 0;
        while (k < tried_count && strcmp(tried[k], declared.functions[f].name) != 0) ++k;
        if (k == tried_count) fail_msg("%s is not tried", declared.functions[f].name);
    }
    assert_true(builders > 50);
}

/* What is found where the graph is used is told as the builder's, with the scope. */
static void a_graphs_first_error_stays_the_builders(void **state) {
    (void)state;
    quartic_device *device;
    quartic_program *program;
    assert_ok(quartic_device_create("cpu", &device));
    begin_graph();
    quartic_graph_push_scope(graph, "layers.0");
    quartic_silu(graph, whole);
    quartic_graph_pop_scope(graph);
    quartic_add(graph, real, none);
    assert_int_equal(quartic_program_create(device, graph, NULL, &program), QUARTIC_INVALID_ARGUMENT);
    api_names_check_name("quartic_silu");
    assert_non_null(strstr(quartic_error_message(), "quartic_silu: in layers.0: "));
    quartic_graph_destroy(graph);
    quartic_device_destroy(device);
}

static void models_and_trainers_name_the_call(void **state) {
    (void)state;
    quartic_device *device;
    quartic_model *model;
    quartic_trainer *trainer;
    quartic_model_config config = QUARTIC_MODEL_CONFIG_INIT;
    quartic_trainer_config training = QUARTIC_TRAINER_CONFIG_INIT;
    quartic_model_readout readout = QUARTIC_MODEL_READOUT_INIT;
    const int32_t tokens[LENGTH] = {0, 9, 2}, targets[LENGTH] = {1, 2, 3};
    float logits[LENGTH * 5], loss;
    config.num_tokens = 5, config.dim = 8, config.depth = 1, config.dim_edges = 4;
    training.batch = 1, training.length = LENGTH;
    readout.logits = logits;
    assert_ok(quartic_device_create("cpu", &device));
    assert_ok(quartic_model_create(device, &config, &model));
    assert_ok(quartic_trainer_create(model, &training, &trainer));
    quartic_model_batch batch = QUARTIC_MODEL_BATCH_INIT;
    batch.batch = 1, batch.length = LENGTH, batch.tokens = tokens, batch.targets = targets;

    assert_int_equal(quartic_model_forward(model, 1, LENGTH, tokens, NULL, logits), QUARTIC_INVALID_ARGUMENT);
    api_names_check_name("quartic_model_forward");
    assert_int_equal(quartic_model_inspect(model, 1, LENGTH, tokens, NULL, &readout),
                     QUARTIC_INVALID_ARGUMENT);
    api_names_check_name("quartic_model_inspect");
    assert_int_equal(quartic_model_loss(model, 1, LENGTH, tokens, targets, NULL, &loss),
                     QUARTIC_INVALID_ARGUMENT);
    api_names_check_name("quartic_model_loss");
    assert_int_equal(quartic_model_gradients(model, 1, LENGTH, tokens, targets, NULL, &loss),
                     QUARTIC_INVALID_ARGUMENT);
    api_names_check_name("quartic_model_gradients");
    assert_int_equal(quartic_model_forward_batch(model, &batch, logits), QUARTIC_INVALID_ARGUMENT);
    api_names_check_name("quartic_model_forward_batch");
    assert_int_equal(quartic_model_gradients_batch(model, &batch, &loss), QUARTIC_INVALID_ARGUMENT);
    api_names_check_name("quartic_model_gradients_batch");
    assert_int_equal(quartic_trainer_step(trainer, tokens, targets, NULL, NULL), QUARTIC_INVALID_ARGUMENT);
    api_names_check_name("quartic_trainer_step");
    assert_int_equal(quartic_trainer_step_sampled(trainer, tokens, 2, NULL), QUARTIC_INVALID_ARGUMENT);
    api_names_check_name("quartic_trainer_step_sampled");
    assert_int_equal(quartic_model_load(model, "no-such-file"), QUARTIC_IO);
    api_names_check_name("quartic_model_load");
    assert_int_equal(quartic_trainer_load(trainer, "no-such-file"), QUARTIC_IO);
    api_names_check_name("quartic_trainer_load");
    assert_int_equal(quartic_trainer_config_read("no-such-file", &training), QUARTIC_IO);
    api_names_check_name("quartic_trainer_config_read");
    assert_int_equal(quartic_trainer_save(trainer, "no-such-folder/file"), QUARTIC_IO);
    api_names_check_name("quartic_trainer_save");
    config.heads = 0;
    quartic_model *other;
    assert_int_equal(quartic_model_create(device, &config, &other), QUARTIC_INVALID_ARGUMENT);
    api_names_check_name("quartic_model_create");
    quartic_trainer_destroy(trainer);
    quartic_model_destroy(model);
    quartic_device_destroy(device);
}

static void fail_inside(void *context, const quartic_check *check) {
    (void)context;
    (void)check;
    assert_int_equal(quartic_tensor_write(NULL, "", 1), QUARTIC_INVALID_ARGUMENT);
    api_names_check_name("quartic_tensor_write");
}

/* A call of the caller's own callback is told as such, and the outer call by its name afterwards. */
static void callbacks_are_calls_of_their_own(void **state) {
    (void)state;
    quartic_device *device;
    quartic_check_totals totals;
    quartic_validate_config one = QUARTIC_VALIDATE_CONFIG_INIT;
    one.op = "fill", one.case_index = 0, one.callback = fail_inside;
    assert_ok(quartic_device_create("cpu", &device));
    assert_ok(quartic_validate(device, &one, &totals));
    assert_true(totals.passed > 0);
    one.op = "no-such-op";
    assert_int_equal(quartic_validate(device, &one, &totals), QUARTIC_INVALID_ARGUMENT);
    assert_string_equal(quartic_error_function(), "quartic_validate");
    quartic_device_destroy(device);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(builders_name_themselves),
        cmocka_unit_test(a_graphs_first_error_stays_the_builders),
        cmocka_unit_test(models_and_trainers_name_the_call),
        cmocka_unit_test(callbacks_are_calls_of_their_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
