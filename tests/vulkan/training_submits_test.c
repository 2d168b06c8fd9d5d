/* training_submits_test.c: what training asks of a Vulkan device's queue. A step is one submit, and nothing waits
 * for it before the next one is submitted; submits and allocations that fail while a step is in flight are reported
 * and cost nothing but the step that they belong to; steps in flight may be abandoned.
 */
#include "failing_alloc.h"
#include "vulkan/failing_vulkan.h"
#include "vulkan/vulkan_test.h"

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/rng.h"
#include "gpu/internal.h"
#include "quartic/train.h"
#include "run/run.h"
#include "train/trainer.h"

enum { NODES = 6, WORDS = 9, BATCH = 2, MOST_ACCUMULATION = 40, STEPS = 5, PARTS = 3 };

/* Device of all trainers to come, so that pipelines are compiled once; NULL: each has its own. */
static quartic_device *submits_shared;

typedef struct submits {
    quartic_device *device;
    quartic_model *model;
    quartic_trainer *trainer;
    bool masked;
} submits;

static submits submits_begin(uint32_t accumulation, bool masked) {
    submits s = {.device = submits_shared != NULL ? submits_shared : vulkan_test_device(), .masked = masked};
    quartic_model_config config = QUARTIC_MODEL_CONFIG_INIT;
    config.num_tokens = WORDS, config.dim = 8, config.depth = 1, config.dim_edges = 4, config.heads = 2;
    config.dim_head = 4, config.linear_heads = 2, config.linear_dim_head = 3, config.max_seq_len = NODES;
    config.num_residual_streams = 2, config.dropout = 0.1f, config.num_edge_types = 3;
    quartic_trainer_config settings = QUARTIC_TRAINER_CONFIG_INIT;
    settings.batch = BATCH, settings.length = NODES, settings.accumulation = accumulation;
    settings.learning_rate = 0.01f, settings.masked = masked, settings.seed = 3;
    assert_ok(quartic_model_create(s.device, &config, &s.model));
    assert_ok(quartic_model_initialise(s.model, 7));
    assert_ok(quartic_trainer_create(s.model, &settings, &s.trainer));
    return s;
}

static void submits_end(submits *s) {
    quartic_trainer_destroy(s->trainer);
    quartic_model_destroy(s->model);
    if (s->device != submits_shared) quartic_device_destroy(s->device);
}

static quartic_status submits_step(submits *s, uint64_t number, quartic_step_report *out_report) {
    static int32_t tokens[MOST_ACCUMULATION * BATCH * NODES], targets[MOST_ACCUMULATION * BATCH * NODES],
        edges[MOST_ACCUMULATION * BATCH * NODES * NODES];
    static uint8_t mask[MOST_ACCUMULATION * BATCH * NODES];
    for (uint32_t i = 0; i < MOST_ACCUMULATION * BATCH * NODES; ++i) {
        tokens[i] = (int32_t)(quartic_random_bits(5, (uint32_t)number, i) % WORDS);
        targets[i] = (int32_t)(quartic_random_bits(6, (uint32_t)number, i) % WORDS);
        mask[i] = i % NODES != NODES - 1;
    }
    for (uint32_t i = 0; i < MOST_ACCUMULATION * BATCH * NODES * NODES; ++i)
        edges[i] = (int32_t)(quartic_random_bits(7, (uint32_t)number, i) % 3);
    quartic_model_batch in = QUARTIC_MODEL_BATCH_INIT;
    in.batch = BATCH * quartic_trainer_get_config(s->trainer)->accumulation, in.length = NODES;
    in.tokens = tokens, in.targets = targets, in.edge_types = edges, in.mask = s->masked ? mask : NULL;
    return quartic_trainer_step_batch(s->trainer, &in, out_report);
}

static int submits_mapped(void **state) {
    (void)state;
    setenv("QUARTIC_DISABLE", "cache", 1);
    return 0;
}

static int submits_staged(void **state) {
    (void)state;
    setenv("QUARTIC_DISABLE", "cache,mapping", 1);
    return 0;
}

/* ---- counts ---- */

