/* model_train_tests.c: see model_train_tests.h. */
#include "model_train_tests.h"

#include "failing_alloc.h"
#include "model_case.h"
#include "base/rng.h"
#include "quartic/train.h"
#include "train/trainer.h"

enum { BATCH = 2, LENGTH = 6, DATA = 200 };

static quartic_device *device;

static void check_recorded_steps(const char *name) {
    model_case c = case_open(device, name);
    quartic_shape shape = {0};
    int32_t *rows = case_ints(&c, "input.tokens", &shape); /* (steps, b, n + 1) */
    const uint32_t steps = shape.dims[0], b = shape.dims[1], n = shape.dims[2] - 1;
    quartic_trainer_config config = QUARTIC_TRAINER_CONFIG_INIT;
    config.batch = b, config.length = n;
    config.learning_rate = (float)c.lr, config.weight_decay = (float)c.weight_decay,
    config.clip = (float)c.clip;
    quartic_trainer *trainer;
    assert_ok(quartic_trainer_create(c.model, &config, &trainer));
    uint64_t count;
    float *losses = case_floats(&c, "output.losses", &count),
          *norms = case_floats(&c, "output.grad_norms", &count);
    float *got_losses = quartic_alloc(steps, sizeof(float)), *got_norms = quartic_alloc(steps, sizeof(float));
    int32_t *tokens = quartic_alloc((size_t)b * n, sizeof tokens[0]),
            *targets = quartic_alloc((size_t)b * n, sizeof targets[0]);
    for (uint32_t step = 0; step < steps; ++step) {
        for (uint32_t row = 0; row < b; ++row)
            for (uint32_t i = 0; i < n; ++i) {
                tokens[row * n + i] = rows[(step * b + row) * (n + 1) + i];
                targets[row * n + i] = rows[(step * b + row) * (n + 1) + i + 1];
            }
        quartic_step_report report;
        assert_ok(quartic_trainer_step(trainer, tokens, targets, NULL, &report));
        assert_int_equal(report.step, step + 1);
        got_losses[step] = report.loss;
        got_norms[step] = report.gradient_norm;
    }
    assert_near("losses", got_losses, losses, steps, 2e-5, 1.0, 0.0);
    assert_near("gradient norms", got_norms, norms, steps, 1e-4, 1.0, 1e-6);
    uint32_t untouched = 0;
    for (uint32_t k = 0; k < quartic_model_parameter_count(c.model); ++k) {
        quartic_model_parameter parameter;
        char path[256];
        assert_ok(quartic_model_get_parameter(c.model, k, &parameter));
        snprintf(path, sizeof path, "param.%s", parameter.name);
        float *first = case_floats(&c, path, &count);
        snprintf(path, sizeof path, "final.%s", parameter.name);
        float *want = case_floats(&c, path, &count), *got = quartic_alloc(count, sizeof got[0]);
        assert_ok(quartic_model_read_parameter(c.model, parameter.name, got, count));
        assert_near(path, got, want, count, 2e-5, 1.0, 0.0);
        /* What leads nowhere, such as the last layer's edges, is neither updated nor decayed. */
        if (memcmp(first, want, count * sizeof want[0]) == 0) {
            ++untouched;
            assert_memory_equal(first, got, count * sizeof got[0]);
        }
        quartic_free(first);
        quartic_free(want);
        quartic_free(got);
    }
    assert_true(untouched > 0);
    quartic_free(losses), quartic_free(norms), quartic_free(got_losses), quartic_free(got_norms);
    quartic_free(rows), quartic_free(tokens), quartic_free(targets);
    quartic_trainer_destroy(trainer);
    case_close(&c);
}

static void recorded_steps(void **state) {
    (void)state;
    check_recorded_steps("train-relational");
    check_recorded_steps("train-quartic");
    check_recorded_steps("extra/train-quartic-ablated");
    check_recorded_steps("extra/train-quartic-clipped");
    check_recorded_steps("extra/train-quartic-no-decay");
    check_recorded_steps("extra/train-quartic-one-stream");
}

/* ---- a small model of our own ---- */

static quartic_model_config model_train_small_config(void) {
    quartic_model_config config = QUARTIC_MODEL_CONFIG_INIT;
    config.num_tokens = 11, config.dim = 12, config.depth = 2, config.dim_edges = 6, config.heads = 2;
    config.dim_head = 4, config.linear_heads = 2, config.linear_dim_head = 3, config.ff_mult = 2;
    config.max_seq_len = 8, config.causal = 1, config.num_residual_streams = 2, config.dropout = 0.1f;
    return config;
}

