/* api_null_test.c: every function of the library with each of its pointers NULL in turn.
 *
 * A table of calls, one a line. REFUSED and VALUE expect a message that names the function and the argument,
 * with INVALID_ARGUMENT or, where nothing can say that, no value; GETTER expects 0, NULL or an empty struct
 * beside the message; FINE is for NULL that is documented. The last tests compare the table with the headers
 * and the headers with the symbols of the built library: a function that is missing fails them. It is one
 * table, which is why the file is long.
 */
#include "expect.h"

#include "api_list.h"
#include "base/alloc.h"
#include "base/status.h"
#include "quartic/quartic.h"
#ifdef QUARTIC_TEST_VULKAN
#include "quartic/vulkan.h"
#endif

/* ---- what the calls are given ---- */

static const char model_path[] = "api_null_model.safetensors", data_path[] = "api_null_data.safetensors",
                  checkpoint_path[] = "api_null_checkpoint.safetensors", json_path[] = "api_null.json";

enum { LENGTH = 3 };

static struct {
    quartic_device *device;
    quartic_tensor *tensor; /* (2, 3) */
    quartic_program *program;
    quartic_model *model;
    quartic_model_config config;
    quartic_trainer *trainer;
    quartic_trainer_config training;
    quartic_dataset *dataset;
    quartic_safetensors *file;
    const quartic_safetensors_tensor *entry;
    /* A graph without an error, made anew after each that has one, and its values: of 2 to 5 axes, int32 and
     * a state. */
    quartic_graph *graph;
    quartic_value x2, x3, x4, x5, indices, state, parameters, tokens;
} t;

static const int32_t tokens[LENGTH] = {0, 4, 2}, targets[LENGTH] = {1, 2, 3};
static const quartic_value none = {0};

static void api_null_make_graph(void) {
    quartic_graph_destroy(t.graph);
    assert_ok(quartic_graph_create(&t.graph));
    t.x2 = quartic_graph_input(t.graph, "x2", QUARTIC_FLOAT32, &QUARTIC_SHAPE(2, 3));
    t.x3 = quartic_graph_input(t.graph, "x3", QUARTIC_FLOAT32, &QUARTIC_SHAPE(2, 3, 3));
    t.x4 = quartic_graph_input(t.graph, "x4", QUARTIC_FLOAT32, &QUARTIC_SHAPE(1, 2, 3, 3));
    t.x5 = quartic_graph_input(t.graph, "x5", QUARTIC_FLOAT32, &QUARTIC_SHAPE(1, 3, 3, 1, 2));
    t.indices = quartic_graph_input(t.graph, "indices", QUARTIC_INT32, &QUARTIC_SHAPE(2));
    t.state = quartic_graph_state(t.graph, "state", QUARTIC_FLOAT32, &QUARTIC_SHAPE(2, 3));
    t.tokens = quartic_graph_input(t.graph, "tokens", QUARTIC_INT32, &QUARTIC_SHAPE(1, LENGTH));
    uint64_t elements = 0;
    assert_ok(quartic_model_config_weights(&t.config, &elements));
    t.parameters = quartic_graph_parameter(t.graph, "p", &QUARTIC_SHAPE((uint32_t)elements));
    assert_ok(quartic_graph_status(t.graph));
}

static void api_null_make_files(void) {
    const quartic_safetensors_tensor tensors[] = {
        {"tokens", QUARTIC_SAFETENSORS_I32, {.rank = 2, .dims = {1, LENGTH}}, tokens, 0},
        {"targets", QUARTIC_SAFETENSORS_I32, {.rank = 2, .dims = {1, LENGTH}}, targets, 0}};
    assert_ok(quartic_safetensors_save(data_path, tensors, 2, NULL, 0));
    FILE *json = fopen(json_path, "wb");
    assert_non_null(json);
    fputs("{\"dim\": 8}", json);
    fclose(json);
}

static int api_null_begin(void **state) {
    (void)state;
    t.config = (quartic_model_config)QUARTIC_MODEL_CONFIG_INIT;
    t.config.num_tokens = 5, t.config.dim = 8, t.config.depth = 1, t.config.dim_edges = 4;
    t.training = (quartic_trainer_config)QUARTIC_TRAINER_CONFIG_INIT;
    t.training.batch = 1, t.training.length = LENGTH;
    api_null_make_files();
    assert_ok(quartic_device_create("cpu", &t.device));
    assert_ok(quartic_tensor_create(t.device, QUARTIC_FLOAT32, &QUARTIC_SHAPE(2, 3), &t.tensor));
    api_null_make_graph();
    quartic_graph_output(t.graph, "y", quartic_exp(t.graph, t.x2));
    assert_ok(quartic_program_create(t.device, t.graph, NULL, &t.program));
    api_null_make_graph();
    assert_ok(quartic_model_create(t.device, &t.config, &t.model));
    assert_ok(quartic_model_save(t.model, model_path));
    assert_ok(quartic_trainer_create(t.model, &t.training, &t.trainer));
    assert_ok(quartic_trainer_save(t.trainer, checkpoint_path));
    assert_ok(quartic_dataset_open(data_path, &t.dataset));
    assert_ok(quartic_safetensors_open(data_path, &t.file));
    t.entry = quartic_safetensors_find(t.file, "tokens");
    return 0;
}

static int api_null_end(void **state) {
    (void)state;
    quartic_safetensors_close(t.file);
    quartic_dataset_close(t.dataset);
    quartic_trainer_destroy(t.trainer);
    quartic_model_destroy(t.model);
    quartic_program_destroy(t.program);
    quartic_graph_destroy(t.graph);
    quartic_tensor_destroy(t.tensor);
    quartic_device_destroy(t.device);
    remove(model_path), remove(data_path), remove(checkpoint_path), remove(json_path);
    const int64_t live = quartic_alloc_live();
    if (live != 0) fprintf(stderr, "%lld blocks left\n", (long long)live);
    return live != 0;
}

/* ---- the table's means ---- */

static struct { const char *function, *argument; } seen[1024];
static uint32_t seen_count;

/* Before each call: a graph without an error, and no message. */
static void api_null_forget(void) {
    if (t.graph == NULL || quartic_graph_status(t.graph) != QUARTIC_OK) api_null_make_graph();
    quartic_fail_again(QUARTIC_OK, "", "");
}

static void see(const char *function, const char *argument) {
    assert_true(seen_count < sizeof seen / sizeof seen[0]);
    seen[seen_count].function = function;
    seen[seen_count++].argument = argument;
}

/* The message begins with the function and has the argument as a word. */
static void check_message(const char *function, const char *argument) {
    const char *message = quartic_error_message();
    const size_t length = strlen(function);
    assert_string_equal(quartic_error_function(), function);
    if (strncmp(message, function, length) != 0 || strncmp(message + length, ": ", 2) != 0)
        fail_msg("\"%s\" does not begin with \"%s: \"", message, function);
    for (const char *at = strstr(message + length, argument); at != NULL; at = strstr(at + 1, argument))
        if (!api_is_word(at[-1]) && !api_is_word(at[strlen(argument)])) return;
    fail_msg("\"%s\" does not name %s", message, argument);
}

static void check_refused(const char *function, const char *argument, quartic_status status) {
    if (status != QUARTIC_INVALID_ARGUMENT)
        fail_msg("%s with %s NULL: %s, \"%s\"", function, argument, quartic_status_name(status),
                 quartic_error_message());
    check_message(function, argument);
}

