/* api_misuse_test.c: counts of 0, objects of another device, file or graph, and what is out of range.
 *
 * All are INVALID_ARGUMENT with a message, never a crash, never INTERNAL, and what was called with them
 * works as before. tests/cpu/api_null_test.c has NULL; builders of graphs have tests of their own.
 */
#include "expect.h"

#include "base/alloc.h"
#include "quartic/quartic.h"

enum { LENGTH = 3 };

static const char data_path[] = "api_misuse_data.safetensors", other_path[] = "api_misuse_other.safetensors";

static quartic_device *cpu, *reference;
static quartic_model *model;
static quartic_trainer *trainer;
static quartic_dataset *dataset;

static const int32_t tokens[LENGTH] = {0, 4, 2}, targets[LENGTH] = {1, 2, 3};
static const quartic_value none = {0};

static void api_misuse_refused(quartic_status status, const char *part) {
    if (status != QUARTIC_INVALID_ARGUMENT)
        fail_msg("%s: %s", quartic_status_name(status), quartic_error_message());
    if (strstr(quartic_error_message(), part) == NULL)
        fail_msg("\"%s\" lacks \"%s\"", quartic_error_message(), part);
}

static quartic_model_config api_misuse_small_config(void) {
    quartic_model_config config = QUARTIC_MODEL_CONFIG_INIT;
    config.num_tokens = 5, config.dim = 8, config.depth = 1, config.dim_edges = 4;
    return config;
}

static void api_misuse_save(const char *path, const char *name, const int32_t *numbers, const char *second) {
    const quartic_safetensors_tensor tensors[] = {
        {name, QUARTIC_SAFETENSORS_I32, {.rank = 2, .dims = {1, LENGTH}}, numbers, 0},
        {second, QUARTIC_SAFETENSORS_I32, {.rank = 2, .dims = {1, LENGTH}}, targets, 0}};
    assert_ok(quartic_safetensors_save(path, tensors, 2, NULL, 0));
}

static int api_misuse_begin(void **state) {
    (void)state;
    const quartic_model_config config = api_misuse_small_config();
    quartic_trainer_config training = QUARTIC_TRAINER_CONFIG_INIT;
    training.batch = 1, training.length = LENGTH;
    api_misuse_save(data_path, "tokens", tokens, "targets");
    api_misuse_save(other_path, "a", tokens, "b");
    assert_ok(quartic_device_create("cpu", &cpu));
    assert_ok(quartic_device_create("reference", &reference));
    assert_ok(quartic_model_create(cpu, &config, &model));
    assert_ok(quartic_trainer_create(model, &training, &trainer));
    assert_ok(quartic_dataset_open(data_path, &dataset));
    return 0;
}

static int api_misuse_end(void **state) {
    (void)state;
    quartic_dataset_close(dataset);
    quartic_trainer_destroy(trainer);
    quartic_model_destroy(model);
    quartic_device_destroy(reference);
    quartic_device_destroy(cpu);
    remove(data_path), remove(other_path);
    return quartic_alloc_live() != 0;
}