static quartic_trainer_config small_trainer_config(void) {
    quartic_trainer_config config = QUARTIC_TRAINER_CONFIG_INIT;
    config.batch = BATCH, config.length = LENGTH, config.accumulation = 2, config.learning_rate = 0.003f;
    config.warmup_steps = 3, config.total_steps = 20, config.seed = 5;
    return config;
}

/* Tokens with something to learn: each is the one before plus 0..2. */
static const int32_t *small_data(void) {
    static int32_t data[DATA];
    for (int32_t i = 1; i < DATA; ++i) data[i] = (data[i - 1] + i * i % 3) % 11;
    return data;
}

typedef struct run {
    quartic_model *model;
    quartic_trainer *trainer;
} run;

static run start(const quartic_model_config *model, const quartic_trainer_config *trainer) {
    run r;
    assert_ok(quartic_model_create(device, model, &r.model));
    assert_ok(quartic_model_initialise(r.model, 7));
    assert_ok(quartic_trainer_create(r.model, trainer, &r.trainer));
    return r;
}

static void model_train_finish(run *r) {
    quartic_trainer_destroy(r->trainer);
    quartic_model_destroy(r->model);
}

static float *weights_of(const run *r) {
    float *storage;
    assert_ok(quartic_model_fetch(r->model, quartic_model_weights(r->model), &storage));
    return storage;
}

static void model_train_train(run *r, uint32_t steps, float *out_losses) {
    for (uint32_t k = 0; k < steps; ++k) {
        quartic_step_report report;
        assert_ok(quartic_trainer_step_sampled(r->trainer, small_data(), DATA, &report));
        if (out_losses != NULL) out_losses[k] = report.loss;
    }
}

static void training_learns(void **state) {
    (void)state;
    quartic_model_config model = model_train_small_config();
    quartic_trainer_config trainer = small_trainer_config();
    model.dropout = 0.0f;
    trainer.learning_rate = 0.01f, trainer.total_steps = 0;
    run r = start(&model, &trainer);
    enum { STEPS = 60 };
    float losses[STEPS];
    model_train_train(&r, STEPS, losses);
    if (!(losses[STEPS - 1] < 0.75f * losses[0]))
        fail_msg("loss %g to %g", (double)losses[0], (double)losses[STEPS - 1]);
    model_train_finish(&r);
}

static void resumes_bit_for_bit(void **state) {
    (void)state;
    const char *path = "model_train_test.safetensors";
    quartic_model_config model = model_train_small_config();
    quartic_trainer_config settings = small_trainer_config();
    float straight[8], before[4], after[4];
    run whole = start(&model, &settings);
    model_train_train(&whole, 8, straight);
    run first = start(&model, &settings);
    model_train_train(&first, 4, before);
    quartic_trainer_set_position(first.trainer, 4321);
    assert_ok(quartic_trainer_save(first.trainer, path));
    model_train_finish(&first);

    run second;
    quartic_trainer_config saved;
    assert_ok(quartic_model_open(device, path, &second.model));
    assert_ok(quartic_trainer_config_read(path, &saved));
    assert_memory_equal(&saved, &settings, offsetof(quartic_trainer_config, clip) + sizeof saved.clip);
    assert_int_equal(saved.seed, settings.seed);
    assert_ok(quartic_trainer_create(second.model, &saved, &second.trainer));
    assert_ok(quartic_trainer_load(second.trainer, path));
    assert_int_equal(quartic_trainer_get_step(second.trainer), 4);
    assert_int_equal(quartic_trainer_get_position(second.trainer), 4321);
    model_train_train(&second, 4, after);
    assert_memory_equal(before, straight, sizeof before);
    assert_memory_equal(after, straight + 4, sizeof after);
    float *want = weights_of(&whole), *got = weights_of(&second);
    assert_memory_equal(got, want, whole.model->set.elements * sizeof want[0]);
    assert_memory_not_equal(before, after, sizeof before);
    quartic_free(want), quartic_free(got);
    model_train_finish(&whole);
    model_train_finish(&second);
    remove(path);
}

