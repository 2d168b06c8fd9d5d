/* gpu_loss_test.c: training on a device that is lost, falls silent or is out of memory, at every submit in turn:
 * each call says so at once, the message tells what was running, the checkpoint stays whole, and training goes
 * on from it on a fresh device with the same bits. */
#include "folder.h"
#include "vulkan/saved_steps.h"
#include "vulkan/vulkan_test.h"

#include <dlfcn.h>
#include <string.h>
#include <unistd.h>

#include "gpu/internal.h"
#include "quartic/train.h"
#include "run/run.h"

enum { NODES = 4, WORDS = 5, STEPS = 3, MOST_SUBMITS = 400 };

static char folder[TEST_FOLDER_BYTES], checkpoint[TEST_PATH_BYTES];
static float *whole;            /* the weights of an undisturbed run */
static saved_steps saved;       /* its checkpoints */
static bool resumed[STEPS + 1]; /* tried from that checkpoint in this walk; 0: from none */
static uint64_t weight_bytes;
static bool slow; /* devices that are opened take long for a step, by their estimate: several batches */

/* Before main, where the environment may still be changed. */
__attribute__((constructor)) static void gpu_loss_choose_loader(void) {
    setenv("QUARTIC_VULKAN_LOADER", QUARTIC_TEST_LOSING_LOADER, 1);
}

static long gpu_loss_restart(void) {
    void *loader = dlopen(QUARTIC_TEST_LOSING_LOADER, RTLD_NOW | RTLD_LOCAL);
    assert_non_null(loader);
    union {
        void *object;
        long (*function)(void);
    } symbol = {.object = dlsym(loader, "losing_loader_restart")};
    assert_non_null(symbol.object);
    const long submits = symbol.function();
    dlclose(loader);
    return submits;
}

typedef struct run {
    quartic_device *device;
    quartic_model *model;
    quartic_trainer *trainer;
    uint32_t begun; /* the training step that was made or saved last */
} run;

static quartic_status gpu_loss_open(run *r) {
    quartic_model_config config = QUARTIC_MODEL_CONFIG_INIT;
    quartic_trainer_config settings = QUARTIC_TRAINER_CONFIG_INIT;
    config.model = QUARTIC_MODEL_RELATIONAL;
    config.num_tokens = WORDS, config.dim = 4, config.depth = 1, config.dim_edges = 2, config.heads = 1;
    config.dim_head = 4, config.ff_mult = 1, config.max_seq_len = NODES;
    settings.batch = 1, settings.length = NODES, settings.learning_rate = 0.01f, settings.seed = 3;
    settings.accumulation = 2;
    *r = (run){0};
    quartic_status status = quartic_device_create(vulkan_test_name(), &r->device);
    if (status == QUARTIC_OK && slow) {
        quartic_gpu_device *gpu = r->device->gpu;
        gpu->caps.flops_per_second = gpu->caps.bytes_per_second = 3e4;
    }
    if (status == QUARTIC_OK) status = quartic_model_create(r->device, &config, &r->model);
    if (status == QUARTIC_OK) status = quartic_model_initialise(r->model, 7);
    if (status == QUARTIC_OK) status = quartic_trainer_create(r->model, &settings, &r->trainer);
    return status;
}

static void gpu_loss_close(run *r) {
    quartic_trainer_destroy(r->trainer);
    quartic_model_destroy(r->model);
    quartic_device_destroy(r->device);
    *r = (run){0};
}

/* One step of a text; the same for the same step, whatever run it is in. */
static quartic_status gpu_loss_step(run *r) {
    static const int32_t text[] = {0, 1, 2, 3, 4, 3, 2, 1, 0, 2, 4, 1, 3, 0};
    quartic_step_report report;
    return quartic_trainer_step_sampled(r->trainer, text, sizeof text / sizeof text[0], &report);
}

