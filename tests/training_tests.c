/* training_tests.c: see training_tests.h. */
#include "training_tests.h"

#include "failing_alloc.h"
#include "model_case.h"
#include <unistd.h>
#include "base/rng.h"
#include "quartic/train.h"
#include "train/trainer.h"

enum { ROWS = 8, NODES = 5, WORDS = 9, LABELS = 4 };

static quartic_device *device;

static quartic_model_config training_config(void) {
    quartic_model_config config = QUARTIC_MODEL_CONFIG_INIT;
    config.num_tokens = WORDS, config.dim = 12, config.depth = 2, config.dim_edges = 6, config.heads = 2;
    config.dim_head = 4, config.linear_heads = 2, config.linear_dim_head = 3, config.ff_mult = 2;
    config.max_seq_len = NODES, config.num_residual_streams = 2;
    return config;
}

typedef struct training {
    quartic_model *model;
    quartic_trainer *trainer;
} training;

static training begin_training(const quartic_model_config *config, uint32_t batch, uint32_t accumulation) {
    training t;
    quartic_trainer_config settings = QUARTIC_TRAINER_CONFIG_INIT;
    settings.batch = batch, settings.length = NODES, settings.accumulation = accumulation;
    settings.learning_rate = 0.01f, settings.seed = 3;
    assert_ok(quartic_model_create(device, config, &t.model));
    assert_ok(quartic_model_initialise(t.model, 7));
    assert_ok(quartic_trainer_create(t.model, &settings, &t.trainer));
    return t;
}

static void end_training(training *t) {
    quartic_trainer_destroy(t->trainer);
    quartic_model_destroy(t->model);
}

/* The same numbers for every test; rows of targets: nodes, edges or graphs. */
typedef struct training_data {
    int32_t tokens[ROWS * NODES], edge_types[ROWS * NODES * NODES], targets[ROWS * NODES * NODES];
} training_data;

static const training_data *draw_data(uint64_t rows) {
    static training_data data;
    for (uint32_t i = 0; i < ROWS * NODES; ++i)
        data.tokens[i] = (int32_t)(quartic_random_bits(5, 0, i) % WORDS);
    for (uint32_t e = 0; e < ROWS * NODES * NODES; ++e)
        data.edge_types[e] = (int32_t)(quartic_random_bits(5, 1, e) % 4) - 1;
    /* Every third is ignored, and all of graphs 2 and 3 (of a quarter, so a micro-batch of two has none), and
     * all but one of graph 6. */
    for (uint64_t r = 0; r < rows; ++r) {
        const uint64_t graph = r * ROWS / rows;
        const bool ignored = r % 3 == 1 || graph == 2 || graph == 3 || (graph == 6 && r * ROWS % rows != 0);
        data.targets[r] = ignored ? -1 - (int32_t)(r % 2) : (int32_t)(quartic_random_bits(5, 2, r) % LABELS);
    }
    return &data;
}

static quartic_model_batch batch_of_data(const quartic_model_config *config, const training_data *data) {
    quartic_model_batch in = QUARTIC_MODEL_BATCH_INIT;
    in.batch = ROWS, in.length = NODES, in.tokens = data->tokens, in.targets = data->targets;
    if (config->num_edge_types != 0) in.edge_types = data->edge_types;
    return in;
}

/* ---- accumulation ---- */

/* The loss and gradients of one step of 8 x 1, 4 x 2, 2 x 4 and 1 x 8 agree, and so do the weights after
 * three steps. */
