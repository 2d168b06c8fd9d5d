/* training_ahead_tests.c: see training_ahead_tests.h. */
#include "training_ahead_tests.h"

#include <math.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "quartic/io.h"
#include "quartic/train.h"
#include "train/trainer.h"

enum { NODES = 5, WORDS = 9, BAD = WORDS - 1, MOST_BATCH = 6, STEPS = 6, PARTS = 3 };

static quartic_device *device;

typedef struct ahead {
    quartic_model *model;
    quartic_trainer *trainer;
} ahead;

static ahead ahead_begin(uint32_t accumulation, float dropout) {
    ahead a;
    quartic_model_config config = QUARTIC_MODEL_CONFIG_INIT;
    config.num_tokens = WORDS, config.dim = 12, config.depth = 2, config.dim_edges = 6, config.heads = 2;
    config.dim_head = 4, config.linear_heads = 2, config.linear_dim_head = 3, config.ff_mult = 2;
    config.max_seq_len = NODES, config.num_residual_streams = 2, config.positions = 0;
    config.dropout = dropout;
    quartic_trainer_config settings = QUARTIC_TRAINER_CONFIG_INIT;
    settings.batch = 2, settings.length = NODES, settings.accumulation = accumulation;
    settings.learning_rate = 0.01f, settings.seed = 3, settings.warmup_steps = 3;
    assert_ok(quartic_model_create(device, &config, &a.model));
    assert_ok(quartic_model_initialise(a.model, 7));
    assert_ok(quartic_trainer_create(a.model, &settings, &a.trainer));
    return a;
}

static void ahead_end(ahead *a) {
    quartic_trainer_destroy(a->trainer);
    quartic_model_destroy(a->model);
}

/* Whether a step without a report is done when its call returns. */
static bool ahead_is_done_at_once(void) {
    quartic_device_info info;
    assert_ok(quartic_device_get_info(device, &info));
    return info.kind != QUARTIC_DEVICE_VULKAN;
}

/* A step on the batch of that number; BAD occurs in it only if it is to be bad. The arrays are overwritten at once.
 */
static quartic_status ahead_step(ahead *a, uint32_t number, bool bad, quartic_step_report *out_report) {
    int32_t tokens[MOST_BATCH * NODES], targets[MOST_BATCH * NODES];
    for (uint32_t i = 0; i < MOST_BATCH * NODES; ++i) {
        tokens[i] = bad ? BAD : (int32_t)(quartic_random_bits(5, number, i) % BAD);
        targets[i] = (int32_t)(quartic_random_bits(6, number, i) % BAD);
    }
    const quartic_status status = quartic_trainer_step(a->trainer, tokens, targets, NULL, out_report);
    for (uint32_t i = 0; i < MOST_BATCH * NODES; ++i) tokens[i] = targets[i] = -1;
    return status;
}

/* Weights and moments of a trainer, PARTS arrays that ahead_free_numbers frees. Reading them waits for no report. */
static void ahead_numbers(const ahead *a, float *out_parts[PARTS]) {
    const quartic_tensor *tensors[PARTS] = {a->model->weights, a->trainer->first_moment,
                                            a->trainer->second_moment};
    for (uint32_t part = 0; part < PARTS; ++part)
        assert_ok(
            quartic_model_fetch(a->model, (quartic_tensor *)(uintptr_t)tensors[part], &out_parts[part]));
}

static void ahead_free_numbers(float *parts[PARTS]) {
    for (uint32_t part = 0; part < PARTS; ++part) quartic_free(parts[part]);
}

static void ahead_expect_numbers(const ahead *a, float *const want[PARTS]) {
    float *got[PARTS];
    ahead_numbers(a, got);
    for (uint32_t part = 0; part < PARTS; ++part)
        assert_memory_equal(got[part], want[part], a->model->set.elements * sizeof(float));
    ahead_free_numbers(got);
}