/* Steps up to the last, with a checkpoint after each. */
static quartic_status gpu_loss_train(run *r) {
    while (quartic_trainer_get_step(r->trainer) < STEPS) {
        r->begun = (uint32_t)quartic_trainer_get_step(r->trainer) + 1;
        QUARTIC_TRY(gpu_loss_step(r));
        QUARTIC_TRY(quartic_trainer_save(r->trainer, checkpoint));
    }
    return QUARTIC_OK;
}

static void gpu_loss_expect_whole(run *r) {
    quartic_tensor *weights = quartic_model_weights(r->model);
    float *numbers = malloc(weight_bytes);
    assert_ok(quartic_tensor_read(weights, numbers, weight_bytes));
    assert_memory_equal(numbers, whole, weight_bytes);
    free(numbers);
}

/* On a fresh device, from the checkpoint where there is one. Once for each checkpoint of a walk. */
static void gpu_loss_expect_resumes(void) {
    run r;
    const uint32_t step = saved_steps_find(&saved, checkpoint);
    if (resumed[step]) return;
    resumed[step] = true;
    unsetenv("QUARTIC_TEST_LOST_AT");
    gpu_loss_restart();
    assert_ok(gpu_loss_open(&r));
    if (step != 0) assert_ok(quartic_trainer_load(r.trainer, checkpoint));
    assert_int_equal(quartic_trainer_get_step(r.trainer), step);
    assert_ok(gpu_loss_train(&r));
    gpu_loss_expect_whole(&r);
    gpu_loss_close(&r);
}

static void gpu_loss_expect_words(const char *words) {
    if (strstr(quartic_error_message(), words) == NULL)
        fail_msg("\"%s\" does not tell \"%s\"", quartic_error_message(), words);
}

/* Whatever is asked of a lost device: the same status, with how it was lost. */
static void gpu_loss_expect_stays_lost(run *r) {
    float *numbers = malloc(weight_bytes);
    const quartic_shape scalar = {0};
    quartic_tensor *tensor;
    for (int round = 0; round < 2; ++round) {
        if (r->trainer != NULL) {
            assert_int_equal(gpu_loss_step(r), QUARTIC_DEVICE_LOST);
            gpu_loss_expect_words("was lost in an earlier call: the device stopped responding");
            assert_int_equal(quartic_trainer_save(r->trainer, checkpoint), QUARTIC_DEVICE_LOST);
        }
        if (r->model != NULL)
            assert_int_equal(
                quartic_tensor_read(quartic_model_weights(r->model), numbers, (size_t)weight_bytes),
                QUARTIC_DEVICE_LOST);
        assert_int_equal(quartic_tensor_create(r->device, QUARTIC_FLOAT32, &scalar, &tensor),
                         QUARTIC_DEVICE_LOST);
        assert_null(tensor);
        gpu_loss_expect_words("open it again");
    }
    free(numbers);
}

/* The message tells the training step, in front and as what the device was given; words stand between. */
static void gpu_loss_expect_step(const char *words, uint32_t number) {
    char step[64];
    snprintf(step, sizeof step, "training step %u: ", number);
    gpu_loss_expect_words(step);
    gpu_loss_expect_words(words);
    const char *op = strstr(quartic_error_message(), " of a program's ");
    snprintf(step, sizeof step, ", of training step %u", number);
    if (op != NULL && strstr(op, step) == NULL)
        fail_msg("\"%s\" does not tell the step of the ops", quartic_error_message());
}