static void check_accumulation(const char *what, const quartic_model_config *config, uint64_t rows) {
    const quartic_model_batch in = batch_of_data(config, draw_data(rows));
    float *want_gradients = NULL, *want_weights = NULL, loss;
    quartic_step_report want = {0};
    for (uint32_t accumulation = 1; accumulation <= ROWS; accumulation *= 2) {
        training t = begin_training(config, ROWS / accumulation, accumulation);
        quartic_step_report got;
        float *gradients, *weights;
        quartic_trainer_set_trial(t.trainer, 1);
        assert_ok(quartic_trainer_step_batch(t.trainer, &in, &got));
        assert_ok(quartic_model_fetch(t.model, t.trainer->gradients, &gradients));
        quartic_trainer_set_trial(t.trainer, 0);
        for (uint32_t step = 0; step < 3; ++step) assert_ok(quartic_trainer_step_batch(t.trainer, &in, NULL));
        assert_ok(quartic_model_fetch(t.model, t.model->weights, &weights));
        if (accumulation == 1) {
            assert_ok(quartic_model_initialise(t.model, 7));
            assert_ok(quartic_model_loss_batch(t.model, &in, &loss));
            assert_near(what, &got.loss, &loss, 1, 1e-6, 1.0, 0.0);
            want = got, want_gradients = gradients, want_weights = weights;
        } else {
            const uint64_t count = t.model->set.elements;
            assert_near(what, &got.loss, &want.loss, 1, 1e-5, 1.0, 0.0);
            assert_near(what, &got.gradient_norm, &want.gradient_norm, 1, 2e-5, 1.0, 0.0);
            assert_near(what, gradients, want_gradients, count, 2e-5, 0.0, 1e-7);
            /* AdamW's first steps hardly look at a gradient's size: where it is all rounding, so are they. */
            uint64_t far = 0;
            for (uint64_t i = 0; i < count; ++i) far += fabsf(weights[i] - want_weights[i]) > 1e-4f;
            if (far > count / 50) fail_msg("%s: %u weights differ", what, (unsigned)far);
            quartic_free(gradients), quartic_free(weights);
        }
        end_training(&t);
    }
    assert_true(want.gradient_norm > 0.0f);
    quartic_free(want_gradients), quartic_free(want_weights);
}

static void micro_batches_add_up_to_the_larger_batch(void **state) {
    (void)state;
    quartic_model_config text = training_config();
    text.causal = 1;
    check_accumulation("tokens", &text, ROWS * NODES);
    quartic_model_config graphs = training_config();
    graphs.num_edge_types = 3, graphs.num_classes = LABELS, graphs.positions = 0;
    check_accumulation("nodes", &graphs, ROWS * NODES);
    graphs.readout = QUARTIC_READOUT_EDGE;
    check_accumulation("edges", &graphs, ROWS * NODES * NODES);
    graphs.readout = QUARTIC_READOUT_GRAPH;
    check_accumulation("graphs", &graphs, ROWS);
    graphs.model = QUARTIC_MODEL_RELATIONAL;
    check_accumulation("graphs of a relational model", &graphs, ROWS);
    quartic_model_config streams = training_config();
    streams.model = QUARTIC_MODEL_MULTI_STREAM, streams.diversity_loss = 0.5f, streams.causal = 1;
    check_accumulation("tokens with a diversity loss", &streams, ROWS * NODES);
}

static void a_step_without_targets_has_no_loss(void **state) {
    (void)state;
    quartic_model_config config = training_config();
    int32_t tokens[ROWS * NODES] = {1, 2, 3}, targets[ROWS * NODES];
    for (uint32_t i = 0; i < ROWS * NODES; ++i) targets[i] = -1;
    for (uint32_t accumulation = 1; accumulation <= ROWS; accumulation *= ROWS) {
        training t = begin_training(&config, ROWS / accumulation, accumulation);
        quartic_step_report report;
        assert_ok(quartic_trainer_step(t.trainer, tokens, targets, NULL, &report));
        assert_true(report.loss == 0.0f && report.gradient_norm == 0.0f);
        end_training(&t);
    }
}

/* ---- what is not finite ---- */

static void put_number(training *t, quartic_tensor *into, const char *name, float number) {
    quartic_model_parameter parameter;
    float *storage;
    assert_ok(quartic_model_find_parameter(t->model, name, &parameter));
    assert_ok(quartic_model_fetch(t->model, into, &storage));
    storage[parameter.offset + parameter.elements - 1] = number;
    assert_ok(quartic_tensor_write(into, storage, t->model->set.elements * sizeof storage[0]));
    quartic_free(storage);
}

static void scale_weight(training *t, const char *name, float factor) {
    quartic_model_parameter parameter;
    float *storage;
    assert_ok(quartic_model_find_parameter(t->model, name, &parameter));
    assert_ok(quartic_model_fetch(t->model, t->model->weights, &storage));
    for (uint64_t i = 0; i < parameter.elements; ++i) storage[parameter.offset + i] *= factor;
    assert_ok(quartic_tensor_write(t->model->weights, storage, t->model->set.elements * sizeof storage[0]));
    quartic_free(storage);
}