static void load_refuses_other_runs(void **state) {
    (void)state;
    const char *path = "model_train_test_other.safetensors",
               *weights = "model_train_test_weights.safetensors";
    quartic_model_config model = model_train_small_config();
    quartic_trainer_config settings = small_trainer_config();
    run r = start(&model, &settings);
    model_train_train(&r, 2, NULL);
    assert_ok(quartic_trainer_save(r.trainer, path));
    assert_ok(quartic_model_save(r.model, weights));
    model_train_train(&r, 1, NULL);
    float *before = weights_of(&r);

    assert_int_equal(quartic_trainer_load(r.trainer, weights), QUARTIC_FORMAT);
    assert_message("no trainer's checkpoint");
    settings.seed = 6;
    run other = start(&model, &settings);
    assert_int_equal(quartic_trainer_load(other.trainer, path), QUARTIC_INVALID_ARGUMENT);
    assert_message("seed 5, this trainer has 6");
    model_train_finish(&other);
    settings.seed = 5, model.causal = 0;
    other = start(&model, &settings);
    assert_int_equal(quartic_trainer_load(other.trainer, path), QUARTIC_INVALID_ARGUMENT);
    assert_message("\"causal\" is ");
    model_train_finish(&other);

    float *after = weights_of(&r);
    assert_memory_equal(before, after, r.model->set.elements * sizeof before[0]);
    assert_int_equal(quartic_trainer_get_step(r.trainer), 3);
    quartic_free(before), quartic_free(after);
    model_train_finish(&r);
    remove(path);
    remove(weights);
}

/* Two micro-batches of one row each are one batch of two rows, up to rounding. */
static void accumulation_is_a_larger_batch(void **state) {
    (void)state;
    quartic_model_config model = model_train_small_config();
    quartic_trainer_config one = small_trainer_config(), two = small_trainer_config();
    model.dropout = 0.0f;
    one.batch = 4, one.accumulation = 1;
    two.batch = 1, two.accumulation = 4;
    run a = start(&model, &one), b = start(&model, &two);
    int32_t tokens[4 * LENGTH], targets[4 * LENGTH];
    assert_ok(quartic_batch_sample(small_data(), DATA, 3, 0, 4, LENGTH, tokens, targets));
    quartic_step_report of_a, of_b;
    for (uint32_t step = 0; step < 3; ++step) {
        assert_ok(quartic_trainer_step(a.trainer, tokens, targets, NULL, &of_a));
        assert_ok(quartic_trainer_step(b.trainer, tokens, targets, NULL, &of_b));
        assert_near("loss", &of_b.loss, &of_a.loss, 1, 1e-5, 1.0, 0.0);
        assert_near("norm", &of_b.gradient_norm, &of_a.gradient_norm, 1, 1e-4, 1.0, 0.0);
    }
    model_train_finish(&a);
    model_train_finish(&b);
}

static void a_mask_and_ignored_targets_hide_padding(void **state) {
    (void)state;
    quartic_model_config model = model_train_small_config();
    quartic_trainer_config settings = small_trainer_config();
    model.dropout = 0.0f;
    settings.batch = 1, settings.accumulation = 1, settings.masked = 1;
    run r = start(&model, &settings), s = start(&model, &settings);
    int32_t tokens[LENGTH] = {1, 2, 3, 4, 5, 6}, targets[LENGTH] = {2, 3, 4, 5, -1, -7};
    const uint8_t mask[LENGTH] = {1, 1, 1, 1, 0, 0};
    quartic_step_report of_r, of_s;
    assert_ok(quartic_trainer_step(r.trainer, tokens, targets, mask, &of_r));
    tokens[4] = 9, tokens[5] = 0; /* padding may hold anything */
    assert_ok(quartic_trainer_step(s.trainer, tokens, targets, mask, &of_s));
    assert_true(of_r.loss == of_s.loss);
    assert_int_equal(quartic_trainer_step(r.trainer, tokens, targets, NULL, NULL), QUARTIC_INVALID_ARGUMENT);
    assert_message("mask");
    targets[0] = 11;
    assert_int_equal(quartic_trainer_step(r.trainer, tokens, targets, mask, NULL), QUARTIC_INVALID_ARGUMENT);
    assert_message("target 11 at (0, 0) is outside the vocabulary, 0 to num_tokens - 1 = 10");
    model_train_finish(&r);
    model_train_finish(&s);
}