static void counts_of_zero(void **state) {
    (void)state;
    float logits[LENGTH * 5], loss;
    quartic_model_batch batch = QUARTIC_MODEL_BATCH_INIT;
    quartic_program_memory memory;
    quartic_evaluation evaluation;
    quartic_check_totals totals;
    int32_t drawn[4], next[4];
    const char *const paths[] = {data_path};
    const uint32_t graph = 0;
    api_misuse_refused(quartic_model_forward(model, 0, LENGTH, tokens, NULL, logits), "at least one of each");
    api_misuse_refused(quartic_model_forward(model, 1, 0, tokens, NULL, logits), "at least one of each");
    api_misuse_refused(quartic_model_loss(model, 0, 0, tokens, targets, NULL, &loss), "at least one of each");
    api_misuse_refused(quartic_model_gradients(model, 0, LENGTH, tokens, targets, NULL, &loss),
                       "at least one of each");
    api_misuse_refused(quartic_model_forward_batch(model, &batch, logits), "at least one of each");
    api_misuse_refused(quartic_model_measure(model, 0, LENGTH, 0, 0, &memory), "at least one of each");
    api_misuse_refused(quartic_batch_sample(tokens, 3, 0, 0, 0, 2, drawn, next), "0 rows");
    api_misuse_refused(quartic_batch_sample(tokens, 3, 0, 0, 2, 0, drawn, next), "of 0 tokens");
    api_misuse_refused(quartic_batch_sample(tokens, 0, 0, 0, 1, 2, drawn, next), "too few");
    api_misuse_refused(quartic_trainer_step_sampled(trainer, tokens, 0, NULL), "too few");
    api_misuse_refused(quartic_dataset_gather(dataset, &graph, 0, &batch), "0 graphs");
    api_misuse_refused(quartic_dataset_evaluate(dataset, model, 0, &evaluation), "0 graphs");
    api_misuse_refused(quartic_verify(cpu, paths, 0, NULL, NULL, &totals), "count is 0");
    assert_int_equal(quartic_dataset_shuffled(0, 1, 2), 0);
    assert_non_null(strstr(quartic_error_message(), "quartic_dataset_shuffled: count is 0"));
    api_misuse_refused(
        quartic_tensor_create(cpu, QUARTIC_FLOAT32, &QUARTIC_SHAPE(2, 0), &(quartic_tensor *){NULL}),
        "1 to 2147483647 elements");
}

static void sizes_that_overflow(void **state) {
    (void)state;
    float loss;
    api_misuse_refused(quartic_model_loss(model, UINT32_MAX, LENGTH, tokens, targets, NULL, &loss),
                       "2147483647");
    api_misuse_refused(quartic_model_loss(model, 1, UINT32_MAX, tokens, targets, NULL, &loss),
                       "at most max_seq_len");
    api_misuse_refused(quartic_model_loss(model, UINT32_MAX, 2, tokens, targets, NULL, &loss), "2147483647");
    api_misuse_refused(quartic_tensor_create(cpu, QUARTIC_FLOAT32,
                                             &QUARTIC_SHAPE(UINT32_MAX, UINT32_MAX, UINT32_MAX),
                                             &(quartic_tensor *){0}),
                       "1 to 2147483647 elements");
    api_misuse_refused(quartic_tensor_create(cpu, QUARTIC_FLOAT32, &(quartic_shape){.rank = UINT32_MAX},
                                             &(quartic_tensor *){0}),
                       "at most 6 axes");
    assert_true(quartic_shape_elements(&(quartic_shape){.rank = 77}) == 0);
}

static void tensors_of_another_device(void **state) {
    (void)state;
    quartic_graph *graph;
    quartic_program *program = NULL;
    quartic_tensor *foreign, *workspace;
    quartic_program_memory memory;
    assert_ok(quartic_graph_create(&graph));
    quartic_value x = quartic_graph_input(graph, "x", QUARTIC_FLOAT32, &QUARTIC_SHAPE(4));
    quartic_graph_output(graph, "y", quartic_rms_norm(graph, quartic_exp(graph, x), none, 1e-5f));
    assert_ok(quartic_tensor_create(reference, QUARTIC_FLOAT32, &QUARTIC_SHAPE(4), &foreign));
    assert_ok(quartic_tensor_create(reference, QUARTIC_FLOAT32, &QUARTIC_SHAPE(4096), &workspace));
    const quartic_binding binding = {"x", foreign};
    quartic_program_config config = QUARTIC_PROGRAM_CONFIG_INIT;
    config.bindings = &binding, config.binding_count = 1;
    api_misuse_refused(quartic_program_create(cpu, graph, &config, &program), "another device (reference)");
    api_misuse_refused(quartic_program_measure(cpu, graph, &config, &memory), "another device (reference)");
    config = (quartic_program_config)QUARTIC_PROGRAM_CONFIG_INIT;
    config.workspace = workspace;
    api_misuse_refused(quartic_program_create(cpu, graph, &config, &program), "another device (reference)");
    api_misuse_refused(quartic_program_measure(cpu, graph, &config, &memory), "another device (reference)");
    assert_null(program);
    quartic_tensor_destroy(workspace);
    quartic_tensor_destroy(foreign);
    quartic_graph_destroy(graph);

    quartic_model_config with_weights = api_misuse_small_config();
    quartic_model *other = NULL;
    uint64_t elements;
    assert_ok(quartic_model_config_weights(&with_weights, &elements));
    assert_ok(quartic_tensor_create(reference, QUARTIC_FLOAT32, &QUARTIC_SHAPE((uint32_t)elements),
                                    &with_weights.weights));
    api_misuse_refused(quartic_model_create(cpu, &with_weights, &other), "another device (reference)");
    assert_null(other);
    quartic_tensor_destroy(with_weights.weights);
}