/* A damaged weight or moment is refused by every save, and the file stays. */
static void only_finite_numbers_are_saved(void **state) {
    (void)state;
    quartic_model_config config = training_config();
    training t = begin_training(&config, ROWS, 1);
    const char *path = "training_tests_kept.safetensors";
    const float numbers[] = {NAN, INFINITY, -INFINITY};
    assert_ok(quartic_file_save(path, "good", 4));
    for (uint32_t part = 0; part < 3; ++part)
        for (uint32_t k = 0; k < 3; ++k) {
            quartic_tensor *into = part == 0   ? t.model->weights
                                   : part == 1 ? t.trainer->first_moment
                                               : t.trainer->second_moment;
            put_number(&t, into, "token_emb.weight", numbers[k]);
            assert_int_equal(quartic_trainer_save(t.trainer, path), QUARTIC_NON_FINITE);
            assert_message(part == 0   ? "element 107 of the weight \"token_emb.weight\" is "
                           : part == 1 ? "element 107 of the moment \"adamw.first_moment.token_emb.weight\""
                                       : "element 107 of the moment \"adamw.second_moment.token_emb");
            if (part == 0) {
                assert_int_equal(quartic_model_save(t.model, path), QUARTIC_NON_FINITE);
                assert_message("element 107 of the weight \"token_emb.weight\" is ");
            }
            put_number(&t, into, "token_emb.weight", 0.5f);
        }
    char text[8] = "";
    FILE *stream = fopen(path, "rb");
    assert_non_null(stream);
    assert_int_equal(fread(text, 1, sizeof text, stream), 4);
    fclose(stream);
    assert_string_equal(text, "good");
    assert_ok(quartic_trainer_save(t.trainer, path));
    assert_ok(quartic_trainer_load(t.trainer, path));
    remove(path);
    end_training(&t);
}

/* Token 8 does not occur, so the loss is finite; yet the step tells that its weight is damaged. */
static void a_damaged_weight_is_told_by_the_step(void **state) {
    (void)state;
    quartic_model_config config = training_config();
    training t = begin_training(&config, ROWS, 1);
    int32_t tokens[ROWS * NODES] = {0}, targets[ROWS * NODES] = {0};
    const char *path = "training_tests_good.safetensors";
    quartic_step_report report;
    assert_ok(quartic_trainer_save(t.trainer, path));
    put_number(&t, t.model->weights, "token_emb.weight", NAN);
    assert_int_equal(quartic_trainer_step(t.trainer, tokens, targets, NULL, &report), QUARTIC_NON_FINITE);
    assert_true(isfinite(report.loss));
    assert_message("after the update of step 1 element 107 of the weight \"token_emb.weight\" is ");
    assert_int_equal(quartic_trainer_get_step(t.trainer), 0);
    assert_ok(quartic_trainer_load(t.trainer, path));
    remove(path);
    /* Large weights, whose squares are infinite, are no damage. */
    put_number(&t, t.model->weights, "token_emb.weight", 3e30f);
    assert_ok(quartic_trainer_step(t.trainer, tokens, targets, NULL, &report));
    end_training(&t);
}

/* A trial computes and checks, and changes nothing; a step after it is as without it. */
static void trials_change_nothing(void **state) {
    (void)state;
    quartic_model_config config = training_config();
    config.dropout = 0.1f;
    training t = begin_training(&config, 2, 2), twin = begin_training(&config, 2, 2);
    int32_t tokens[4 * NODES], targets[4 * NODES];
    for (int32_t i = 0; i < 4 * NODES; ++i) tokens[i] = i % WORDS, targets[i] = (i + 1) % WORDS;
    quartic_step_report trial, got, want;
    for (uint32_t step = 0; step < 3; ++step) {
        quartic_trainer_set_trial(t.trainer, 1);
        for (uint32_t k = 0; k < 2; ++k) {
            assert_ok(quartic_trainer_step(t.trainer, tokens, targets, NULL, &trial));
            assert_int_equal(quartic_trainer_get_step(t.trainer), step);
        }
        quartic_trainer_set_trial(t.trainer, 0);
        assert_ok(quartic_trainer_step(t.trainer, tokens, targets, NULL, &got));
        assert_ok(quartic_trainer_step(twin.trainer, tokens, targets, NULL, &want));
        assert_memory_equal(&got, &want, sizeof got);
        assert_memory_equal(&got, &trial, sizeof got);
    }
    quartic_trainer_set_trial(t.trainer, 1);
    put_number(&t, t.model->weights, "to_logits.1.weight", NAN);
    targets[0] = WORDS - 1;
    assert_int_equal(quartic_trainer_step(t.trainer, tokens, targets, NULL, &trial), QUARTIC_NON_FINITE);
    end_training(&t);
    end_training(&twin);
}

