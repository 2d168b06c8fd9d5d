/* model_test.c: the model's public functions: weights, files, checks, cached programs, read-outs, appending.
 */
#include "failing_alloc.h"
#include "model_case.h"

#include "quartic/train.h"

enum { V = 7, B = 2, N = 5, D = 8 };

static quartic_device *device;
static const int32_t tokens[B * N] = {0, 1, 2, 3, 4, 6, 5, 4, 3, 2};
static const int32_t targets[B * N] = {1, 2, 3, 4, -1, 5, 4, 3, 2, 1};

static int model_open_device(void **state) {
    (void)state;
    return quartic_device_create("cpu", &device) == QUARTIC_OK ? 0 : -1;
}

static int model_close_device(void **state) {
    (void)state;
    quartic_device_destroy(device);
    return 0;
}

static quartic_model_config model_small_config(void) {
    quartic_model_config config = QUARTIC_MODEL_CONFIG_INIT;
    config.num_tokens = V, config.dim = D, config.depth = 2, config.dim_edges = 4, config.heads = 2;
    config.dim_head = 4, config.linear_heads = 2, config.linear_dim_head = 3, config.ff_mult = 2;
    config.max_seq_len = 8, config.num_residual_streams = 2;
    return config;
}

static quartic_model *small_model(void) {
    quartic_model_config config = model_small_config();
    quartic_model *model;
    assert_ok(quartic_model_create(device, &config, &model));
    return model;
}

static void same_seed_same_weights(void **state) {
    (void)state;
    quartic_model *a = small_model(), *b = small_model();
    float of_a[B * N * V], of_b[B * N * V], other[B * N * V];
    assert_ok(quartic_model_forward(a, B, N, tokens, NULL, of_a));
    assert_ok(quartic_model_initialise(b, 0)); /* what create did */
    assert_ok(quartic_model_forward(b, B, N, tokens, NULL, of_b));
    assert_memory_equal(of_a, of_b, sizeof of_a);
    assert_ok(quartic_model_initialise(b, 1));
    assert_ok(quartic_model_forward(b, B, N, tokens, NULL, other));
    assert_memory_not_equal(of_a, other, sizeof of_a);
    quartic_model_destroy(a);
    quartic_model_destroy(b);
    quartic_model_destroy(NULL);
}

static void weights_are_read_and_written_by_name(void **state) {
    (void)state;
    quartic_model *model = small_model();
    float scale[D], again[D];
    for (int i = 0; i < D; ++i) scale[i] = 0.5f * (float)i;
    assert_ok(quartic_model_write_parameter(model, "to_logits.0.scale", scale, D));
    assert_ok(quartic_model_read_parameter(model, "to_logits.0.scale", again, D));
    assert_memory_equal(scale, again, sizeof scale);
    assert_int_equal(quartic_model_read_parameter(model, "to_logits.0.scal", again, D),
                     QUARTIC_INVALID_ARGUMENT);
    assert_message("did you mean \"to_logits.0.scale\"?");
    assert_int_equal(quartic_model_read_parameter(model, "to_logits.0.scale", again, D - 1),
                     QUARTIC_SHAPE_MISMATCH);
    assert_message("has shape (8), 8 elements, not 7");
    scale[3] = NAN;
    assert_int_equal(quartic_model_write_parameter(model, "to_logits.0.scale", scale, D), QUARTIC_NON_FINITE);
    assert_ok(quartic_model_read_parameter(model, "to_logits.0.scale", scale, D));
    assert_memory_equal(scale, again, sizeof scale);
    quartic_model_parameter parameter;
    assert_int_equal(quartic_model_get_parameter(model, quartic_model_parameter_count(model), &parameter),
                     QUARTIC_INVALID_ARGUMENT);
    assert_int_equal(quartic_model_read_gradient(model, "to_logits.0.scale", again, D),
                     QUARTIC_INVALID_ARGUMENT);
    assert_message("no gradients yet");
    quartic_model_destroy(model);
}