#define REFUSED(function, argument, call)                                                                    \
    (see(#function, #argument), api_null_forget(), check_refused(#function, #argument, call))
/* A builder with a graph or without one: no value, and the graph keeps the error. */
#define VALUE(function, argument, call)                                                                      \
    do {                                                                                                     \
        see(#function, #argument), api_null_forget();                                                        \
        assert_int_equal((call).id, 0);                                                                      \
        check_message(#function, #argument);                                                                 \
    } while (0)
#define NOTHING(function, argument, call)                                                                    \
    do {                                                                                                     \
        see(#function, #argument), api_null_forget();                                                        \
        call;                                                                                                \
        check_message(#function, #argument);                                                                 \
    } while (0)
#define GETTER(function, argument, is_empty)                                                                 \
    do {                                                                                                     \
        see(#function, #argument), api_null_forget();                                                        \
        assert_true(is_empty);                                                                               \
        check_message(#function, #argument);                                                                 \
    } while (0)
#define FINE(function, argument, call)                                                                       \
    do {                                                                                                     \
        see(#function, #argument);                                                                           \
        api_null_forget();                                                                                   \
        assert_ok(call);                                                                                     \
    } while (0)
#define FINE_NOTHING(function, argument, call) (see(#function, #argument), api_null_forget(), call)

/* ---- the table ---- */

static void devices_tensors_and_programs(void **state) {
    (void)state;
    quartic_device *device = NULL;
    quartic_device_info info;
    quartic_tensor *tensor = NULL;
    quartic_program *program = NULL;
    quartic_program_memory memory;
    quartic_step_info step;
    uint32_t count = 0;
    float data[6] = {0};
    const quartic_shape shape = QUARTIC_SHAPE(2, 3);

    FINE(quartic_device_create, name, quartic_device_create(NULL, &device));
    FINE_NOTHING(quartic_device_destroy, device, quartic_device_destroy(NULL));
    quartic_device_destroy(device);
    REFUSED(quartic_device_create, out_device, quartic_device_create("cpu", NULL));
    REFUSED(quartic_device_get_info, device, quartic_device_get_info(NULL, &info));
    REFUSED(quartic_device_get_info, out_info, quartic_device_get_info(t.device, NULL));
    REFUSED(quartic_device_set_workspace_budget, device, quartic_device_set_workspace_budget(NULL, 0));
    REFUSED(quartic_device_list, out_infos, quartic_device_list(NULL, 1, &count));
    FINE(quartic_device_list, out_infos, quartic_device_list(NULL, 0, &count));
    REFUSED(quartic_device_list, out_count, quartic_device_list(&info, 1, NULL));

    GETTER(quartic_shape_elements, shape, quartic_shape_elements(NULL) == 0);
    REFUSED(quartic_tensor_create, device, quartic_tensor_create(NULL, QUARTIC_FLOAT32, &shape, &tensor));
    REFUSED(quartic_tensor_create, shape, quartic_tensor_create(t.device, QUARTIC_FLOAT32, NULL, &tensor));
    REFUSED(quartic_tensor_create, out_tensor,
            quartic_tensor_create(t.device, QUARTIC_FLOAT32, &shape, NULL));
    FINE_NOTHING(quartic_tensor_destroy, tensor, quartic_tensor_destroy(NULL));
    GETTER(quartic_tensor_dtype, tensor, quartic_tensor_dtype(NULL) == QUARTIC_NO_DTYPE);
    GETTER(quartic_tensor_shape, tensor, quartic_tensor_shape(NULL).rank == 0);
    REFUSED(quartic_tensor_write, tensor, quartic_tensor_write(NULL, data, sizeof data));
    REFUSED(quartic_tensor_write, data, quartic_tensor_write(t.tensor, NULL, sizeof data));
    REFUSED(quartic_tensor_read, tensor, quartic_tensor_read(NULL, data, sizeof data));
    REFUSED(quartic_tensor_read, out_data, quartic_tensor_read(t.tensor, NULL, sizeof data));

    REFUSED(quartic_program_measure, device, quartic_program_measure(NULL, t.graph, NULL, &memory));
    REFUSED(quartic_program_measure, graph, quartic_program_measure(t.device, NULL, NULL, &memory));
    REFUSED(quartic_program_measure, out_memory, quartic_program_measure(t.device, t.graph, NULL, NULL));
    api_null_make_graph();
    quartic_graph_output(t.graph, "y", quartic_exp(t.graph, t.x2));
    FINE(quartic_program_measure, config, quartic_program_measure(t.device, t.graph, NULL, &memory));
    FINE(quartic_program_create, config, quartic_program_create(t.device, t.graph, NULL, &program));
    FINE_NOTHING(quartic_program_destroy, program, quartic_program_destroy(NULL));
    quartic_program_destroy(program);
    REFUSED(quartic_program_create, device, quartic_program_create(NULL, t.graph, NULL, &program));
    REFUSED(quartic_program_create, graph, quartic_program_create(t.device, NULL, NULL, &program));
    REFUSED(quartic_program_create, out_program, quartic_program_create(t.device, t.graph, NULL, NULL));
    GETTER(quartic_program_tensor, program, quartic_program_tensor(NULL, "x2") == NULL);
    GETTER(quartic_program_tensor, name, quartic_program_tensor(t.program, NULL) == NULL);
    REFUSED(quartic_program_run, program, quartic_program_run(NULL));
    GETTER(quartic_program_step_count, program, quartic_program_step_count(NULL) == 0);
    REFUSED(quartic_program_step, program, quartic_program_step(NULL, 0, &step));
    REFUSED(quartic_program_step, out_info, quartic_program_step(t.program, 0, NULL));
    GETTER(quartic_program_replay_info, program, quartic_program_replay_info(NULL).submits == 0);
}

/* The arrays of a configuration, one level further down. */
static void pointers_inside_structs(void **state) {
    (void)state;
    quartic_program *program;
    quartic_program_config config = QUARTIC_PROGRAM_CONFIG_INIT;
    quartic_binding binding = {"x2", NULL};
    config.binding_count = 1;
    api_null_make_graph();
    quartic_graph_output(t.graph, "y", quartic_exp(t.graph, t.x2));
    check_refused("quartic_program_create", "bindings",
                  quartic_program_create(t.device, t.graph, &config, &program));
    config.bindings = &binding;
    check_refused("quartic_program_create", "x2",
                  quartic_program_create(t.device, t.graph, &config, &program));
    binding = (quartic_binding){NULL, t.tensor};
    check_refused("quartic_program_create", "binding",
                  quartic_program_create(t.device, t.graph, &config, &program));
    const quartic_feed feed = {"x2", NULL, 24};
    check_refused("quartic_compare_devices", "data",
                  quartic_compare_devices(t.device, t.device, t.graph, &feed, 1, NULL, NULL, NULL));
    const char *const paths[] = {NULL};
    check_refused("quartic_verify", "paths", quartic_verify(t.device, paths, 1, NULL, NULL, NULL));
    quartic_safetensors_tensor entry = *t.entry;
    entry.data = NULL;
    check_refused("quartic_safetensors_save", "tensors", quartic_safetensors_save("x", &entry, 1, NULL, 0));
    check_refused("quartic_safetensors_check_finite", "tensor",
                  quartic_safetensors_check_finite(t.file, &entry));
    entry = *t.entry;
    entry.name = NULL;
    check_refused("quartic_safetensors_save", "tensors", quartic_safetensors_save("x", &entry, 1, NULL, 0));
    const quartic_safetensors_text text = {"key", NULL};
    check_refused("quartic_safetensors_save", "metadata", quartic_safetensors_save("x", NULL, 0, &text, 1));
    quartic_allocator half = QUARTIC_ALLOCATOR_INIT;
    check_refused("quartic_allocator_set", "allocate", quartic_allocator_set(&half));
}

static void graphs(void **state) {
    (void)state;
    quartic_graph *graph = NULL;
    const quartic_shape shape = QUARTIC_SHAPE(2, 3), flat = QUARTIC_SHAPE(6);
    const uint32_t axes[] = {1, 0};
    quartic_value out;
    quartic_taylor_options taylor = QUARTIC_TAYLOR_OPTIONS_INIT;
    quartic_edge_softmax_options edges = QUARTIC_EDGE_SOFTMAX_OPTIONS_INIT;
    quartic_norm_linear_options linear = QUARTIC_NORM_LINEAR_OPTIONS_INIT;
    taylor.axis = 1;
    edges.nodes = 1;

    REFUSED(quartic_graph_create, out_graph, quartic_graph_create(NULL));
    FINE_NOTHING(quartic_graph_destroy, graph, quartic_graph_destroy(graph));
    REFUSED(quartic_graph_status, graph, quartic_graph_status(NULL));
    GETTER(quartic_graph_shape, graph, quartic_graph_shape(NULL, t.x2).rank == 0);
    GETTER(quartic_graph_dtype, graph, quartic_graph_dtype(NULL, t.x2) == QUARTIC_NO_DTYPE);
    VALUE(quartic_graph_input, graph, quartic_graph_input(NULL, "a", QUARTIC_FLOAT32, &shape));
    VALUE(quartic_graph_input, name, quartic_graph_input(t.graph, NULL, QUARTIC_FLOAT32, &shape));
    VALUE(quartic_graph_input, shape, quartic_graph_input(t.graph, "a", QUARTIC_FLOAT32, NULL));
    VALUE(quartic_graph_parameter, graph, quartic_graph_parameter(NULL, "a", &shape));
    VALUE(quartic_graph_parameter, name, quartic_graph_parameter(t.graph, NULL, &shape));
    VALUE(quartic_graph_parameter, shape, quartic_graph_parameter(t.graph, "a", NULL));
    VALUE(quartic_graph_state, graph, quartic_graph_state(NULL, "a", QUARTIC_FLOAT32, &shape));
    VALUE(quartic_graph_state, name, quartic_graph_state(t.graph, NULL, QUARTIC_FLOAT32, &shape));
    VALUE(quartic_graph_state, shape, quartic_graph_state(t.graph, "a", QUARTIC_FLOAT32, NULL));
    NOTHING(quartic_graph_output, graph, quartic_graph_output(NULL, "a", t.x2));
    NOTHING(quartic_graph_output, name, quartic_graph_output(t.graph, NULL, t.x2));
    NOTHING(quartic_graph_push_scope, graph, quartic_graph_push_scope(NULL, "a"));
    NOTHING(quartic_graph_push_scope, name, quartic_graph_push_scope(t.graph, NULL));
    NOTHING(quartic_graph_pop_scope, graph, quartic_graph_pop_scope(NULL));
    NOTHING(quartic_graph_begin_recompute, graph, quartic_graph_begin_recompute(NULL));
    NOTHING(quartic_graph_end_recompute, graph, quartic_graph_end_recompute(NULL));
    REFUSED(quartic_graph_gradients, graph, quartic_graph_gradients(NULL, t.x2, none, &t.x2, 1, &out));
    REFUSED(quartic_graph_gradients, wrt, quartic_graph_gradients(t.graph, t.x2, none, NULL, 1, &out));
    REFUSED(quartic_graph_gradients, out_gradients,
            quartic_graph_gradients(t.graph, t.x2, none, &t.x2, 1, NULL));
    REFUSED(quartic_graph_gradients_many, graph,
            quartic_graph_gradients_many(NULL, &t.x2, NULL, 1, &t.x2, 1, &out));
    REFUSED(quartic_graph_gradients_many, values,
            quartic_graph_gradients_many(t.graph, NULL, NULL, 1, &t.x2, 1, &out));
    FINE(quartic_graph_gradients_many, cotangents,
         quartic_graph_gradients_many(t.graph, &t.x2, NULL, 1, &t.x2, 1, &out));
    REFUSED(quartic_graph_gradients_many, wrt,
            quartic_graph_gradients_many(t.graph, &t.x2, NULL, 1, NULL, 1, &out));
    REFUSED(quartic_graph_gradients_many, out_gradients,
            quartic_graph_gradients_many(t.graph, &t.x2, NULL, 1, &t.x2, 1, NULL));

    VALUE(quartic_negate, graph, quartic_negate(NULL, t.x2));
    VALUE(quartic_exp, graph, quartic_exp(NULL, t.x2));
    VALUE(quartic_log, graph, quartic_log(NULL, t.x2));
    VALUE(quartic_sqrt, graph, quartic_sqrt(NULL, t.x2));
    VALUE(quartic_square, graph, quartic_square(NULL, t.x2));
    VALUE(quartic_relu, graph, quartic_relu(NULL, t.x2));
    VALUE(quartic_sigmoid, graph, quartic_sigmoid(NULL, t.x2));
    VALUE(quartic_tanh, graph, quartic_tanh(NULL, t.x2));
    VALUE(quartic_silu, graph, quartic_silu(NULL, t.x2));
    VALUE(quartic_gelu, graph, quartic_gelu(NULL, t.x2));
    VALUE(quartic_add, graph, quartic_add(NULL, t.x2, t.x2));
    VALUE(quartic_subtract, graph, quartic_subtract(NULL, t.x2, t.x2));
    VALUE(quartic_multiply, graph, quartic_multiply(NULL, t.x2, t.x2));
    VALUE(quartic_divide, graph, quartic_divide(NULL, t.x2, t.x2));
    VALUE(quartic_reshape, graph, quartic_reshape(NULL, t.x2, &flat));
    VALUE(quartic_permute, graph, quartic_permute(NULL, t.x2, axes));
    VALUE(quartic_slice, graph, quartic_slice(NULL, t.x2, 0, 0, 1));
    VALUE(quartic_broadcast, graph, quartic_broadcast(NULL, t.x2, &shape));
    VALUE(quartic_diagonal, graph, quartic_diagonal(NULL, t.x2, 0));
    VALUE(quartic_copy, graph, quartic_copy(NULL, t.x2));
    VALUE(quartic_concat, graph, quartic_concat(NULL, &t.x2, 1, 0));
    VALUE(quartic_pad, graph, quartic_pad(NULL, t.x2, 0, 0, 4));
    VALUE(quartic_diagonal_add, graph, quartic_diagonal_add(NULL, t.x3, t.x2));
    VALUE(quartic_embedding, graph, quartic_embedding(NULL, t.x2, t.indices));
    VALUE(quartic_relative_bias, graph, quartic_relative_bias(NULL, t.x2));
    VALUE(quartic_range, graph, quartic_range(NULL, 4, 0.0f, 1.0f));
    VALUE(quartic_scale, graph, quartic_scale(NULL, t.x2, 2.0f, 0.0f));
    VALUE(quartic_multiply_add_loop, graph, quartic_multiply_add_loop(NULL, t.x2, 0.5f, 0.0f, 2));
    VALUE(quartic_sum, graph, quartic_sum(NULL, t.x2, 1, 0));
    VALUE(quartic_dropout, graph, quartic_dropout(NULL, t.x2, t.indices, 0.5f, 0));
    VALUE(quartic_matmul, graph, quartic_matmul(NULL, t.x2, t.x2, NULL));
    VALUE(quartic_linear, graph, quartic_linear(NULL, t.x2, t.x2, none));
    VALUE(quartic_rms_norm, graph, quartic_rms_norm(NULL, t.x2, none, 1e-5f));
    VALUE(quartic_l2_norm, graph, quartic_l2_norm(NULL, t.x2, t.x2, 0.0f));
    VALUE(quartic_layer_norm, graph, quartic_layer_norm(NULL, t.x2, t.x2, t.x2, 1e-5f));
    VALUE(quartic_gated_linear, graph, quartic_gated_linear(NULL, t.x2, t.x2, t.x2, none));
    VALUE(quartic_gelu_linear, graph, quartic_gelu_linear(NULL, t.x2, t.x2, none));
    VALUE(quartic_softmax, graph, quartic_softmax(NULL, t.x4, none, 0));
    VALUE(quartic_taylor_attention, graph, quartic_taylor_attention(NULL, t.x5, t.x5, t.x5, none, &taylor));
    VALUE(quartic_triangle_attention, graph,
          quartic_triangle_attention(NULL, t.x5, t.x5, t.x5, t.x5, none, none, NULL));
    VALUE(quartic_triple_attention, graph,
          quartic_triple_attention(NULL, t.x5, t.x5, t.x5, t.x5, t.x5, t.x5, t.x4, none, NULL));
    VALUE(quartic_edge_keep, graph, quartic_edge_keep(NULL, t.x3, none, QUARTIC_EDGES_ALL));
    VALUE(quartic_relational_scores, graph,
          quartic_relational_scores(NULL, t.x4, t.x4, t.x4, t.x3, t.x3, NULL));
    VALUE(quartic_relational_values, graph, quartic_relational_values(NULL, t.x4, t.x4, t.x4, t.x3));
    VALUE(quartic_edge_softmax_attention, graph,
          quartic_edge_softmax_attention(NULL, t.x4, t.x4, t.x4, none, none, &edges));
    VALUE(quartic_pair_mask, graph, quartic_pair_mask(NULL, t.indices, NULL));
    VALUE(quartic_coordinate_descent, graph, quartic_coordinate_descent(NULL, t.x2, none, NULL));
    VALUE(quartic_top_k, graph, quartic_top_k(NULL, t.x2, none, 1));
    VALUE(quartic_gather_rows, graph, quartic_gather_rows(NULL, t.x3, t.indices));
    VALUE(quartic_scatter_add_rows, graph, quartic_scatter_add_rows(NULL, t.x3, t.x3, t.indices));
    VALUE(quartic_straight_through, graph, quartic_straight_through(NULL, t.x2));
    VALUE(quartic_stream_exchange, graph, quartic_stream_exchange(NULL, t.x4, t.x2));
    VALUE(quartic_stream_feedforward, graph, quartic_stream_feedforward(NULL, t.x4, t.x2, t.x2, t.x2, 1e-5f));
    VALUE(quartic_cross_entropy, graph, quartic_cross_entropy(NULL, t.x2, t.indices));
    VALUE(quartic_diversity_loss, graph, quartic_diversity_loss(NULL, t.x4, 1));
    VALUE(quartic_sum_squares, graph, quartic_sum_squares(NULL, t.x2));
    VALUE(quartic_accumulate, graph, quartic_accumulate(NULL, t.state, t.x2, 1.0f));
    VALUE(quartic_assign, graph, quartic_assign(NULL, t.state, t.x2));
    VALUE(quartic_fill, graph, quartic_fill(NULL, t.state, 1.0f));

    VALUE(quartic_reshape, shape, quartic_reshape(t.graph, t.x2, NULL));
    VALUE(quartic_permute, axes, quartic_permute(t.graph, t.x2, NULL));
    VALUE(quartic_broadcast, shape, quartic_broadcast(t.graph, t.x2, NULL));
    VALUE(quartic_concat, parts, quartic_concat(t.graph, NULL, 1, 0));
    NOTHING(quartic_norm_linear, graph, quartic_norm_linear(NULL, t.x2, none, &t.x2, 1, &linear, &out));
    NOTHING(quartic_norm_linear, weights, quartic_norm_linear(t.graph, t.x2, none, NULL, 1, &linear, &out));
    NOTHING(quartic_norm_linear, out_products,
            quartic_norm_linear(t.graph, t.x2, none, &t.x2, 1, &linear, NULL));
    NOTHING(quartic_adamw, graph, quartic_adamw(NULL, t.state, t.x2, t.state, t.state, t.x2, none, 1.0f));
}

/* Options that are NULL are the INIT macro's; where that lacks what has no default, the message says so. */
static void options_of_builders(void **state) {
    (void)state;
    quartic_value out = none;
    api_null_make_graph();
    const quartic_value weight = quartic_reshape(t.graph, t.x2, &QUARTIC_SHAPE(2, 3));
    const quartic_value heads = quartic_slice(t.graph, t.x4, 1, 0, 1);                   // (1, 1, 3, 3)
    const quartic_value q = quartic_reshape(t.graph, heads, &QUARTIC_SHAPE(1, 3, 1, 3)); // (b, n, h, d)
    const quartic_value e = quartic_reshape(t.graph, heads, &QUARTIC_SHAPE(1, 3, 3, 1));
    const quartic_value w = quartic_slice(t.graph, quartic_reshape(t.graph, heads, &QUARTIC_SHAPE(3, 3, 1)),
                                          0, 0, 1); // (h, d, De)
    const quartic_value x5 = t.x5;
    FINE_NOTHING(quartic_matmul, options,
                 quartic_matmul(t.graph, t.x2, quartic_permute(t.graph, t.x2, (uint32_t[]){1, 0}), NULL));
    FINE_NOTHING(quartic_norm_linear, options,
                 quartic_norm_linear(t.graph, t.x2, none, &weight, 1, NULL, &out));
    FINE_NOTHING(quartic_triangle_attention, options,
                 quartic_triangle_attention(t.graph, x5, x5, x5, x5, none, none, NULL));
    const quartic_value bias = quartic_slice(t.graph, x5, 4, 0, 1); // (b, n, n, h, 1)
    const quartic_shape edges = quartic_graph_shape(t.graph, x5);
    const quartic_value narrow = quartic_reshape(
        t.graph, bias, &QUARTIC_SHAPE(edges.dims[0], edges.dims[1], edges.dims[2], edges.dims[3]));
    FINE_NOTHING(quartic_triple_attention, options,
                 quartic_triple_attention(t.graph, x5, x5, x5, x5, x5, x5, narrow, none, NULL));
    FINE_NOTHING(quartic_relational_scores, options, quartic_relational_scores(t.graph, q, q, e, w, w, NULL));
    FINE_NOTHING(quartic_coordinate_descent, options, quartic_coordinate_descent(t.graph, t.x2, none, NULL));
    FINE_NOTHING(quartic_pair_mask, options,
                 quartic_pair_mask(t.graph, quartic_reshape(t.graph, t.tokens, &QUARTIC_SHAPE(1, 3)), NULL));
    assert_ok(quartic_graph_status(t.graph));
    see("quartic_taylor_attention", "options");
    assert_int_equal(quartic_taylor_attention(t.graph, x5, x5, x5, none, NULL).id, 0);
    check_message("quartic_taylor_attention", "axis");
    see("quartic_edge_softmax_attention", "options");
    api_null_forget();
    assert_int_equal(quartic_edge_softmax_attention(t.graph, t.x4, t.x4, t.x4, none, none, NULL).id, 0);
    check_message("quartic_edge_softmax_attention", "nodes");
}

static void files(void **state) {
    (void)state;
    quartic_safetensors *file = NULL;
    int32_t whole[LENGTH];
    float real[LENGTH];
    REFUSED(quartic_safetensors_open, path, quartic_safetensors_open(NULL, &file));
    REFUSED(quartic_safetensors_open, out_file, quartic_safetensors_open(data_path, NULL));
    REFUSED(quartic_safetensors_open_memory, bytes, quartic_safetensors_open_memory(NULL, 8, "a", &file));
    REFUSED(quartic_safetensors_open_memory, label, quartic_safetensors_open_memory("", 0, NULL, &file));
    REFUSED(quartic_safetensors_open_memory, out_file, quartic_safetensors_open_memory("", 0, "a", NULL));
    FINE_NOTHING(quartic_safetensors_close, file, quartic_safetensors_close(NULL));
    GETTER(quartic_safetensors_count, file, quartic_safetensors_count(NULL) == 0);
    GETTER(quartic_safetensors_at, file, quartic_safetensors_at(NULL, 0) == NULL);
    GETTER(quartic_safetensors_find, file, quartic_safetensors_find(NULL, "a") == NULL);
    GETTER(quartic_safetensors_find, name, quartic_safetensors_find(t.file, NULL) == NULL);
    GETTER(quartic_safetensors_metadata, file, quartic_safetensors_metadata(NULL, "a") == NULL);
    GETTER(quartic_safetensors_metadata, key, quartic_safetensors_metadata(t.file, NULL) == NULL);
    GETTER(quartic_safetensors_metadata_count, file, quartic_safetensors_metadata_count(NULL) == 0);
    GETTER(quartic_safetensors_metadata_at, file, quartic_safetensors_metadata_at(NULL, 0) == NULL);
    REFUSED(quartic_safetensors_read_int32, file,
            quartic_safetensors_read_int32(NULL, t.entry, whole, LENGTH));
    REFUSED(quartic_safetensors_read_int32, tensor,
            quartic_safetensors_read_int32(t.file, NULL, whole, LENGTH));
    REFUSED(quartic_safetensors_read_int32, out_numbers,
            quartic_safetensors_read_int32(t.file, t.entry, NULL, LENGTH));
    REFUSED(quartic_safetensors_read_float32, file,
            quartic_safetensors_read_float32(NULL, t.entry, real, LENGTH));
    REFUSED(quartic_safetensors_read_float32, tensor,
            quartic_safetensors_read_float32(t.file, NULL, real, LENGTH));
    REFUSED(quartic_safetensors_read_float32, out_numbers,
            quartic_safetensors_read_float32(t.file, t.entry, NULL, LENGTH));
    REFUSED(quartic_safetensors_check_finite, file, quartic_safetensors_check_finite(NULL, t.entry));
    REFUSED(quartic_safetensors_check_finite, tensor, quartic_safetensors_check_finite(t.file, NULL));
    REFUSED(quartic_file_save, path, quartic_file_save(NULL, "a", 1));
    REFUSED(quartic_file_save, bytes, quartic_file_save("x", NULL, 1));
    REFUSED(quartic_safetensors_save, path, quartic_safetensors_save(NULL, NULL, 0, NULL, 0));
    REFUSED(quartic_safetensors_save, tensors, quartic_safetensors_save("x", NULL, 1, NULL, 0));
    REFUSED(quartic_safetensors_save, metadata, quartic_safetensors_save("x", t.entry, 1, NULL, 1));
}

static void models(void **state) {
    (void)state;
    quartic_model_config config = t.config;
    quartic_model *model = NULL;
    quartic_model_parameter parameter;
    quartic_program_memory memory;
    quartic_model_readout readout = QUARTIC_MODEL_READOUT_INIT;
    quartic_model_batch batch = QUARTIC_MODEL_BATCH_INIT;
    quartic_model_inputs inputs = QUARTIC_MODEL_INPUTS_INIT;
    uint64_t elements;
    size_t bytes;
    float logits[LENGTH * 5], loss;
    char text[4096];
    readout.logits = logits;
    batch.batch = 1, batch.length = LENGTH, batch.tokens = tokens, batch.targets = targets;
    assert_ok(quartic_model_get_parameter(t.model, 0, &parameter));
    const char *name = parameter.name;
    float *numbers = calloc(parameter.elements, sizeof numbers[0]);
    const uint64_t size = parameter.elements;
    inputs.tokens = t.tokens;

    REFUSED(quartic_model_config_read_json, inout_config, quartic_model_config_read_json(NULL, "{}"));
    REFUSED(quartic_model_config_read_json, text, quartic_model_config_read_json(&config, NULL));
    REFUSED(quartic_model_config_read_json_file, inout_config,
            quartic_model_config_read_json_file(NULL, json_path));
    REFUSED(quartic_model_config_read_json_file, path, quartic_model_config_read_json_file(&config, NULL));
    REFUSED(quartic_model_config_write_json, config,
            quartic_model_config_write_json(NULL, text, sizeof text, &bytes));
    FINE(quartic_model_config_write_json, out_text,
         quartic_model_config_write_json(&config, NULL, 0, &bytes));
    FINE(quartic_model_config_write_json, out_bytes,
         quartic_model_config_write_json(&config, text, sizeof text, NULL));
    REFUSED(quartic_model_config_check, config, quartic_model_config_check(NULL));
    REFUSED(quartic_model_config_compare, config, quartic_model_config_compare(NULL, "a", &config, "b"));
    REFUSED(quartic_model_config_compare, name, quartic_model_config_compare(&config, NULL, &config, "b"));
    REFUSED(quartic_model_config_compare, other, quartic_model_config_compare(&config, "a", NULL, "b"));
    REFUSED(quartic_model_config_compare, other_name,
            quartic_model_config_compare(&config, "a", &config, NULL));
    REFUSED(quartic_model_config_weights, config, quartic_model_config_weights(NULL, &elements));
    REFUSED(quartic_model_config_weights, out_elements, quartic_model_config_weights(&config, NULL));
    REFUSED(quartic_model_create, device, quartic_model_create(NULL, &config, &model));
    REFUSED(quartic_model_create, config, quartic_model_create(t.device, NULL, &model));
    REFUSED(quartic_model_create, out_model, quartic_model_create(t.device, &config, NULL));
    REFUSED(quartic_model_open, device, quartic_model_open(NULL, model_path, &model));
    REFUSED(quartic_model_open, path, quartic_model_open(t.device, NULL, &model));
    REFUSED(quartic_model_open, out_model, quartic_model_open(t.device, model_path, NULL));
    FINE_NOTHING(quartic_model_destroy, model, quartic_model_destroy(NULL));
    GETTER(quartic_model_get_config, model, quartic_model_get_config(NULL) == NULL);
    GETTER(quartic_model_device, model, quartic_model_device(NULL) == NULL);
    GETTER(quartic_model_loaded_prefix, model, quartic_model_loaded_prefix(NULL) == NULL);
    REFUSED(quartic_model_initialise, model, quartic_model_initialise(NULL, 0));
    GETTER(quartic_model_parameter_count, model, quartic_model_parameter_count(NULL) == 0);
    GETTER(quartic_model_parameter_elements, model, quartic_model_parameter_elements(NULL) == 0);
    REFUSED(quartic_model_get_parameter, model, quartic_model_get_parameter(NULL, 0, &parameter));
    REFUSED(quartic_model_get_parameter, out_parameter, quartic_model_get_parameter(t.model, 0, NULL));
    REFUSED(quartic_model_find_parameter, model, quartic_model_find_parameter(NULL, name, &parameter));
    REFUSED(quartic_model_find_parameter, name, quartic_model_find_parameter(t.model, NULL, &parameter));
    REFUSED(quartic_model_find_parameter, out_parameter, quartic_model_find_parameter(t.model, name, NULL));
    REFUSED(quartic_model_read_parameter, model, quartic_model_read_parameter(NULL, name, numbers, size));
    REFUSED(quartic_model_read_parameter, name, quartic_model_read_parameter(t.model, NULL, numbers, size));
    REFUSED(quartic_model_read_parameter, out_numbers,
            quartic_model_read_parameter(t.model, name, NULL, size));
    REFUSED(quartic_model_write_parameter, model, quartic_model_write_parameter(NULL, name, numbers, size));
    REFUSED(quartic_model_write_parameter, name, quartic_model_write_parameter(t.model, NULL, numbers, size));
    REFUSED(quartic_model_write_parameter, numbers, quartic_model_write_parameter(t.model, name, NULL, size));
    GETTER(quartic_model_weights, model, quartic_model_weights(NULL) == NULL);
    REFUSED(quartic_model_load, model, quartic_model_load(NULL, model_path));
    REFUSED(quartic_model_load, path, quartic_model_load(t.model, NULL));
    REFUSED(quartic_model_save, model, quartic_model_save(NULL, model_path));
    REFUSED(quartic_model_save, path, quartic_model_save(t.model, NULL));

    REFUSED(quartic_model_forward, model, quartic_model_forward(NULL, 1, LENGTH, tokens, NULL, logits));
    REFUSED(quartic_model_forward, tokens, quartic_model_forward(t.model, 1, LENGTH, NULL, NULL, logits));
    FINE(quartic_model_forward, mask, quartic_model_forward(t.model, 1, LENGTH, tokens, NULL, logits));
    REFUSED(quartic_model_forward, out_logits, quartic_model_forward(t.model, 1, LENGTH, tokens, NULL, NULL));
    GETTER(quartic_model_attention_heads, model, quartic_model_attention_heads(NULL) == 0);
    REFUSED(quartic_model_inspect, model, quartic_model_inspect(NULL, 1, LENGTH, tokens, NULL, &readout));
    REFUSED(quartic_model_inspect, tokens, quartic_model_inspect(t.model, 1, LENGTH, NULL, NULL, &readout));
    FINE(quartic_model_inspect, mask, quartic_model_inspect(t.model, 1, LENGTH, tokens, NULL, &readout));
    REFUSED(quartic_model_inspect, readout, quartic_model_inspect(t.model, 1, LENGTH, tokens, NULL, NULL));
    REFUSED(quartic_model_loss, model, quartic_model_loss(NULL, 1, LENGTH, tokens, targets, NULL, &loss));
    REFUSED(quartic_model_loss, tokens, quartic_model_loss(t.model, 1, LENGTH, NULL, targets, NULL, &loss));
    REFUSED(quartic_model_loss, targets, quartic_model_loss(t.model, 1, LENGTH, tokens, NULL, NULL, &loss));
    FINE(quartic_model_loss, mask, quartic_model_loss(t.model, 1, LENGTH, tokens, targets, NULL, &loss));
    REFUSED(quartic_model_loss, out_loss,
            quartic_model_loss(t.model, 1, LENGTH, tokens, targets, NULL, NULL));
    REFUSED(quartic_model_gradients, model,
            quartic_model_gradients(NULL, 1, LENGTH, tokens, targets, NULL, &loss));
    REFUSED(quartic_model_gradients, tokens,
            quartic_model_gradients(t.model, 1, LENGTH, NULL, targets, NULL, &loss));
    REFUSED(quartic_model_gradients, targets,
            quartic_model_gradients(t.model, 1, LENGTH, tokens, NULL, NULL, &loss));
    FINE(quartic_model_gradients, mask,
         quartic_model_gradients(t.model, 1, LENGTH, tokens, targets, NULL, &loss));
    REFUSED(quartic_model_gradients, out_loss,
            quartic_model_gradients(t.model, 1, LENGTH, tokens, targets, NULL, NULL));
    REFUSED(quartic_model_read_gradient, model, quartic_model_read_gradient(NULL, name, numbers, size));
    REFUSED(quartic_model_read_gradient, name, quartic_model_read_gradient(t.model, NULL, numbers, size));
    REFUSED(quartic_model_read_gradient, out_numbers, quartic_model_read_gradient(t.model, name, NULL, size));
    GETTER(quartic_model_logit_rows, model, quartic_model_logit_rows(NULL, 1, 1) == 0);
    REFUSED(quartic_model_forward_batch, model, quartic_model_forward_batch(NULL, &batch, logits));
    REFUSED(quartic_model_forward_batch, batch, quartic_model_forward_batch(t.model, NULL, logits));
    REFUSED(quartic_model_forward_batch, out_logits, quartic_model_forward_batch(t.model, &batch, NULL));
    REFUSED(quartic_model_inspect_batch, model, quartic_model_inspect_batch(NULL, &batch, &readout));
    REFUSED(quartic_model_inspect_batch, batch, quartic_model_inspect_batch(t.model, NULL, &readout));
    REFUSED(quartic_model_inspect_batch, readout, quartic_model_inspect_batch(t.model, &batch, NULL));
    REFUSED(quartic_model_loss_batch, model, quartic_model_loss_batch(NULL, &batch, &loss));
    REFUSED(quartic_model_loss_batch, batch, quartic_model_loss_batch(t.model, NULL, &loss));
    REFUSED(quartic_model_loss_batch, out_loss, quartic_model_loss_batch(t.model, &batch, NULL));
    REFUSED(quartic_model_gradients_batch, model, quartic_model_gradients_batch(NULL, &batch, &loss));
    REFUSED(quartic_model_gradients_batch, batch, quartic_model_gradients_batch(t.model, NULL, &loss));
    REFUSED(quartic_model_gradients_batch, out_loss, quartic_model_gradients_batch(t.model, &batch, NULL));
    REFUSED(quartic_model_measure, model, quartic_model_measure(NULL, 1, LENGTH, 0, 0, &memory));
    REFUSED(quartic_model_measure, out_memory, quartic_model_measure(t.model, 1, LENGTH, 0, 0, NULL));
    VALUE(quartic_model_append, model, quartic_model_append(NULL, t.graph, t.parameters, t.tokens, none));
    VALUE(quartic_model_append, graph, quartic_model_append(t.model, NULL, t.parameters, t.tokens, none));
    REFUSED(quartic_model_declare_inputs, model,
            quartic_model_declare_inputs(NULL, t.graph, 1, 2, 0, &inputs));
    REFUSED(quartic_model_declare_inputs, graph,
            quartic_model_declare_inputs(t.model, NULL, 1, 2, 0, &inputs));
    REFUSED(quartic_model_declare_inputs, out_inputs,
            quartic_model_declare_inputs(t.model, t.graph, 1, 2, 0, NULL));
    VALUE(quartic_model_append_inputs, model,
          quartic_model_append_inputs(NULL, t.graph, t.parameters, &inputs));
    VALUE(quartic_model_append_inputs, graph,
          quartic_model_append_inputs(t.model, NULL, t.parameters, &inputs));
    VALUE(quartic_model_append_inputs, inputs,
          quartic_model_append_inputs(t.model, t.graph, t.parameters, NULL));
    free(numbers);
}

static void training_and_data(void **state) {
    (void)state;
    quartic_trainer *trainer = NULL;
    quartic_dataset *dataset = NULL;
    quartic_program_memory memory;
    quartic_step_report report;
    quartic_trainer_config saved;
    quartic_model_config config = t.config;
    quartic_evaluation evaluation;
    quartic_model_batch batch = QUARTIC_MODEL_BATCH_INIT;
    const uint32_t graph = 0;
    int32_t sampled[2], next[2];
    batch.batch = 1, batch.length = LENGTH, batch.tokens = tokens, batch.targets = targets;

    REFUSED(quartic_trainer_create, model, quartic_trainer_create(NULL, &t.training, &trainer));
    REFUSED(quartic_trainer_create, config, quartic_trainer_create(t.model, NULL, &trainer));
    REFUSED(quartic_trainer_create, out_trainer, quartic_trainer_create(t.model, &t.training, NULL));
    FINE_NOTHING(quartic_trainer_destroy, trainer, quartic_trainer_destroy(NULL));
    GETTER(quartic_trainer_get_config, trainer, quartic_trainer_get_config(NULL) == NULL);
    REFUSED(quartic_trainer_measure, model, quartic_trainer_measure(NULL, &t.training, &memory));
    REFUSED(quartic_trainer_measure, config, quartic_trainer_measure(t.model, NULL, &memory));
    REFUSED(quartic_trainer_measure, out_memory, quartic_trainer_measure(t.model, &t.training, NULL));
    REFUSED(quartic_trainer_step, trainer, quartic_trainer_step(NULL, tokens, targets, NULL, &report));
    REFUSED(quartic_trainer_step, tokens, quartic_trainer_step(t.trainer, NULL, targets, NULL, &report));
    REFUSED(quartic_trainer_step, targets, quartic_trainer_step(t.trainer, tokens, NULL, NULL, &report));
    FINE(quartic_trainer_step, mask, quartic_trainer_step(t.trainer, tokens, targets, NULL, &report));
    FINE(quartic_trainer_step, out_report, quartic_trainer_step(t.trainer, tokens, targets, NULL, NULL));
    REFUSED(quartic_trainer_step_batch, trainer, quartic_trainer_step_batch(NULL, &batch, &report));
    REFUSED(quartic_trainer_step_batch, batch, quartic_trainer_step_batch(t.trainer, NULL, &report));
    FINE(quartic_trainer_step_batch, out_report, quartic_trainer_step_batch(t.trainer, &batch, NULL));
    static const int32_t text[] = {0, 1, 2, 3, 4, 0};
    REFUSED(quartic_trainer_step_sampled, trainer, quartic_trainer_step_sampled(NULL, text, 6, &report));
    REFUSED(quartic_trainer_step_sampled, data, quartic_trainer_step_sampled(t.trainer, NULL, 6, &report));
    FINE(quartic_trainer_step_sampled, out_report, quartic_trainer_step_sampled(t.trainer, text, 6, NULL));
    REFUSED(quartic_trainer_wait, trainer, quartic_trainer_wait(NULL, &report));
    FINE(quartic_trainer_wait, out_report, quartic_trainer_wait(t.trainer, NULL));
    GETTER(quartic_trainer_get_report, trainer, quartic_trainer_get_report(NULL).step == 0);
    GETTER(quartic_trainer_get_step, trainer, quartic_trainer_get_step(NULL) == 0);
    GETTER(quartic_trainer_get_position, trainer, quartic_trainer_get_position(NULL) == 0);
    NOTHING(quartic_trainer_set_trial, trainer, quartic_trainer_set_trial(NULL, 1));
    REFUSED(quartic_trainer_set_note, trainer, quartic_trainer_set_note(NULL, "a"));
    REFUSED(quartic_trainer_set_note, note, quartic_trainer_set_note(t.trainer, NULL));
    GETTER(quartic_trainer_get_note, trainer, quartic_trainer_get_note(NULL)[0] == 0);
    NOTHING(quartic_trainer_set_position, trainer, quartic_trainer_set_position(NULL, 1));
    GETTER(quartic_learning_rate, config, quartic_learning_rate(NULL, 1) == 0.0f);
    REFUSED(quartic_batch_sample, data, quartic_batch_sample(NULL, 6, 0, 0, 1, 2, sampled, next));
    REFUSED(quartic_batch_sample, out_tokens, quartic_batch_sample(text, 6, 0, 0, 1, 2, NULL, next));
    REFUSED(quartic_batch_sample, out_targets, quartic_batch_sample(text, 6, 0, 0, 1, 2, sampled, NULL));
    REFUSED(quartic_trainer_save, trainer, quartic_trainer_save(NULL, checkpoint_path));
    REFUSED(quartic_trainer_save, path, quartic_trainer_save(t.trainer, NULL));
    REFUSED(quartic_trainer_load, trainer, quartic_trainer_load(NULL, checkpoint_path));
    REFUSED(quartic_trainer_load, path, quartic_trainer_load(t.trainer, NULL));
    REFUSED(quartic_trainer_config_read, path, quartic_trainer_config_read(NULL, &saved));
    REFUSED(quartic_trainer_config_read, out_config, quartic_trainer_config_read(checkpoint_path, NULL));

    REFUSED(quartic_dataset_open, path, quartic_dataset_open(NULL, &dataset));
    REFUSED(quartic_dataset_open, out_dataset, quartic_dataset_open(data_path, NULL));
    FINE_NOTHING(quartic_dataset_close, dataset, quartic_dataset_close(NULL));
    GETTER(quartic_dataset_get_info, dataset, quartic_dataset_get_info(NULL) == NULL);
    REFUSED(quartic_dataset_configure, dataset, quartic_dataset_configure(NULL, &config));
    REFUSED(quartic_dataset_configure, inout_config, quartic_dataset_configure(t.dataset, NULL));
    REFUSED(quartic_dataset_check, dataset, quartic_dataset_check(NULL, &config));
    REFUSED(quartic_dataset_check, config, quartic_dataset_check(t.dataset, NULL));
    REFUSED(quartic_dataset_gather, dataset, quartic_dataset_gather(NULL, &graph, 1, &batch));
    REFUSED(quartic_dataset_gather, graphs, quartic_dataset_gather(t.dataset, NULL, 1, &batch));
    REFUSED(quartic_dataset_gather, out_batch, quartic_dataset_gather(t.dataset, &graph, 1, NULL));
    REFUSED(quartic_trainer_step_dataset, trainer, quartic_trainer_step_dataset(NULL, t.dataset, &report));
    REFUSED(quartic_trainer_step_dataset, dataset, quartic_trainer_step_dataset(t.trainer, NULL, &report));
    FINE(quartic_trainer_step_dataset, out_report, quartic_trainer_step_dataset(t.trainer, t.dataset, NULL));
    REFUSED(quartic_dataset_evaluate, dataset, quartic_dataset_evaluate(NULL, t.model, 1, &evaluation));
    REFUSED(quartic_dataset_evaluate, model, quartic_dataset_evaluate(t.dataset, NULL, 1, &evaluation));
    REFUSED(quartic_dataset_evaluate, out_evaluation, quartic_dataset_evaluate(t.dataset, t.model, 1, NULL));
}

static void api_null_hear(void *context, const quartic_check *check) {
    (void)check;
    ++*(uint32_t *)context;
}

static void ignore(void *context, const quartic_check *check) {
    (void)context;
    (void)check;
}

static void estimates(void **state) {
    (void)state;
    quartic_device_limits limits = QUARTIC_DEVICE_LIMITS_INIT;
    quartic_estimate *estimate = NULL;
    quartic_estimate_arena arena;
    quartic_estimate_dispatch dispatch;
    api_null_make_graph();
    quartic_graph_output(t.graph, "y", quartic_exp(t.graph, t.x2));
    const quartic_estimate_part part = {t.graph, 1}, no_graph = {NULL, 1};
    REFUSED(quartic_device_limits_find, inout_limits, quartic_device_limits_find(NULL, "h200"));
    REFUSED(quartic_device_limits_find, name, quartic_device_limits_find(&limits, NULL));
    REFUSED(quartic_device_limits_read_json, inout_limits, quartic_device_limits_read_json(NULL, "{}"));
    REFUSED(quartic_device_limits_read_json, text, quartic_device_limits_read_json(&limits, NULL));
    REFUSED(quartic_device_get_limits, device, quartic_device_get_limits(NULL, &limits));
    REFUSED(quartic_device_get_limits, inout_limits, quartic_device_get_limits(t.device, NULL));
    assert_int_equal(quartic_device_get_limits(t.device, &limits), QUARTIC_UNSUPPORTED);
    assert_message("is no Vulkan device");
    REFUSED(quartic_estimate_create, parts, quartic_estimate_create(NULL, 1, &limits, &estimate));
    REFUSED(quartic_estimate_create, limits, quartic_estimate_create(&part, 1, NULL, &estimate));
    REFUSED(quartic_estimate_create, out_estimate, quartic_estimate_create(&part, 1, &limits, NULL));
    REFUSED(quartic_model_estimate, model, quartic_model_estimate(NULL, 1, LENGTH, 0, &limits, &estimate));
    REFUSED(quartic_model_estimate, limits, quartic_model_estimate(t.model, 1, LENGTH, 0, NULL, &estimate));
    REFUSED(quartic_model_estimate, out_estimate,
            quartic_model_estimate(t.model, 1, LENGTH, 0, &limits, NULL));
    REFUSED(quartic_trainer_estimate, model, quartic_trainer_estimate(NULL, &t.training, &limits, &estimate));
    REFUSED(quartic_trainer_estimate, config, quartic_trainer_estimate(t.model, NULL, &limits, &estimate));
    REFUSED(quartic_trainer_estimate, limits,
            quartic_trainer_estimate(t.model, &t.training, NULL, &estimate));
    REFUSED(quartic_trainer_estimate, out_estimate,
            quartic_trainer_estimate(t.model, &t.training, &limits, NULL));
    FINE_NOTHING(quartic_estimate_destroy, estimate, quartic_estimate_destroy(NULL));
    GETTER(quartic_estimate_get_info, estimate, quartic_estimate_get_info(NULL).dispatches == 0);
    REFUSED(quartic_estimate_get_arena, estimate, quartic_estimate_get_arena(NULL, 0, &arena));
    REFUSED(quartic_estimate_get_dispatch, estimate, quartic_estimate_get_dispatch(NULL, 0, &dispatch));
#ifdef QUARTIC_TEST_VULKAN /* else there is never an estimate */
    assert_int_equal(quartic_estimate_create(&no_graph, 1, &limits, &estimate), QUARTIC_INVALID_ARGUMENT);
    assert_ok(quartic_estimate_create(&part, 1, &limits, &estimate));
#else
    (void)no_graph;
    estimate = (quartic_estimate *)&limits; /* any address: only the argument that is NULL is looked at */
#endif
    REFUSED(quartic_estimate_get_arena, out_arena, quartic_estimate_get_arena(estimate, 0, NULL));
    REFUSED(quartic_estimate_get_dispatch, out_dispatch, quartic_estimate_get_dispatch(estimate, 0, NULL));
    quartic_estimate_destroy(estimate);
}

static void checks_and_settings(void **state) {
    (void)state;
    quartic_check_totals totals;
    quartic_validate_config one = QUARTIC_VALIDATE_CONFIG_INIT;
    one.op = "pad", one.case_index = 0;
    uint32_t heard = 0;
    const char *const paths[] = {data_path};
    const quartic_feed feed = {"x2", &(float[6]){0}, 24};
    api_null_make_graph();
    quartic_graph_output(t.graph, "y", quartic_exp(t.graph, t.x2));

    REFUSED(quartic_validate, device, quartic_validate(NULL, &one, &totals));
    FINE(quartic_validate, out_totals, quartic_validate(t.device, &one, NULL));
    FINE(quartic_check_gradients, out_totals, quartic_check_gradients(&one, NULL));
    /* NULL as the config: all ops, which other tests run; here it is only read. */
    see("quartic_validate", "config"), see("quartic_check_gradients", "config");
    quartic_tune_totals tuned;
    REFUSED(quartic_tune, device, quartic_tune(NULL, t.graph, NULL, &tuned));
    REFUSED(quartic_tune, graph, quartic_tune(t.device, NULL, NULL, &tuned));
    see("quartic_tune", "config"),
        see("quartic_tune", "out_totals"); /* of a Vulkan device: vulkan.tool_tune */
    assert_int_equal(quartic_tune(t.device, t.graph, NULL, NULL), QUARTIC_UNSUPPORTED);
    GETTER(quartic_device_tuning_hash, device, quartic_device_tuning_hash(NULL) == 0);
    REFUSED(quartic_device_ignore_tuning, device, quartic_device_ignore_tuning(NULL));
    REFUSED(quartic_verify, device, quartic_verify(NULL, paths, 1, api_null_hear, &heard, &totals));
    REFUSED(quartic_verify, paths, quartic_verify(t.device, NULL, 1, api_null_hear, &heard, &totals));
    FINE(quartic_verify, callback, quartic_verify(t.device, paths, 1, NULL, &heard, &totals));
    FINE(quartic_verify, context, quartic_verify(t.device, paths, 1, ignore, NULL, &totals));
    FINE(quartic_verify, out_totals, quartic_verify(t.device, paths, 1, api_null_hear, &heard, NULL));
    assert_int_equal(heard, 1);
    REFUSED(quartic_compare_devices, device,
            quartic_compare_devices(NULL, t.device, t.graph, &feed, 1, api_null_hear, &heard, &totals));
    REFUSED(quartic_compare_devices, trusted,
            quartic_compare_devices(t.device, NULL, t.graph, &feed, 1, api_null_hear, &heard, &totals));
    REFUSED(quartic_compare_devices, graph,
            quartic_compare_devices(t.device, t.device, NULL, &feed, 1, api_null_hear, &heard, &totals));
    REFUSED(quartic_compare_devices, feeds,
            quartic_compare_devices(t.device, t.device, t.graph, NULL, 1, api_null_hear, &heard, &totals));
    FINE(quartic_compare_devices, callback,
         quartic_compare_devices(t.device, t.device, t.graph, &feed, 1, NULL, &heard, &totals));
    FINE(quartic_compare_devices, context,
         quartic_compare_devices(t.device, t.device, t.graph, &feed, 1, ignore, NULL, &totals));
    FINE(quartic_compare_devices, out_totals,
         quartic_compare_devices(t.device, t.device, t.graph, &feed, 1, api_null_hear, &heard, NULL));

    FINE_NOTHING(quartic_log_set, callback, quartic_log_set(NULL, &heard));
    FINE_NOTHING(quartic_log_set, context, quartic_log_set(NULL, NULL));
    /* NULL is the standard allocator; here memory is held, which is another refusal. */
    see("quartic_allocator_set", "allocator");
    assert_int_equal(quartic_allocator_set(NULL), QUARTIC_INVALID_ARGUMENT);
    check_message("quartic_allocator_set", "blocks");
}

#ifdef QUARTIC_TEST_VULKAN
static void vulkan_calls(void **state) {
    (void)state;
    VkPhysicalDeviceVulkan12Features features_12 = {.timelineSemaphore = VK_FALSE};
    VkPhysicalDeviceVulkan13Features features_13 = {.synchronization2 = VK_FALSE};
    quartic_vulkan_config config = QUARTIC_VULKAN_CONFIG_INIT;
    quartic_vulkan_handles handles;
    quartic_device *device = NULL;
    quartic_tensor *tensor = NULL;
    VkBuffer buffer = VK_NULL_HANDLE;
    VkDeviceSize offset = 0;
    VkDeviceAddress address = 0;
    const quartic_shape shape = QUARTIC_SHAPE(2, 3);
    FINE_NOTHING(quartic_vulkan_enable_features, features_12,
                 quartic_vulkan_enable_features(NULL, &features_13));
    FINE_NOTHING(quartic_vulkan_enable_features, features_13,
                 quartic_vulkan_enable_features(&features_12, NULL));
    assert_true(features_12.timelineSemaphore == VK_TRUE && features_13.synchronization2 == VK_TRUE);
    REFUSED(quartic_vulkan_device_adopt, config, quartic_vulkan_device_adopt(NULL, &device));
    REFUSED(quartic_vulkan_device_adopt, out_device, quartic_vulkan_device_adopt(&config, NULL));
    REFUSED(quartic_vulkan_device_handles, device, quartic_vulkan_device_handles(NULL, &handles));
    REFUSED(quartic_vulkan_device_handles, out_handles, quartic_vulkan_device_handles(t.device, NULL));
    REFUSED(quartic_vulkan_tensor_wrap, device,
            quartic_vulkan_tensor_wrap(NULL, buffer, 0, QUARTIC_FLOAT32, &shape, &tensor));
    REFUSED(quartic_vulkan_tensor_wrap, buffer,
            quartic_vulkan_tensor_wrap(t.device, buffer, 0, QUARTIC_FLOAT32, &shape, &tensor));
    REFUSED(quartic_vulkan_tensor_wrap, shape,
            quartic_vulkan_tensor_wrap(t.device, buffer, 0, QUARTIC_FLOAT32, NULL, &tensor));
    REFUSED(quartic_vulkan_tensor_wrap, out_tensor,
            quartic_vulkan_tensor_wrap(t.device, buffer, 0, QUARTIC_FLOAT32, &shape, NULL));
    REFUSED(quartic_vulkan_tensor_buffer, tensor,
            quartic_vulkan_tensor_buffer(NULL, &buffer, &offset, &address));
    REFUSED(quartic_vulkan_tensor_buffer, out_buffer,
            quartic_vulkan_tensor_buffer(t.tensor, NULL, &offset, &address));
    REFUSED(quartic_vulkan_tensor_buffer, out_offset,
            quartic_vulkan_tensor_buffer(t.tensor, &buffer, NULL, &address));
    REFUSED(quartic_vulkan_tensor_buffer, out_address,
            quartic_vulkan_tensor_buffer(t.tensor, &buffer, &offset, NULL));
    REFUSED(quartic_program_record, program, quartic_program_record(NULL, NULL));
    REFUSED(quartic_program_record, command_buffer, quartic_program_record(t.program, NULL));
}
#endif

/* The mistake of a mistyped name: the message gives the name that was not found. */
static void a_mistyped_name_is_told_where_it_is_used(void **state) {
    (void)state;
    const float data[6] = {0};
    assert_int_equal(quartic_tensor_write(quartic_program_tensor(t.program, "x22"), data, sizeof data),
                     QUARTIC_INVALID_ARGUMENT);
    check_message("quartic_tensor_write", "x22");
    assert_null(quartic_program_tensor(t.program, "x22"));
    check_message("quartic_program_tensor", "x2"); /* among the names that there are */
    assert_non_null(quartic_program_tensor(t.program, "x2"));
    assert_int_equal(quartic_tensor_write(NULL, data, sizeof data), QUARTIC_INVALID_ARGUMENT);
    assert_null(strstr(quartic_error_message(), "x22"));
}

/* ---- whether the table is whole ---- */

static api_list declared;

static bool is_seen(const char *function, const char *argument) {
    for (uint32_t k = 0; k < seen_count; ++k)
        if (strcmp(seen[k].function, function) == 0 && strcmp(seen[k].argument, argument) == 0) return true;
    return false;
}

static bool is_built(const api_function *function) {
#ifdef QUARTIC_TEST_VULKAN
    (void)function;
    return true;
#else
    return !function->of_vulkan;
#endif
}

static void every_pointer_of_the_headers_is_in_the_table(void **state) {
    (void)state;
    assert_true(api_read_all(&declared, QUARTIC_TEST_SOURCE));
    assert_true(declared.count > 150);
    uint32_t missing = 0, pointers = 0;
    for (uint32_t f = 0; f < declared.count; ++f) {
        const api_function *function = &declared.functions[f];
        if (!is_built(function)) continue;
        for (uint32_t p = 0; p < function->pointer_count; ++p, ++pointers) {
            if (is_seen(function->name, function->pointers[p])) continue;
            fprintf(stderr, "the table lacks %s with %s NULL\n", function->name, function->pointers[p]);
            ++missing;
        }
    }
    assert_true(pointers > 300);
    assert_int_equal(missing, 0);
}

static bool is_declared(const char *name) {
    for (uint32_t f = 0; f < declared.count; ++f)
        if (strcmp(declared.functions[f].name, name) == 0) return true;
    return false;
}

static void every_exported_symbol_is_declared_in_a_header(void **state) {
    (void)state;
    FILE *symbols = popen("nm -D --defined-only '" QUARTIC_TEST_LIBRARY "'", "r");
    assert_non_null(symbols);
    char line[512];
    uint32_t exported = 0, missing = 0, built = 0;
    while (fgets(line, sizeof line, symbols) != NULL) {
        char name[API_NAME * 2] = "", kind = 0;
        if (sscanf(line, "%*s %c %127s", &kind, name) != 2 || strncmp(name, "quartic_", 8) != 0) continue;
        ++exported;
        if (is_declared(name)) continue;
        fprintf(stderr, "%s is exported, but no header declares it\n", name);
        ++missing;
    }
    assert_int_equal(pclose(symbols), 0);
    for (uint32_t f = 0; f < declared.count; ++f) built += is_built(&declared.functions[f]);
    assert_int_equal(missing, 0);
    assert_int_equal(exported, built);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(devices_tensors_and_programs),
        cmocka_unit_test(pointers_inside_structs),
        cmocka_unit_test(graphs),
        cmocka_unit_test(options_of_builders),
        cmocka_unit_test(files),
        cmocka_unit_test(models),
        cmocka_unit_test(training_and_data),
        cmocka_unit_test(estimates),
        cmocka_unit_test(checks_and_settings),
#ifdef QUARTIC_TEST_VULKAN
        cmocka_unit_test(vulkan_calls),
#endif
        cmocka_unit_test(a_mistyped_name_is_told_where_it_is_used),
        cmocka_unit_test(every_pointer_of_the_headers_is_in_the_table),
        cmocka_unit_test(every_exported_symbol_is_declared_in_a_header),
    };
    return cmocka_run_group_tests(tests, api_null_begin, api_null_end);
}