/* Loses the device at every submit in turn, in that way. words: told by each message. Returns how many. */
static long gpu_loss_walk(const char *how, quartic_status expected, const char *words) {
    setenv("QUARTIC_TEST_LOST_HOW", how, 1);
    const int64_t live = quartic_alloc_live();
    memset(resumed, 0, sizeof resumed);
    for (long at = 1; at < MOST_SUBMITS; ++at) {
        char text[16];
        snprintf(text, sizeof text, "%ld", at);
        remove(checkpoint);
        setenv("QUARTIC_TEST_LOST_AT", text, 1);
        gpu_loss_restart();
        run r;
        quartic_status status = gpu_loss_open(&r);
        if (status == QUARTIC_OK) status = gpu_loss_train(&r);
        if (status == QUARTIC_OK) { /* lost at none */
            unsetenv("QUARTIC_TEST_LOST_AT");
            gpu_loss_expect_whole(&r);
            gpu_loss_close(&r);
            assert_int_equal(quartic_alloc_live(), live);
            for (uint32_t step = 0; step < STEPS; ++step) assert_true(resumed[step]);
            return at - 1;
        }
        if (status != expected)
            fail_msg("submit %ld, %s: %s: %s", at, how, quartic_status_name(status), quartic_error_message());
        if (r.begun == 0)
            gpu_loss_expect_words(words);
        else
            gpu_loss_expect_step(words, r.begun);
        const bool copy = strstr(quartic_error_message(), "a copy between the host and the device") != NULL;
        const bool op = strstr(quartic_error_message(), " of a program's ") != NULL;
        if (!copy && !op) fail_msg("\"%s\" does not tell what was running", quartic_error_message());
        if (expected == QUARTIC_DEVICE_LOST) gpu_loss_expect_stays_lost(&r);
        gpu_loss_close(&r);
        assert_int_equal(quartic_alloc_live(), live);
        gpu_loss_expect_resumes();
    }
    fail_msg("%d submits were not enough", MOST_SUBMITS);
    return 0;
}

static void a_device_may_be_lost_at_any_submit(void **state) {
    (void)state;
    assert_true(gpu_loss_walk("submit", QUARTIC_DEVICE_LOST, "submitting ") >= STEPS);
}

static void a_device_may_be_lost_while_it_runs(void **state) {
    (void)state;
    gpu_loss_walk("wait", QUARTIC_DEVICE_LOST,
                  "stopped responding (a hang, a reset or a watchdog) while it was running ");
}

static void a_device_may_finish_nothing_more(void **state) {
    (void)state;
    gpu_loss_walk("silence", QUARTIC_DEVICE_LOST, "finished nothing for 300 seconds while it was running ");
}

static void a_submit_may_find_no_memory(void **state) {
    (void)state;
    gpu_loss_walk("memory", QUARTIC_OUT_OF_DEVICE_MEMORY, "submitting ");
}

/* All of a long step but its last batch runs, then the device is lost: the last one is what it was running. */
static void a_device_may_be_lost_in_a_long_step(void **state) {
    (void)state;
    slow = true;
    gpu_loss_walk("part", QUARTIC_DEVICE_LOST,
                  "stopped responding (a hang, a reset or a watchdog) while it was running ");
    slow = false;
}

/* Of a step that the driver refuses for want of memory no batch may run: the weights would be updated in part. If some
 * did all the same, the device counts as lost, and training goes on from the checkpoint alone. */
static void a_driver_may_run_a_part_of_what_it_refuses(void **state) {
    (void)state;
    slow = true;
    setenv("QUARTIC_TEST_LOST_HOW", "torn", 1);
    for (uint32_t step = 1; step <= STEPS; ++step) {
        run r;
        unsetenv("QUARTIC_TEST_LOST_AT");
        remove(checkpoint);
        memset(resumed, 0, sizeof resumed);
        gpu_loss_restart();
        assert_ok(gpu_loss_open(&r));
        while (quartic_trainer_get_step(r.trainer) + 1 < step) {
            assert_ok(gpu_loss_step(&r));
            assert_ok(quartic_trainer_save(r.trainer, checkpoint));
        }
        gpu_loss_restart();
        setenv("QUARTIC_TEST_LOST_AT", "1", 1);
        const quartic_gpu_device *gpu = r.device->gpu;
        const uint64_t before = gpu->submitted;
        assert_int_equal(gpu_loss_step(&r), QUARTIC_DEVICE_LOST);
        gpu_loss_expect_step("the driver refused the work and yet ran a part of it", step);
        gpu_loss_expect_words("go on from what was last saved");
        assert_int_equal(gpu->submitted, before);
        assert_int_equal(quartic_trainer_get_step(r.trainer), step - 1);
        assert_int_equal(gpu_loss_step(&r), QUARTIC_DEVICE_LOST);
        assert_int_equal(quartic_trainer_save(r.trainer, checkpoint), QUARTIC_DEVICE_LOST);
        gpu_loss_close(&r);
        if (step > 1) gpu_loss_expect_resumes();
    }
    slow = false;
}