static void batches_are_checked_with_figures(void **state) {
    (void)state;
    quartic_model *model = small_model();
    float logits[B * N * V], loss;
    int32_t bad[B * N];
    memcpy(bad, tokens, sizeof bad);
    bad[7] = V;
    assert_int_equal(quartic_model_forward(model, B, N, bad, NULL, logits), QUARTIC_INVALID_ARGUMENT);
    assert_message("token 7 at (1, 2) is outside the vocabulary, 0 to num_tokens - 1 = 6");
    bad[7] = -1;
    assert_int_equal(quartic_model_forward(model, B, N, bad, NULL, logits), QUARTIC_INVALID_ARGUMENT);
    assert_int_equal(quartic_model_forward(model, 1, 9, tokens, NULL, logits), QUARTIC_INVALID_ARGUMENT);
    assert_message("9 tokens in a sequence, the model takes at most max_seq_len = 8");
    assert_int_equal(quartic_model_forward(model, 0, N, tokens, NULL, logits), QUARTIC_INVALID_ARGUMENT);
    assert_int_equal(quartic_model_forward(model, B, N, NULL, NULL, logits), QUARTIC_INVALID_ARGUMENT);
    memcpy(bad, targets, sizeof bad);
    bad[0] = V + 1;
    assert_int_equal(quartic_model_loss(model, B, N, tokens, bad, NULL, &loss), QUARTIC_INVALID_ARGUMENT);
    assert_message("target 8");
    assert_int_equal(quartic_model_loss(model, B, N, tokens, NULL, NULL, &loss), QUARTIC_INVALID_ARGUMENT);
    quartic_model_destroy(model);
}

/* More shapes than the cache holds, in an order that evicts, give the same as fresh models. */
static void cached_programs_are_the_right_ones(void **state) {
    (void)state;
    quartic_model_config config = model_small_config();
    config.cached_programs = 2;
    quartic_model *cached, *fresh;
    assert_ok(quartic_model_create(device, &config, &cached));
    static const struct {
        uint32_t b, n, masked;
    } calls[] = {{2, 5, 0}, {1, 5, 0}, {2, 5, 1}, {2, 5, 0}, {1, 1, 0},
                 {2, 5, 1}, {1, 5, 0}, {2, 4, 0}, {2, 5, 0}};
    const uint8_t mask[B * N] = {1, 1, 1, 0, 0, 1, 1, 1, 1, 0};
    for (size_t k = 0; k < sizeof calls / sizeof calls[0]; ++k) {
        float got[B * N * V] = {0}, want[B * N * V] = {0};
        assert_ok(quartic_model_create(device, &config, &fresh));
        assert_ok(quartic_model_forward(cached, calls[k].b, calls[k].n, tokens, calls[k].masked ? mask : NULL,
                                        got));
        assert_ok(quartic_model_forward(fresh, calls[k].b, calls[k].n, tokens, calls[k].masked ? mask : NULL,
                                        want));
        assert_memory_equal(got, want, sizeof got);
        assert_true(cached->program_count <= 2);
        quartic_model_destroy(fresh);
    }
    quartic_model_destroy(cached);
}

/* Room is made as programs come, not for all that might. */
static void any_number_of_programs_may_be_kept(void **state) {
    (void)state;
    quartic_model_config config = model_small_config();
    config.cached_programs = UINT32_MAX;
    quartic_model *model;
    float logits[B * N * V];
    assert_ok(quartic_model_create(device, &config, &model));
    for (uint32_t round = 0; round < 2; ++round)
        for (uint32_t k = 0; k < B * N; ++k)
            assert_ok(quartic_model_forward(model, 1 + k / N, 1 + k % N, tokens, NULL, logits));
    assert_int_equal(model->program_count, B * N);
    quartic_model_destroy(model);
}