static void divergence_changes_nothing(void **state) {
    (void)state;
    quartic_model_config model = model_train_small_config();
    quartic_trainer_config settings = small_trainer_config();
    run r = start(&model, &settings), twin = start(&model, &settings);
    model_train_train(&r, 1, NULL);
    model_train_train(&twin, 1, NULL);
    /* Damage the weights behind the model's back, as an overflow would. */
    float *good = weights_of(&r), *bad = weights_of(&r);
    quartic_model_parameter parameter;
    assert_ok(quartic_model_find_parameter(r.model, "to_logits.1.weight", &parameter));
    bad[parameter.offset] = INFINITY;
    const size_t bytes = r.model->set.elements * sizeof good[0];
    assert_ok(quartic_tensor_write(quartic_model_weights(r.model), bad, bytes));
    quartic_step_report report;
    assert_int_equal(quartic_trainer_step_sampled(r.trainer, small_data(), DATA, &report),
                     QUARTIC_NON_FINITE);
    assert_message("at step 2 the loss is");
    assert_int_equal(report.step, 2);
    assert_int_equal(quartic_trainer_get_step(r.trainer), 1);
    /* With the weights repaired, training goes on as if nothing had been. */
    assert_ok(quartic_tensor_write(quartic_model_weights(r.model), good, bytes));
    float got[2], want[2];
    model_train_train(&r, 2, got);
    model_train_train(&twin, 2, want);
    assert_memory_equal(got, want, sizeof got);
    quartic_free(good), quartic_free(bad);
    model_train_finish(&r);
    model_train_finish(&twin);
}

static void seeds_and_dropout_matter(void **state) {
    (void)state;
    quartic_model_config model = model_train_small_config();
    quartic_trainer_config settings = small_trainer_config();
    int32_t tokens[2 * BATCH * LENGTH], targets[2 * BATCH * LENGTH];
    assert_ok(quartic_batch_sample(small_data(), DATA, 3, 0, 2 * BATCH, LENGTH, tokens, targets));
    quartic_step_report first, again, other, without;
    run r = start(&model, &settings);
    assert_ok(quartic_trainer_step(r.trainer, tokens, targets, NULL, &first));
    model_train_finish(&r);
    r = start(&model, &settings);
    assert_ok(quartic_trainer_step(r.trainer, tokens, targets, NULL, &again));
    model_train_finish(&r);
    settings.seed = 99;
    r = start(&model, &settings);
    assert_ok(quartic_trainer_step(r.trainer, tokens, targets, NULL, &other));
    model_train_finish(&r);
    model.dropout = 0.0f;
    r = start(&model, &settings);
    assert_ok(quartic_trainer_step(r.trainer, tokens, targets, NULL, &without));
    model_train_finish(&r);
    assert_true(first.loss == again.loss);
    assert_true(first.loss != other.loss && first.loss != without.loss && other.loss != without.loss);
    assert_true(fabsf(first.loss - without.loss) < 1.0f);
}

/* The gradient under dropout, recomputed stretches included, is that of the loss with the same masks: along a
 * random direction v, (loss(w + e v) - loss(w - e v)) / 2 e = <gradient, v>, in double. */