/* A long step whose submit finds no memory leaves all as it was: made again, it ends with the same bits. */
static void a_long_step_may_find_no_memory(void **state) {
    (void)state;
    slow = true;
    gpu_loss_walk("memory", QUARTIC_OUT_OF_DEVICE_MEMORY, "submitting ");
    slow = false;
}

static void the_driver_tells_of_a_fault(void **state) {
    (void)state;
    setenv("QUARTIC_TEST_FAULT", "1", 1);
    setenv("QUARTIC_TEST_LOST_HOW", "wait", 1);
    setenv("QUARTIC_TEST_LOST_AT", "2", 1);
    gpu_loss_restart();
    run r;
    quartic_status status = gpu_loss_open(&r);
    if (status == QUARTIC_OK) status = gpu_loss_train(&r);
    assert_int_equal(status, QUARTIC_DEVICE_LOST);
    gpu_loss_expect_words("; the driver reports: a made-up page fault, invalid read at 0xdead0000, a made-up "
                          "unit (code 7, data 0x8)");
    gpu_loss_expect_words("; destroy the device, open it again");
    gpu_loss_close(&r);
    unsetenv("QUARTIC_TEST_FAULT");
}

static int gpu_loss_mapped(void **state) {
    (void)state;
    setenv("QUARTIC_DISABLE", "", 1);
    return 0;
}

static int gpu_loss_staged(void **state) {
    (void)state;
    setenv("QUARTIC_DISABLE", "mapping", 1);
    return 0;
}

/* The pipelines come from a cache of the test's own, or each of the many lives would compile them. */
static int gpu_loss_begin(void **state) {
    if (vulkan_test_begin(state) != 0 || !test_folder_make("loss", folder)) return -1;
    setenv("XDG_CACHE_HOME", folder, 1);
    setenv("QUARTIC_DISABLE", "", 1);
    snprintf(checkpoint, sizeof checkpoint, "%s/checkpoint.safetensors", folder);
    run r;
    assert_ok(gpu_loss_open(&r));
    for (uint32_t step = 1; step <= STEPS; ++step) {
        assert_ok(gpu_loss_step(&r));
        assert_ok(quartic_trainer_save(r.trainer, checkpoint));
        saved_steps_keep(&saved, step, checkpoint);
    }
    weight_bytes = quartic_tensor_device_bytes(quartic_model_weights(r.model));
    whole = malloc(weight_bytes);
    assert_ok(quartic_tensor_read(quartic_model_weights(r.model), whole, weight_bytes));
    gpu_loss_close(&r);
    return 0;
}

static int gpu_loss_end(void **state) {
    free(whole);
    saved_steps_free(&saved);
    setenv("LOSS_FOLDER", folder, 1);
    return system("rm -rf -- \"$LOSS_FOLDER\"") | vulkan_test_end(state);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_device_may_be_lost_at_any_submit, gpu_loss_mapped),
        cmocka_unit_test_setup(a_device_may_be_lost_at_any_submit, gpu_loss_staged),
        cmocka_unit_test_setup(a_device_may_be_lost_while_it_runs, gpu_loss_mapped),
        cmocka_unit_test_setup(a_device_may_finish_nothing_more, gpu_loss_mapped),
        cmocka_unit_test_setup(a_submit_may_find_no_memory, gpu_loss_mapped),
        cmocka_unit_test_setup(a_device_may_be_lost_in_a_long_step, gpu_loss_mapped),
        cmocka_unit_test_setup(a_driver_may_run_a_part_of_what_it_refuses, gpu_loss_mapped),
        cmocka_unit_test_setup(a_long_step_may_find_no_memory, gpu_loss_mapped),
        cmocka_unit_test_setup(the_driver_tells_of_a_fault, gpu_loss_mapped),
    };
    return cmocka_run_group_tests(tests, gpu_loss_begin, gpu_loss_end);
}