static void files_bring_a_model_back(void **state) {
    (void)state;
    const char *path = "model_test.safetensors";
    quartic_model *model = small_model(), *opened, *loaded = small_model();
    assert_ok(quartic_model_initialise(model, 3));
    float want[B * N * V], got[B * N * V];
    assert_ok(quartic_model_forward(model, B, N, tokens, NULL, want));
    assert_ok(quartic_model_save(model, path));
    assert_ok(quartic_model_open(device, path, &opened));
    assert_int_equal(quartic_model_get_config(opened)->heads, 2);
    assert_ok(quartic_model_forward(opened, B, N, tokens, NULL, got));
    assert_memory_equal(want, got, sizeof want);
    assert_ok(quartic_model_load(loaded, path));
    assert_ok(quartic_model_forward(loaded, B, N, tokens, NULL, got));
    assert_memory_equal(want, got, sizeof want);
    quartic_model_destroy(model);
    quartic_model_destroy(opened);
    quartic_model_destroy(loaded);
    remove(path);
}

/* Saves the model's weights with one tensor changed (or left out, if changed is NULL), or one more. */
static void save_changed(const quartic_model *model, const char *path, const char *name,
                         const quartic_safetensors_tensor *changed) {
    float *storage;
    quartic_safetensors_tensor tensors[256];
    uint32_t count = 0;
    assert_ok(quartic_model_fetch(model, quartic_model_weights(model), &storage));
    for (uint32_t k = 0; k < model->set.count; ++k) {
        const quartic_parameter_spec *spec = &model->set.specs[k];
        if (strcmp(spec->name, name) == 0) continue;
        tensors[count++] = (quartic_safetensors_tensor){.name = spec->name,
                                                        .dtype = QUARTIC_SAFETENSORS_F32,
                                                        .shape = spec->shape,
                                                        .data = storage + spec->offset};
    }
    if (changed != NULL) tensors[count++] = *changed;
    assert_ok(quartic_safetensors_save(path, tensors, count, NULL, 0));
    quartic_free(storage);
}

static void wrong_files_change_nothing(void **state) {
    (void)state;
    const char *path = "model_test_wrong.safetensors", *name = "to_logits.0.scale";
    quartic_model *model = small_model(), *opened;
    float *before, *after;
    assert_ok(quartic_model_fetch(model, quartic_model_weights(model), &before));
    quartic_model *other = small_model();
    assert_ok(quartic_model_initialise(other, 9));

    save_changed(other, path, name, NULL);
    assert_int_equal(quartic_model_load(model, path), QUARTIC_FORMAT);
    assert_message("lacks 1 of the model's");
    assert_message("\"to_logits.0.scale\" of shape (8)");
    assert_int_equal(quartic_model_open(device, path, &opened), QUARTIC_FORMAT);
    assert_message("no \"config\" in its metadata");

    float numbers[D + 1] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    quartic_safetensors_tensor tensor = {
        .name = name, .dtype = QUARTIC_SAFETENSORS_F32, .shape = QUARTIC_SHAPE(D + 1), .data = numbers};
    save_changed(other, path, name, &tensor);
    assert_int_equal(quartic_model_load(model, path), QUARTIC_SHAPE_MISMATCH);
    assert_message("has shape (9), the model needs (8)");

    tensor.shape = QUARTIC_SHAPE(D);
    tensor.dtype = QUARTIC_SAFETENSORS_I32;
    save_changed(other, path, name, &tensor);
    assert_int_equal(quartic_model_load(model, path), QUARTIC_FORMAT);

    tensor.dtype = QUARTIC_SAFETENSORS_F32;
    numbers[2] = NAN;
    save_changed(other, path, name, &tensor);
    assert_int_equal(quartic_model_load(model, path), QUARTIC_NON_FINITE);
    assert_message(name);

    tensor.name = "something.else";
    numbers[2] = 3;
    save_changed(other, path, "", &tensor);
    assert_int_equal(quartic_model_load(model, path), QUARTIC_FORMAT);
    assert_message("does not know, the first being \"something.else\" of shape (8)");
    assert_int_equal(quartic_model_load(model, "no-such-file"), QUARTIC_IO);

    assert_ok(quartic_model_fetch(model, quartic_model_weights(model), &after));
    assert_memory_equal(before, after, model->set.elements * sizeof before[0]);
    quartic_free(before), quartic_free(after);
    quartic_model_destroy(model);
    quartic_model_destroy(other);
    remove(path);
}