/* ---- gradients ---- */

static void gradients_that_are_not_finite_are_told(void **state) {
    (void)state;
    quartic_model_config config = training_config();
    training t = begin_training(&config, ROWS, 1);
    int32_t tokens[NODES] = {1, 2, 3, 4, 5}, targets[NODES] = {2, 3, 4, 5, 6};
    float loss = -1.0f, gradient[WORDS * 12], again[WORDS * 12];
    const char *name = "token_emb.weight";
    assert_ok(quartic_model_gradients(t.model, 1, NODES, tokens, targets, NULL, &loss));
    assert_ok(quartic_model_read_gradient(t.model, name, gradient, WORDS * 12));
    /* What is refused leaves the gradients and the loss as they are. */
    const float before = loss;
    targets[0] = WORDS;
    assert_int_equal(quartic_model_gradients(t.model, 1, NODES, tokens, targets, NULL, &loss),
                     QUARTIC_INVALID_ARGUMENT);
    targets[0] = 2;
    assert_int_equal(quartic_model_gradients(t.model, 1, NODES + 1, tokens, targets, NULL, &loss),
                     QUARTIC_INVALID_ARGUMENT);
    quartic_alloc_fail_at(1); /* compiling another shape */
    assert_int_equal(quartic_model_gradients(t.model, 1, NODES - 1, tokens, targets, NULL, &loss),
                     QUARTIC_OUT_OF_MEMORY);
    quartic_alloc_fail_at(0);
    assert_true(loss == before);
    assert_ok(quartic_model_read_gradient(t.model, name, again, WORDS * 12));
    assert_memory_equal(gradient, again, sizeof gradient);
    /* A gradient that is not finite although the loss is: large logits of nodes that a norm has made large.
     */
    float alone;
    scale_weight(&t, "token_emb.weight", 1e-20f);
    scale_weight(&t, "pos_emb.weight", 1e-20f);
    scale_weight(&t, "to_logits.1.weight", 1e33f);
    assert_ok(quartic_model_loss(t.model, 1, NODES, tokens, targets, NULL, &alone));
    assert_int_equal(quartic_model_gradients(t.model, 1, NODES, tokens, targets, NULL, &loss),
                     QUARTIC_NON_FINITE);
    assert_message(" of the gradient of \"");
    assert_true(loss == before);
    assert_int_equal(quartic_model_read_gradient(t.model, name, again, WORDS * 12), QUARTIC_INVALID_ARGUMENT);
    end_training(&t);
}

/* ---- lists ---- */

static void every_entry_of_a_list_is_compared(void **state) {
    (void)state;
    const char *path = "training_tests_lists.safetensors";
    for (uint32_t k = 0; k < 3; ++k) {
        quartic_model_config a = training_config(), b;
        if (k == 0) {
            a.edge_attention = QUARTIC_EDGE_ATTENTION_TRIANGLE_MULTIPLY;
            a.triangle_directions_count = 2;
            a.triangle_directions_list[0] = QUARTIC_TRIANGLE_PASSES_OUTGOING;
            a.triangle_directions_list[1] = QUARTIC_TRIANGLE_PASSES_INCOMING;
            b = a;
            b.triangle_directions_list[0] = QUARTIC_TRIANGLE_PASSES_INCOMING;
            b.triangle_directions_list[1] = QUARTIC_TRIANGLE_PASSES_OUTGOING;
        } else {
            a.edge_attention_count = 2;
            a.edge_attention_list[0] = QUARTIC_EDGE_ATTENTION_FULL;
            a.edge_attention_list[1] = QUARTIC_EDGE_ATTENTION_FULL;
            b = a;
            if (k == 1) {
                b.edge_attention_list[1] = QUARTIC_EDGE_ATTENTION_ROUTED;
            } else { /* the same, said with one word */
                b.edge_attention_count = 0;
                b.edge_attention_list[1] = 0;
                b.edge_attention = QUARTIC_EDGE_ATTENTION_FULL;
            }
        }
        training saved = begin_training(&a, ROWS, 1), other = begin_training(&b, ROWS, 1);
        assert_ok(quartic_trainer_save(saved.trainer, path));
        const quartic_status status = quartic_trainer_load(other.trainer, path);
        assert_int_equal(status, k == 2 ? QUARTIC_OK : QUARTIC_INVALID_ARGUMENT);
        if (k == 0)
            assert_message(
                "\"triangle_directions\"[0] is \"outgoing\" in \"training_tests_lists.safetensors\", "
                "but \"incoming\" in the trainer's model");
        if (k == 1) assert_message("\"edge_attention\"[1] is \"full\" in ");
        remove(path);
        end_training(&saved), end_training(&other);
    }
}