static void tensors_of_another_file(void **state) {
    (void)state;
    quartic_safetensors *file, *other;
    int32_t numbers[LENGTH];
    assert_ok(quartic_safetensors_open(data_path, &file));
    assert_ok(quartic_safetensors_open(other_path, &other));
    const quartic_safetensors_tensor *own = quartic_safetensors_find(file, "tokens");
    api_misuse_refused(quartic_safetensors_read_int32(other, own, numbers, LENGTH),
                       "is none of api_misuse_other");
    api_misuse_refused(quartic_safetensors_check_finite(other, own), "is none of");
    quartic_safetensors_tensor made_up = *own;
    assert_ok(quartic_safetensors_read_int32(file, &made_up, numbers, LENGTH)); /* a copy of the entry */
    made_up.shape = QUARTIC_SHAPE(1000, 1000);
    api_misuse_refused(quartic_safetensors_read_int32(file, &made_up, numbers, 1000000), "is none of");
    made_up.shape.rank = 99;
    api_misuse_refused(quartic_safetensors_read_int32(file, &made_up, numbers, LENGTH), "is none of");
    api_misuse_refused(quartic_safetensors_save("api_misuse_x", &made_up, 1, NULL, 0), "at most 6 axes");
    made_up = *own;
    made_up.dtype = (quartic_safetensors_dtype)99;
    api_misuse_refused(quartic_safetensors_save("api_misuse_x", &made_up, 1, NULL, 0), "known dtype");
    assert_null(fopen("api_misuse_x", "rb"));
    quartic_safetensors_close(other);
    quartic_safetensors_close(file);
}

static void values_of_another_graph(void **state) {
    (void)state;
    quartic_graph *graph, *other;
    uint64_t elements;
    const quartic_model_config config = api_misuse_small_config();
    assert_ok(quartic_model_config_weights(&config, &elements));
    assert_ok(quartic_graph_create(&graph));
    assert_ok(quartic_graph_create(&other));
    quartic_value parameters = quartic_graph_parameter(graph, "p", &QUARTIC_SHAPE((uint32_t)elements));
    quartic_value foreign = quartic_graph_input(other, "t", QUARTIC_INT32, &QUARTIC_SHAPE(1, LENGTH));
    assert_int_equal(quartic_model_append(model, graph, parameters, foreign, none).id, 0);
    api_misuse_refused(quartic_graph_status(graph), "quartic_model_append: ");
    assert_non_null(strstr(quartic_error_message(), "another graph"));
    assert_ok(quartic_graph_status(other));
    quartic_graph_destroy(other);
    quartic_graph_destroy(graph);
}