static void weights_may_lie_in_the_callers_memory(void **state) {
    (void)state;
    quartic_model_config config = model_small_config();
    uint64_t elements;
    quartic_tensor *memory, *small;
    quartic_model *model;
    assert_ok(quartic_model_config_weights(&config, &elements));
    assert_ok(quartic_tensor_create(device, QUARTIC_FLOAT32, &QUARTIC_SHAPE((uint32_t)elements), &memory));
    assert_ok(quartic_tensor_create(device, QUARTIC_FLOAT32, &QUARTIC_SHAPE(10), &small));
    config.weights = small;
    assert_int_equal(quartic_model_create(device, &config, &model), QUARTIC_SHAPE_MISMATCH);
    assert_message("float32 of shape (10)");
    config.weights = memory;
    assert_ok(quartic_model_create(device, &config, &model));
    assert_ptr_equal(quartic_model_weights(model), memory);
    float *numbers = quartic_alloc(elements, sizeof numbers[0]), logits[B * N * V];
    assert_ok(quartic_tensor_read(memory, numbers, elements * sizeof numbers[0]));
    for (uint64_t i = 0; i < elements; ++i) assert_true(numbers[i] == 0.0f); /* left as it was */
    assert_ok(quartic_model_initialise(model, 1));
    assert_ok(quartic_model_forward(model, B, N, tokens, NULL, logits));
    assert_ok(quartic_tensor_read(memory, numbers, elements * sizeof numbers[0]));
    assert_true(numbers[0] != 0.0f);
    quartic_free(numbers);
    quartic_model_destroy(model);
    quartic_tensor_destroy(memory);
    quartic_tensor_destroy(small);
}

static void readouts_show_attention_and_edges(void **state) {
    (void)state;
    quartic_model_config config = model_small_config();
    config.causal = 1;
    quartic_model *model;
    assert_ok(quartic_model_create(device, &config, &model));
    enum { H = 2, LAYERS = 2, DE = 4 };
    static float attention[LAYERS][B][H][N][N], edges[LAYERS][B][N][N][DE], logits[B * N * V],
        plain[B * N * V];
    quartic_model_readout readout = QUARTIC_MODEL_READOUT_INIT;
    assert_int_equal(quartic_model_inspect(model, B, N, tokens, NULL, &readout), QUARTIC_INVALID_ARGUMENT);
    readout.attention = &attention[0][0][0][0][0];
    readout.edges = &edges[0][0][0][0][0];
    readout.logits = logits;
    assert_ok(quartic_model_inspect(model, B, N, tokens, NULL, &readout));
    assert_ok(quartic_model_forward(model, B, N, tokens, NULL, plain));
    assert_memory_equal(logits, plain, sizeof plain);
    for (int row = 0; row < LAYERS * B * H * N; ++row) {
        const float *p = readout.attention + row * N;
        double sum = 0;
        for (int j = 0; j < N; ++j) {
            sum += (double)p[j];
            assert_true(p[j] >= 0 && (j <= row % N || p[j] == 0.0f)); /* node i sees j <= i */
        }
        assert_true(fabs(sum - 1.0) < 1e-5);
    }
    assert_memory_not_equal(edges[0], edges[1], sizeof edges[0]);
    /* Edges do not depend on later tokens either: the second sequence's edge (0, 0) sees token 6 only. */
    int32_t changed[B * N];
    memcpy(changed, tokens, sizeof changed);
    changed[N + 1] = 0;
    float before[DE];
    memcpy(before, edges[1][1][0][0], sizeof before);
    assert_ok(quartic_model_inspect(model, B, N, changed, NULL, &readout));
    assert_memory_equal(before, edges[1][1][0][0], sizeof before);
    quartic_model_destroy(model);
}