static void check_counts(uint32_t accumulation, bool masked) {
    submits s = submits_begin(accumulation, masked);
    const vulkan_queue_counts begin = vulkan_count_queue();
    assert_ok(submits_step(&s, 0, NULL));
    assert_int_equal(vulkan_count_queue().submits - begin.submits, 1);
    assert_int_equal(vulkan_count_queue().waits - begin.waits, 0);
    for (uint64_t k = 1; k < 20; ++k) {
        const vulkan_queue_counts before = vulkan_count_queue();
        const uint64_t own = quartic_device_submits(s.device);
        assert_ok(submits_step(&s, k, NULL));
        const vulkan_queue_counts after = vulkan_count_queue();
        assert_int_equal(after.submits - before.submits, 1);
        assert_int_equal(quartic_device_submits(s.device) - own, 1);
        /* One wait, for the step before, while this one is with the device. */
        assert_int_equal(after.waits - before.waits, 1);
        assert_int_equal(after.full_waits - before.full_waits, 0);
        assert_int_equal(quartic_trainer_get_report(s.trainer).step, k);
    }
    const vulkan_queue_counts before = vulkan_count_queue();
    assert_ok(quartic_trainer_wait(s.trainer, NULL));
    quartic_step_report report; /* with a report: one submit, and one wait for it */
    assert_ok(submits_step(&s, 20, &report));
    const vulkan_queue_counts after = vulkan_count_queue();
    assert_int_equal(after.submits - before.submits, 1);
    assert_int_equal(after.waits - before.waits, 2);
    submits_end(&s);
}

static void a_step_is_one_submit_and_waits_for_the_one_before(void **state) {
    (void)state;
    check_counts(1, false);
    check_counts(1, true);
    check_counts(3, true);
    check_counts(MOST_ACCUMULATION, false);
}

/* A step that would take the device seconds is cut into batches, still of one submit, with the same numbers. */
static void a_long_step_is_one_submit_of_several_batches(void **state) {
    (void)state;
    quartic_step_report want, got;
    submits s = submits_begin(2, true);
    for (uint64_t k = 0; k < 3; ++k) assert_ok(submits_step(&s, k, &want));
    submits_end(&s);
    submits_shared = vulkan_test_device();
    quartic_gpu_device *gpu = submits_shared->gpu;
    gpu->caps.flops_per_second = gpu->caps.bytes_per_second = 3e5; /* as programs are recorded from now on */
    s = submits_begin(2, true);
    for (uint64_t k = 0; k < 3; ++k) {
        const uint64_t submits = vulkan_count_queue().submits, batches = gpu->submitted;
        assert_ok(submits_step(&s, k, NULL));
        assert_int_equal(vulkan_count_queue().submits - submits, 1);
        assert_true(gpu->submitted - batches > 1);
    }
    assert_ok(quartic_trainer_wait(s.trainer, &got));
    assert_memory_equal(&got, &want, sizeof got);
    submits_end(&s);
    quartic_device_destroy(submits_shared);
    submits_shared = NULL;
}

/* ---- failures ---- */

typedef struct submits_result {
    float *parts[PARTS];
    size_t bytes;
    quartic_step_report report;
} submits_result;

static submits_result submits_read(submits *s) {
    submits_result result = {.bytes = s->model->set.elements * sizeof(float)};
    quartic_tensor *const tensors[PARTS] = {s->model->weights, s->trainer->first_moment,
                                            s->trainer->second_moment};
    assert_ok(quartic_trainer_wait(s->trainer, &result.report));
    for (uint32_t part = 0; part < PARTS; ++part)
        assert_ok(quartic_model_fetch(s->model, tensors[part], &result.parts[part]));
    return result;
}

static void submits_free(submits_result *result) {
    for (uint32_t part = 0; part < PARTS; ++part) quartic_free(result->parts[part]);
}

static submits_result submits_undisturbed(uint32_t accumulation) {
    submits s = submits_begin(accumulation, true);
    for (uint64_t k = 0; k < STEPS; ++k) assert_ok(submits_step(&s, k, NULL));
    submits_result result = submits_read(&s);
    submits_end(&s);
    return result;
}

/* Steps up to STEPS, made again where they fail; returns how many calls failed. */
static uint32_t submits_persist(submits *s) {
    uint32_t failures = 0;
    while (quartic_trainer_get_step(s->trainer) < STEPS) {
        const quartic_status status = submits_step(s, quartic_trainer_get_step(s->trainer), NULL);
        if (status == QUARTIC_OK) continue;
        if (status != QUARTIC_OUT_OF_MEMORY && status != QUARTIC_OUT_OF_DEVICE_MEMORY)
            fail_msg("%s: %s", quartic_status_name(status), quartic_error_message());
        assert_true(strlen(quartic_error_message()) > 0);
        assert_true(++failures < 3);
    }
    return failures;
}

/* The n-th call of a kind fails while steps are made, for n = 1, 2, .. until none is left: a step that failed is
 * made again, and all ends with the same bits. Returns how many calls there were. */
static uint64_t submits_walk(void (*fail_at)(uint64_t), uint32_t accumulation) {
    submits_result want = submits_undisturbed(accumulation);
    uint64_t nth = 0;
    for (bool failed = true; failed;) {
        ++nth;
        submits s = submits_begin(accumulation, true);
        fail_at(nth);
        failed = submits_persist(&s) > 0;
        fail_at(0);
        submits_result got = submits_read(&s);
        assert_memory_equal(&got.report, &want.report, sizeof want.report);
        for (uint32_t part = 0; part < PARTS; ++part)
            assert_memory_equal(got.parts[part], want.parts[part], want.bytes);
        submits_free(&got);
        submits_end(&s);
    }
    submits_free(&want);
    return nth - 1;
}