static void ahead_expect_same(const ahead *a, const ahead *b) {
    float *want[PARTS];
    ahead_numbers(b, want);
    ahead_expect_numbers(a, want);
    ahead_free_numbers(want);
}

/* ---- the same numbers ---- */

static void check_same(uint32_t accumulation, float dropout) {
    ahead waiting = ahead_begin(accumulation, dropout), a = ahead_begin(accumulation, dropout);
    const uint64_t lag = ahead_is_done_at_once() ? 0 : 1;
    quartic_step_report want[STEPS], got = quartic_trainer_get_report(a.trainer);
    assert_int_equal(got.step, 0);
    for (uint32_t k = 0; k < STEPS; ++k) {
        assert_ok(ahead_step(&waiting, k, false, &want[k]));
        assert_int_equal(want[k].step, k + 1);
        assert_int_equal(want[k].targets, accumulation * 2 * NODES);
        assert_true(want[k].loss > 0.0f && want[k].gradient_norm > 0.0f);
        assert_ok(ahead_step(&a, k, false, NULL));
        assert_int_equal(quartic_trainer_get_step(a.trainer), k + 1);
        got = quartic_trainer_get_report(a.trainer);
        assert_int_equal(got.step, k + 1 - lag);
        if (got.step > 0) assert_memory_equal(&got, &want[got.step - 1], sizeof got);
    }
    /* Weights that are read in between are those of all submitted steps. */
    ahead_expect_same(&a, &waiting);
    assert_int_equal(quartic_trainer_get_report(a.trainer).step, STEPS - lag);
    assert_ok(quartic_trainer_wait(a.trainer, &got));
    assert_memory_equal(&got, &want[STEPS - 1], sizeof got);
    assert_ok(quartic_trainer_wait(a.trainer, NULL)); /* for nothing */
    got = quartic_trainer_get_report(a.trainer);
    assert_memory_equal(&got, &want[STEPS - 1], sizeof got);
    /* A step with a report after one without reports itself. */
    quartic_step_report last[2];
    assert_ok(ahead_step(&a, STEPS, false, NULL));
    assert_ok(ahead_step(&a, STEPS + 1, false, &got));
    for (uint32_t k = 0; k < 2; ++k) assert_ok(ahead_step(&waiting, STEPS + k, false, &last[k]));
    assert_memory_equal(&got, &last[1], sizeof got);
    ahead_expect_same(&a, &waiting);
    ahead_end(&a), ahead_end(&waiting);
}

static void steps_ahead_give_the_same_bits(void **state) {
    (void)state;
    check_same(1, 0.0f);
    check_same(1, 0.1f);
    check_same(3, 0.1f);
}

/* ---- what is not finite ---- */

/* Multiplies a weight's elements from `begin` on and limits them to 3e38. */
static void ahead_scale(ahead *a, const char *name, uint64_t begin, float factor) {
    quartic_model_parameter parameter;
    float *storage;
    assert_ok(quartic_model_find_parameter(a->model, name, &parameter));
    assert_ok(quartic_model_fetch(a->model, a->model->weights, &storage));
    for (uint64_t i = begin; i < parameter.elements; ++i) {
        float *number = &storage[parameter.offset + i];
        *number = fminf(fmaxf(*number * factor, -3e38f), 3e38f);
    }
    assert_ok(quartic_tensor_write(a->model->weights, storage, a->model->set.elements * sizeof storage[0]));
    quartic_free(storage);
}

/* Weights of finite size with which a batch of BAD alone has no finite loss, or a finite loss whose gradient's norm
 * is infinite; other batches have both. */
typedef enum poison { POISON_LOSS, POISON_GRADIENT, POISON_KINDS } poison;

static void ahead_poison(ahead *a, poison kind) {
    const uint64_t row = (uint64_t)BAD * 12;
    if (kind == POISON_LOSS) {
        for (uint32_t k = 0; k < 2; ++k) ahead_scale(a, "token_emb.weight", row, 1e30f);
    } else {
        ahead_scale(a, "token_emb.weight", row, 1e-20f);
        ahead_scale(a, "to_logits.1.weight", 0, 1e16f);
    }
}