/* Loading with each allocation failing in turn: everything is as before, or everything is loaded. */
static void a_failed_load_changes_nothing(void **state) {
    (void)state;
    quartic_model_config config = training_config();
    training t = begin_training(&config, 2, 1), other = begin_training(&config, 2, 1);
    const char *path = "training_tests_load.safetensors";
    int32_t tokens[2 * NODES] = {1, 2, 3, 4, 5, 6, 7, 8, 0, 1}, targets[2 * NODES] = {2, 3, 4};
    assert_ok(quartic_trainer_step(t.trainer, tokens, targets, NULL, NULL));
    assert_ok(quartic_trainer_set_note(t.trainer, "note"));
    assert_ok(quartic_trainer_save(t.trainer, path));
    const size_t bytes = t.model->set.elements * sizeof(float);
    float *began[2], *got[2];
    assert_ok(quartic_model_fetch(other.model, other.model->weights, &began[0]));
    assert_ok(quartic_model_fetch(other.model, other.trainer->second_moment, &began[1]));
    const int64_t live = quartic_alloc_live();
    quartic_status status = QUARTIC_OUT_OF_MEMORY;
    uint64_t failures = 0;
    for (uint64_t nth = 1; status != QUARTIC_OK; ++nth, ++failures) {
        quartic_alloc_fail_at(nth);
        status = quartic_trainer_load(other.trainer, path);
        quartic_alloc_fail_at(0);
        assert_int_equal(quartic_alloc_live(), live + (status == QUARTIC_OK)); /* the note */
        assert_ok(quartic_model_fetch(other.model, other.model->weights, &got[0]));
        assert_ok(quartic_model_fetch(other.model, other.trainer->second_moment, &got[1]));
        for (uint32_t k = 0; k < 2; ++k) {
            assert_true((memcmp(got[k], began[k], bytes) == 0) == (status != QUARTIC_OK));
            quartic_free(got[k]);
        }
        assert_int_equal(quartic_trainer_get_step(other.trainer), status == QUARTIC_OK);
        assert_string_equal(quartic_trainer_get_note(other.trainer), status == QUARTIC_OK ? "note" : "");
    }
    assert_true(failures > 5);
    quartic_free(began[0]), quartic_free(began[1]);
    remove(path);
    end_training(&t), end_training(&other);
}

static void a_note_goes_with_the_checkpoint(void **state) {
    (void)state;
    quartic_model_config config = training_config();
    training t = begin_training(&config, ROWS, 1), other = begin_training(&config, ROWS, 1);
    const char *path = "training_tests_note.safetensors";
    assert_string_equal(quartic_trainer_get_note(t.trainer), "");
    assert_ok(quartic_trainer_set_note(t.trainer, "{\"x\": 1}"));
    assert_ok(quartic_trainer_save(t.trainer, path));
    assert_ok(quartic_trainer_load(other.trainer, path));
    assert_string_equal(quartic_trainer_get_note(other.trainer), "{\"x\": 1}");
    assert_ok(quartic_trainer_set_note(t.trainer, ""));
    assert_ok(quartic_trainer_save(t.trainer, path));
    assert_ok(quartic_trainer_load(other.trainer, path));
    assert_string_equal(quartic_trainer_get_note(other.trainer), "");
    remove(path);
    end_training(&t), end_training(&other);
}

int training_tests(const test_device *on) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(micro_batches_add_up_to_the_larger_batch),
        cmocka_unit_test(a_step_without_targets_has_no_loss),
        cmocka_unit_test(only_finite_numbers_are_saved),
        cmocka_unit_test(a_damaged_weight_is_told_by_the_step),
        cmocka_unit_test(trials_change_nothing),
        cmocka_unit_test(gradients_that_are_not_finite_are_told),
        cmocka_unit_test(every_entry_of_a_list_is_compared),
        cmocka_unit_test(a_failed_load_changes_nothing),
        cmocka_unit_test(a_note_goes_with_the_checkpoint),
    };
    return DEVICE_TESTS_RUN(on, &device, tests);
}