static void a_submit_may_fail_with_a_step_in_flight(void **state) {
    (void)state;
    submits_shared = vulkan_test_device();
    assert_int_equal(submits_walk(vulkan_fail_submit_at, 1), STEPS);
    assert_int_equal(submits_walk(vulkan_fail_submit_at, 3), STEPS);
    quartic_device_destroy(submits_shared);
    submits_shared = NULL;
}

static void an_allocation_may_fail_with_a_step_in_flight(void **state) {
    (void)state;
    assert_true(submits_walk(quartic_alloc_fail_at, 3) > 0);
    assert_true(submits_walk(vulkan_fail_at, 3) > 0); /* the ring and the command buffers of copies */
}

/* ---- steps that nobody waits for ---- */

static void steps_in_flight_may_be_abandoned(void **state) {
    (void)state;
    for (uint32_t accumulation = 1; accumulation <= 3; accumulation += 2) {
        submits s = submits_begin(accumulation, false);
        quartic_trainer_config settings = *quartic_trainer_get_config(s.trainer);
        quartic_step_report report, again;
        for (uint64_t k = 0; k < 3; ++k) assert_ok(submits_step(&s, k, NULL));
        quartic_trainer_destroy(s.trainer);
        /* Another trainer of the device takes over what that one had. */
        assert_ok(quartic_model_initialise(s.model, 7));
        assert_ok(quartic_trainer_create(s.model, &settings, &s.trainer));
        assert_ok(submits_step(&s, 0, NULL));
        assert_ok(submits_step(&s, 1, NULL));
        assert_ok(quartic_trainer_wait(s.trainer, &report));
        assert_ok(submits_step(&s, 2, NULL));
        submits_end(&s);
        submits twin = submits_begin(accumulation, false);
        for (uint64_t k = 0; k < 2; ++k) assert_ok(submits_step(&twin, k, &again));
        assert_memory_equal(&report, &again, sizeof report);
        submits_end(&twin);
    }
}

static submits parents;

static int submits_refused(quartic_status status) {
    return status == QUARTIC_UNSUPPORTED &&
           strstr(quartic_error_message(), "made from that by fork()") != NULL;
}

static int submits_use_the_parents(void) {
    quartic_step_report report;
    if (!submits_refused(quartic_trainer_wait(parents.trainer, &report))) return 1;
    if (!submits_refused(submits_step(&parents, 2, NULL))) return 2;
    if (!submits_refused(submits_step(&parents, 2, &report))) return 3;
    if (quartic_trainer_save(parents.trainer, "training_submits_child.safetensors") == QUARTIC_OK) return 4;
    quartic_trainer_destroy(parents.trainer);
    quartic_model_destroy(parents.model);
    quartic_device_destroy(parents.device);
    return 0;
}

static void a_child_process_leaves_the_steps_in_flight(void **state) {
    (void)state;
    submits_result want = submits_undisturbed(1);
    parents = submits_begin(1, true);
    for (uint64_t k = 0; k < 2; ++k) assert_ok(submits_step(&parents, k, NULL));
    fflush(NULL);
    const pid_t child = fork();
    if (child == 0) _exit(submits_use_the_parents());
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (status != 0) fail_msg("the child ended with wait status %d", status);
    assert_int_equal(submits_persist(&parents), 0);
    submits_result got = submits_read(&parents);
    assert_memory_equal(&got.report, &want.report, sizeof want.report);
    for (uint32_t part = 0; part < PARTS; ++part)
        assert_memory_equal(got.parts[part], want.parts[part], want.bytes);
    submits_free(&got), submits_free(&want);
    submits_end(&parents);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_step_is_one_submit_and_waits_for_the_one_before, submits_mapped),
        cmocka_unit_test_setup(a_step_is_one_submit_and_waits_for_the_one_before, submits_staged),
        cmocka_unit_test_setup(a_long_step_is_one_submit_of_several_batches, submits_mapped),
        cmocka_unit_test_setup(a_submit_may_fail_with_a_step_in_flight, submits_mapped),
        cmocka_unit_test_setup(an_allocation_may_fail_with_a_step_in_flight, submits_staged),
        cmocka_unit_test_setup(steps_in_flight_may_be_abandoned, submits_mapped),
        cmocka_unit_test_setup(a_child_process_leaves_the_steps_in_flight, submits_mapped),
    };
    return cmocka_run_group_tests(tests, vulkan_test_begin, vulkan_test_end);
}