/* The bad step is the third: the report and the error are its own, weights and moments are those of step 2 although
 * a good step was submitted behind it, and training goes on as if neither had been. */
static void check_bad_step(poison kind, uint32_t accumulation) {
    ahead a = ahead_begin(accumulation, 0.1f), twin = ahead_begin(accumulation, 0.1f);
    const bool at_once = ahead_is_done_at_once();
    float *before[PARTS];
    quartic_step_report report, want;
    ahead_poison(&a, kind), ahead_poison(&twin, kind);
    for (uint32_t k = 0; k < 2; ++k) {
        assert_ok(ahead_step(&a, k, false, NULL));
        assert_ok(ahead_step(&twin, k, false, &want));
    }
    ahead_numbers(&a, before);
    quartic_status status = ahead_step(&a, 2, true, NULL);
    if (!at_once) {
        assert_ok(status);
        assert_int_equal(quartic_trainer_get_step(a.trainer), 3);
        status = ahead_step(&a, 2, false, NULL);
    }
    assert_int_equal(status, QUARTIC_NON_FINITE);
    assert_message("at step 3 the loss is ");
    report = quartic_trainer_get_report(a.trainer);
    assert_int_equal(report.step, 3);
    assert_true(isfinite(report.loss) == (kind == POISON_GRADIENT));
    assert_true(kind == POISON_LOSS || !isfinite(report.gradient_norm));
    assert_int_equal(quartic_trainer_get_step(a.trainer), 2);
    ahead_expect_numbers(&a, before);
    ahead_free_numbers(before);
    for (uint32_t k = 2; k < STEPS; ++k) {
        assert_ok(ahead_step(&a, k, false, k % 2 == 0 ? NULL : &report));
        assert_ok(ahead_step(&twin, k, false, &want));
    }
    assert_memory_equal(&report, &want, sizeof want);
    ahead_expect_same(&a, &twin);
    ahead_end(&a), ahead_end(&twin);
}

static void a_bad_step_and_the_one_behind_it_change_nothing(void **state) {
    (void)state;
    for (uint32_t kind = 0; kind < POISON_KINDS; ++kind)
        for (uint32_t accumulation = 1; accumulation <= 3; accumulation += 2)
            check_bad_step((poison)kind, accumulation);
}

static void ahead_expect_file(const char *path, const char *want) {
    char text[8] = "";
    FILE *stream = fopen(path, "rb");
    assert_non_null(stream);
    assert_int_equal(fread(text, 1, sizeof text, stream), strlen(want));
    fclose(stream);
    assert_string_equal(text, want);
}

/* A bad step in flight is told by the save, which leaves the file; the next one saves the step before. Loading does
 * not care about it. A step that is done at once has told it already, and changed nothing that could be saved. */
static void a_bad_step_replaces_no_checkpoint(void **state) {
    (void)state;
    const char *path = "training_ahead_tests.safetensors";
    const bool at_once = ahead_is_done_at_once();
    for (uint32_t kind = 0; kind < POISON_KINDS; ++kind) {
        ahead a = ahead_begin(1, 0.0f), twin = ahead_begin(1, 0.0f);
        ahead_poison(&a, (poison)kind), ahead_poison(&twin, (poison)kind);
        assert_ok(quartic_file_save(path, "good", 4));
        assert_ok(ahead_step(&a, 0, false, NULL));
        quartic_status told = ahead_step(&a, 1, true, NULL);
        if (!at_once) {
            assert_ok(told);
            told = quartic_trainer_save(a.trainer, path);
        }
        assert_int_equal(told, QUARTIC_NON_FINITE);
        assert_message("at step 2 the loss is ");
        ahead_expect_file(path, "good");
        assert_ok(quartic_trainer_save(a.trainer, path));
        assert_int_equal(quartic_trainer_get_step(a.trainer), 1);
        assert_int_equal(ahead_step(&a, 1, true, NULL), at_once ? QUARTIC_NON_FINITE : QUARTIC_OK);
        assert_ok(quartic_trainer_load(a.trainer, path));
        assert_int_equal(quartic_trainer_get_step(a.trainer), 1);
        for (uint32_t k = 0; k < 3; ++k) {
            if (k > 0) assert_ok(ahead_step(&a, k, false, NULL));
            assert_ok(ahead_step(&twin, k, false, NULL));
        }
        ahead_expect_same(&a, &twin);
        remove(path);
        ahead_end(&a), ahead_end(&twin);
    }
}