static void what_is_out_of_range(void **state) {
    (void)state;
    quartic_model_parameter parameter;
    quartic_model_batch batch;
    quartic_step_info step;
    quartic_check_totals totals;
    float numbers[4];
    const uint32_t beyond = 1;
    api_misuse_refused(quartic_model_get_parameter(model, UINT32_MAX, &parameter), "weight 4294967295");
    api_misuse_refused(quartic_model_find_parameter(model, "no such weight", &parameter), "no weight");
    api_misuse_refused(quartic_model_read_parameter(model, "no such weight", numbers, 4), "no weight");
    api_misuse_refused(quartic_model_write_parameter(model, "", numbers, 4), "no weight");
    api_misuse_refused(quartic_dataset_gather(dataset, &beyond, 1, &batch), "graph 1 is asked for");
    quartic_validate_config config = QUARTIC_VALIDATE_CONFIG_INIT;
    config.op = "softmax", config.case_index = 999;
    api_misuse_refused(quartic_validate(cpu, &config, &totals), "no case 999");
    api_misuse_refused(quartic_check_gradients(&config, &totals), "no case 999");
    quartic_graph *graph;
    quartic_program *program;
    assert_ok(quartic_graph_create(&graph));
    quartic_value x = quartic_graph_input(graph, "x", QUARTIC_FLOAT32, &QUARTIC_SHAPE(4));
    quartic_graph_output(graph, "y", quartic_exp(graph, x));
    const quartic_feed feeds[] = {{"z", numbers, sizeof numbers}, {"x", numbers, 12}};
    for (uint32_t k = 0; k < 2; ++k)
        api_misuse_refused(quartic_compare_devices(cpu, reference, graph, &feeds[k], 1, NULL, NULL, &totals),
                           "is no input");
    assert_ok(quartic_program_create(cpu, graph, NULL, &program));
    api_misuse_refused(quartic_program_step(program, 1, &step), "step 1");
    quartic_program_destroy(program);
    quartic_graph_destroy(graph);
    assert_string_equal(quartic_status_name((quartic_status)77), "unknown status");
    assert_string_equal(quartic_safetensors_dtype_name((quartic_safetensors_dtype)77), "unknown");
    assert_true(quartic_safetensors_dtype_size((quartic_safetensors_dtype)77) == 0);
    assert_true(quartic_dtype_size((quartic_dtype)77) == 0);
}

/* A refused call leaves everything as it was: the same step as on a trainer that was never misused. */
static void refused_calls_change_nothing(void **state) {
    (void)state;
    const int32_t wrong[LENGTH] = {0, 9, 2};
    const quartic_model_config config = api_misuse_small_config();
    quartic_model *again;
    quartic_trainer *untouched;
    quartic_step_report report, want;
    assert_ok(quartic_model_create(cpu, &config, &again));
    assert_ok(quartic_trainer_create(again, quartic_trainer_get_config(trainer), &untouched));
    api_misuse_refused(quartic_trainer_step(trainer, wrong, targets, NULL, &report), "token 9");
    api_misuse_refused(quartic_trainer_step(trainer, tokens, wrong, NULL, &report), "target 9");
    api_misuse_refused(quartic_trainer_step(trainer, tokens, targets, (const uint8_t[]){1, 1, 1}, &report),
                       "mask");
    assert_ok(quartic_trainer_set_note(trainer, "ein gr\xc3\xbc\xc3\x9f"));
    api_misuse_refused(quartic_trainer_set_note(trainer, "no UTF-8: \xff"),
                       "UTF-8"); /* nothing could be saved with it */
    assert_string_equal(quartic_trainer_get_note(trainer), "ein gr\xc3\xbc\xc3\x9f");
    assert_int_equal(quartic_trainer_get_step(trainer), 0);
    assert_ok(quartic_trainer_step(trainer, tokens, targets, NULL, &report));
    assert_ok(quartic_trainer_step(untouched, tokens, targets, NULL, &want));
    assert_memory_equal(&report.loss, &want.loss, sizeof want.loss);
    assert_memory_equal(&report.gradient_norm, &want.gradient_norm, sizeof want.gradient_norm);
    quartic_trainer_destroy(untouched);
    quartic_model_destroy(again);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_of_zero),
        cmocka_unit_test(sizes_that_overflow),
        cmocka_unit_test(tensors_of_another_device),
        cmocka_unit_test(tensors_of_another_file),
        cmocka_unit_test(values_of_another_graph),
        cmocka_unit_test(what_is_out_of_range),
        cmocka_unit_test(refused_calls_change_nothing),
    };
    return cmocka_run_group_tests(tests, api_misuse_begin, api_misuse_end);
}