static void a_model_may_be_part_of_the_callers_graph(void **state) {
    (void)state;
    quartic_model *model = small_model();
    const uint32_t elements = (uint32_t)model->set.elements;
    quartic_graph *graph;
    quartic_program *program;
    assert_ok(quartic_graph_create(&graph));
    quartic_value parameters = quartic_graph_parameter(graph, "weights", &QUARTIC_SHAPE(elements));
    quartic_value input = quartic_graph_input(graph, "in", QUARTIC_INT32, &QUARTIC_SHAPE(B, N)), none = {0};
    quartic_value logits = quartic_model_append(model, graph, parameters, input, none);
    quartic_graph_output(graph, "twice", quartic_scale(graph, logits, 2.0f, 0.0f));
    const quartic_binding binding = {"weights", quartic_model_weights(model)};
    quartic_program_config config = QUARTIC_PROGRAM_CONFIG_INIT;
    config.bindings = &binding, config.binding_count = 1;
    assert_ok(quartic_program_create(device, graph, &config, &program));
    assert_ok(quartic_tensor_write(quartic_program_tensor(program, "in"), tokens, sizeof tokens));
    assert_ok(quartic_program_run(program));
    float got[B * N * V], want[B * N * V];
    assert_ok(quartic_tensor_read(quartic_program_tensor(program, "twice"), got, sizeof got));
    assert_ok(quartic_model_forward(model, B, N, tokens, NULL, want));
    for (int i = 0; i < B * N * V; ++i) assert_true(got[i] == 2.0f * want[i]);
    quartic_program_destroy(program);
    quartic_graph_destroy(graph);

    assert_ok(quartic_graph_create(&graph));
    parameters = quartic_graph_parameter(graph, "weights", &QUARTIC_SHAPE(elements + 1));
    input = quartic_graph_input(graph, "in", QUARTIC_INT32, &QUARTIC_SHAPE(B, N));
    assert_int_equal(quartic_model_append(model, graph, parameters, input, none).id, 0);
    assert_int_equal(quartic_graph_status(graph), QUARTIC_SHAPE_MISMATCH);
    assert_message("the model's parameters must have shape");
    quartic_graph_destroy(graph);
    quartic_model_destroy(model);
}

static void infinite_logits_are_reported(void **state) {
    (void)state;
    quartic_model *model = small_model();
    float scale[D] = {3e38f, 3e38f, 3e38f, 3e38f, 3e38f, 3e38f, 3e38f, 3e38f}, logits[B * N * V], loss;
    assert_ok(quartic_model_write_parameter(model, "to_logits.0.scale", scale, D));
    assert_int_equal(quartic_model_forward(model, B, N, tokens, NULL, logits), QUARTIC_NON_FINITE);
    assert_message("element 0 of the logits");
    assert_int_equal(quartic_model_loss(model, B, N, tokens, targets, NULL, &loss), QUARTIC_NON_FINITE);
    quartic_model_destroy(model);
}

/* A padded graph gives the logits of the same graph without padding. */
static void padding_changes_nothing(void **state) {
    (void)state;
    quartic_model *model = small_model();
    const int32_t padded[8] = {4, 2, 6, 0, 1, 5, 5, 5};
    const uint8_t mask[8] = {1, 1, 1, 1, 1, 0, 0, 0};
    float got[8 * V], want[N * V];
    assert_ok(quartic_model_forward(model, 1, 8, padded, mask, got));
    assert_ok(quartic_model_forward(model, 1, N, padded, NULL, want));
    assert_near("logits", got, want, N * V, 2e-5, 1.0, 0.0);
    quartic_model_destroy(model);
}

/* Without edge attention the edges still carry the node attention's maps and their feedforward. */
static void edge_attention_may_be_left_out(void **state) {
    (void)state;
    quartic_model_config config = model_small_config();
    config.edge_attention = QUARTIC_EDGE_ATTENTION_NONE;
    quartic_model *model, *axial = small_model();
    quartic_model_parameter parameter;
    assert_ok(quartic_model_create(device, &config, &model));
    assert_true(quartic_model_find_parameter(model, "layers.0.1.0.row_attn.to_q.0.weight", &parameter) !=
                QUARTIC_OK);
    assert_ok(quartic_model_find_parameter(model, "layers.0.1.1.1.weight", &parameter));
    assert_ok(quartic_model_find_parameter(axial, "layers.0.1.0.row_attn.to_q.0.weight", &parameter));
    float loss;
    assert_ok(quartic_model_gradients(model, B, N, tokens, targets, NULL, &loss));
    float gradient[4 * 2 * 4];
    assert_ok(quartic_model_read_gradient(model, "layers.0.1.1.1.weight", gradient, 32));
    bool any = false;
    for (int i = 0; i < 32; ++i) any = any || gradient[i] != 0.0f;
    assert_true(any);
    quartic_model_destroy(model);
    quartic_model_destroy(axial);
}