/* A trial waits for the step before it; one that is bad leaves nothing for the step after it. */
static void trials_come_after_the_step_in_flight(void **state) {
    (void)state;
    ahead a = ahead_begin(2, 0.1f), twin = ahead_begin(2, 0.1f);
    quartic_step_report report, want;
    ahead_poison(&a, POISON_LOSS), ahead_poison(&twin, POISON_LOSS);
    assert_ok(ahead_step(&a, 0, false, NULL));
    quartic_trainer_set_trial(a.trainer, 1);
    assert_int_equal(ahead_step(&a, 1, true, NULL), QUARTIC_NON_FINITE);
    assert_message("at step 2 the loss is ");
    assert_int_equal(quartic_trainer_get_step(a.trainer), 1);
    assert_ok(ahead_step(&a, 1, false, NULL));
    assert_int_equal(quartic_trainer_get_step(a.trainer), 1);
    assert_int_equal(quartic_trainer_get_report(a.trainer).step, 2); /* of the trial */
    quartic_trainer_set_trial(a.trainer, 0);
    assert_ok(ahead_step(&a, 1, false, NULL));
    assert_ok(quartic_trainer_wait(a.trainer, &report));
    for (uint32_t k = 0; k < 2; ++k) assert_ok(ahead_step(&twin, k, false, &want));
    assert_memory_equal(&report, &want, sizeof want);
    ahead_expect_same(&a, &twin);
    /* A bad step in flight is what a trial behind it reports. */
    const quartic_status status = ahead_step(&a, 2, true, NULL);
    quartic_trainer_set_trial(a.trainer, 1);
    if (status == QUARTIC_OK)
        assert_int_equal(ahead_step(&a, 3, false, &report), QUARTIC_NON_FINITE);
    else
        report = quartic_trainer_get_report(a.trainer);
    assert_int_equal(report.step, 3);
    assert_true(!isfinite(report.loss));
    ahead_expect_same(&a, &twin);
    ahead_end(&a), ahead_end(&twin);
}

/* What is refused before it is submitted leaves the step in flight as it is. */
static void a_refused_step_leaves_the_one_in_flight(void **state) {
    (void)state;
    ahead a = ahead_begin(1, 0.0f), twin = ahead_begin(1, 0.0f);
    const int32_t wrong[2 * NODES] = {WORDS};
    quartic_step_report report, want;
    assert_ok(ahead_step(&a, 0, false, NULL));
    assert_int_equal(quartic_trainer_step(a.trainer, wrong, wrong, NULL, NULL), QUARTIC_INVALID_ARGUMENT);
    assert_int_equal(quartic_trainer_get_step(a.trainer), 1);
    assert_ok(quartic_trainer_wait(a.trainer, &report));
    assert_ok(ahead_step(&twin, 0, false, &want));
    assert_memory_equal(&report, &want, sizeof want);
    ahead_expect_same(&a, &twin);
    ahead_end(&a), ahead_end(&twin);
}

int training_ahead_tests(const test_device *on) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_ahead_give_the_same_bits),
        cmocka_unit_test(a_bad_step_and_the_one_behind_it_change_nothing),
        cmocka_unit_test(a_bad_step_replaces_no_checkpoint),
        cmocka_unit_test(trials_come_after_the_step_in_flight),
        cmocka_unit_test(a_refused_step_leaves_the_one_in_flight),
    };
    return DEVICE_TESTS_RUN(on, &device, tests);
}