static void check_gradients_under_dropout(quartic_model_config config) {
    quartic_device *wide;
    assert_ok(quartic_device_create("reference64", &wide));
    config.dropout = 0.3f;
    quartic_model *model;
    assert_ok(quartic_model_create(wide, &config, &model));
    const quartic_model_task task = {
        .batch = BATCH, .length = LENGTH, .loss = true, .gradients = true, .replace = true, .dropout = true};
    const quartic_binding binding = {"parameters", quartic_model_weights(model)};
    quartic_program_config program_config = QUARTIC_PROGRAM_CONFIG_INIT;
    program_config.bindings = &binding, program_config.binding_count = 1;
    quartic_graph *graph;
    quartic_program *program;
    assert_ok(quartic_model_build(model, &task, NULL, &graph));
    assert_ok(quartic_program_create(wide, graph, &program_config, &program));
    quartic_graph_destroy(graph);
    int32_t tokens[BATCH * LENGTH], targets[BATCH * LENGTH];
    const uint32_t dropout_seed[2] = {77, 1};
    assert_ok(quartic_batch_sample(small_data(), DATA, 3, 0, BATCH, LENGTH, tokens, targets));
    assert_ok(quartic_tensor_write(quartic_program_tensor(program, "tokens"), tokens, sizeof tokens));
    assert_ok(quartic_tensor_write(quartic_program_tensor(program, "targets"), targets, sizeof targets));
    assert_ok(quartic_tensor_write(quartic_program_tensor(program, "dropout_seed"), dropout_seed,
                                   sizeof dropout_seed));

    const uint64_t elements = model->set.elements;
    const size_t bytes = elements * sizeof(float);
    float *start_weights, *gradients, *moved[2];
    assert_ok(quartic_model_fetch(model, quartic_model_weights(model), &start_weights));
    assert_ok(quartic_program_run(program));
    assert_ok(quartic_model_fetch(model, quartic_program_tensor(program, "gradients"), &gradients));
    double along = 0.0;
    float losses[2];
    for (int side = 0; side < 2; ++side) {
        moved[side] = quartic_alloc(elements, sizeof(float));
        assert_non_null(moved[side]);
        for (uint64_t i = 0; i < elements; ++i)
            moved[side][i] =
                start_weights[i] + (side == 0 ? 1e-3f : -1e-3f) * quartic_random_normal(13, 0, i);
        assert_ok(quartic_tensor_write(quartic_model_weights(model), moved[side], bytes));
        assert_ok(quartic_program_run(program));
        assert_ok(
            quartic_tensor_read(quartic_program_tensor(program, "loss"), &losses[side], sizeof losses[side]));
    }
    for (uint64_t i = 0; i < elements; ++i)
        along += (double)gradients[i] * ((double)moved[0][i] - (double)moved[1][i]);
    /* The third derivative leaves about e^2 of the difference. */
    double difference = (double)losses[0] - (double)losses[1];
    if (!(fabs(difference - along) < 2e-2 * fabs(along)) || fabs(along) < 1e-4)
        fail_msg("the loss changes by %g, the gradient says %g", difference, along);
    quartic_free(start_weights), quartic_free(gradients), quartic_free(moved[0]), quartic_free(moved[1]);
    quartic_program_destroy(program);
    quartic_model_destroy(model);
    quartic_device_destroy(wide);
}

static void gradients_see_the_same_dropout(void **state) {
    (void)state;
    quartic_model_config config = model_train_small_config();
    check_gradients_under_dropout(config);
    config.model = QUARTIC_MODEL_MULTI_STREAM;
    config.residual_talking_heads = 1, config.diversity_loss = 0.5f;
    check_gradients_under_dropout(config);
    config.non_linear_talking_heads = config.parallel_streams = 1;
    check_gradients_under_dropout(config);
}

static void failed_allocations_leave_nothing(void **state) {
    (void)state;
    quartic_model_config model_config = model_train_small_config();
    quartic_trainer_config settings = small_trainer_config();
    model_config.depth = 1;
    quartic_model *model;
    assert_ok(quartic_model_create(device, &model_config, &model));
    int64_t live = quartic_alloc_live();
    quartic_status status = QUARTIC_OUT_OF_MEMORY;
    /* Every allocation once at first, then in growing strides: building a graph makes thousands. */
    for (uint64_t nth = 1; status != QUARTIC_OK; nth += 1 + nth / 8) {
        quartic_trainer *trainer;
        quartic_alloc_fail_at(nth);
        status = quartic_trainer_create(model, &settings, &trainer);
        quartic_alloc_fail_at(0);
        if (status == QUARTIC_OK)
            quartic_trainer_destroy(trainer);
        else
            assert_int_equal(status, QUARTIC_OUT_OF_MEMORY);
        assert_int_equal(quartic_alloc_live(), live);
    }
    quartic_model_destroy(model);
}

int model_train_tests(const test_device *on) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recorded_steps),
        cmocka_unit_test(resumes_bit_for_bit),
        cmocka_unit_test(divergence_changes_nothing),
    };
    return DEVICE_TESTS_RUN(on, &device, tests);
}

int model_train_host_tests(const test_device *on) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(training_learns),
        cmocka_unit_test(load_refuses_other_runs),
        cmocka_unit_test(accumulation_is_a_larger_batch),
        cmocka_unit_test(a_mask_and_ignored_targets_hide_padding),
        cmocka_unit_test(seeds_and_dropout_matter),
        cmocka_unit_test(gradients_see_the_same_dropout),
        cmocka_unit_test(failed_allocations_leave_nothing),
    };
    return DEVICE_TESTS_RUN(on, &device, tests);
}