/* A training step keeps memory at O(b n^2 De): the norms and wide projections of the edges are recomputed. */
static void training_memory_is_bounded(void **state) {
    (void)state;
    static const struct {
        uint32_t n, dim_edges;
        double most_gib;
    } cases[] = {{256, 32, 2.0}, {128, 32, 1.0}};
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; ++k) {
        quartic_model_config config = QUARTIC_MODEL_CONFIG_INIT;
        config.num_tokens = 256, config.dim = 512, config.depth = 2, config.dim_edges = cases[k].dim_edges;
        quartic_model *model;
        assert_ok(quartic_model_create(device, &config, &model));
        quartic_trainer_config trainer = QUARTIC_TRAINER_CONFIG_INIT;
        trainer.batch = 1, trainer.length = cases[k].n;
        quartic_program_memory memory, forward, gradients;
        assert_ok(quartic_trainer_measure(model, &trainer, &memory));
        assert_ok(quartic_model_measure(model, 1, cases[k].n, 1, 0, &forward));
        assert_ok(quartic_model_measure(model, 1, cases[k].n, 1, 1, &gradients));
        double gib = ldexp((double)(memory.workspace_bytes + memory.own_tensor_bytes), -30);
        if (!(gib <= cases[k].most_gib && gib > 0.1)) fail_msg("n = %u takes %g GiB", cases[k].n, gib);
        assert_true(forward.workspace_bytes < gradients.workspace_bytes);
        quartic_model_destroy(model);
    }
}

static void failed_allocations_leave_nothing(void **state) {
    (void)state;
    quartic_model_config config = model_small_config();
    config.depth = 1;
    int64_t live = quartic_alloc_live();
    quartic_status status = QUARTIC_OUT_OF_MEMORY;
    for (uint64_t nth = 1; status != QUARTIC_OK; nth += 1 + nth / 16) {
        quartic_model *model;
        float loss, logits[B * N * V];
        quartic_alloc_fail_at(nth);
        status = quartic_model_create(device, &config, &model);
        if (status == QUARTIC_OK) status = quartic_model_forward(model, B, N, tokens, NULL, logits);
        if (status == QUARTIC_OK) status = quartic_model_gradients(model, B, N, tokens, targets, NULL, &loss);
        quartic_alloc_fail_at(0);
        if (status != QUARTIC_OK) assert_int_equal(status, QUARTIC_OUT_OF_MEMORY);
        quartic_model_destroy(model);
        assert_int_equal(quartic_alloc_live(), live);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_seed_same_weights),
        cmocka_unit_test(weights_are_read_and_written_by_name),
        cmocka_unit_test(batches_are_checked_with_figures),
        cmocka_unit_test(cached_programs_are_the_right_ones),
        cmocka_unit_test(any_number_of_programs_may_be_kept),
        cmocka_unit_test(files_bring_a_model_back),
        cmocka_unit_test(wrong_files_change_nothing),
        cmocka_unit_test(weights_may_lie_in_the_callers_memory),
        cmocka_unit_test(readouts_show_attention_and_edges),
        cmocka_unit_test(a_model_may_be_part_of_the_callers_graph),
        cmocka_unit_test(infinite_logits_are_reported),
        cmocka_unit_test(padding_changes_nothing),
        cmocka_unit_test(edge_attention_may_be_left_out),
        cmocka_unit_test(training_memory_is_bounded),
        cmocka_unit_test(failed_allocations_leave_nothing),
    };
    return cmocka_run_group_tests(tests, model_open_device, model_close_device);
}
