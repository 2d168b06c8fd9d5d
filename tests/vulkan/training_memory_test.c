/* training_memory_test.c: every host allocation of a training on a Vulkan device fails once: making the model and the
 * trainer, going on from a checkpoint, steps, saving. Each failure is a status that says in which training step it was,
 * leaves the checkpoint whole, and costs nothing else: the same trainer makes the step again, and a fresh one goes on
 * from the checkpoint, with the same bits in the end.
 */
#include "failing_alloc.h"
#include "folder.h"
#include "vulkan/saved_steps.h"
#include "vulkan/vulkan_test.h"

#include <string.h>
#include <unistd.h>

#include "quartic/io.h"
#include "quartic/train.h"
#include "run/access.h"

static const int32_t text[] = {0, 1, 2, 3, 4, 3, 2, 1, 0, 2, 4, 1, 3, 0};

enum { NODES = 4, WORDS = 5, STEPS = 3, MOST_ALLOCATIONS = 20000 };

static quartic_device *device;
static char folder[TEST_FOLDER_BYTES], checkpoint[TEST_PATH_BYTES];
static saved_steps saved; /* the files of an undisturbed run */

typedef struct life {
    quartic_model *model;
    quartic_trainer *trainer;
    uint32_t begun; /* the training step that was made or saved last */
} life;

static quartic_status memory_begin(life *l) {
    quartic_model_config config = QUARTIC_MODEL_CONFIG_INIT;
    quartic_trainer_config settings = QUARTIC_TRAINER_CONFIG_INIT;
    config.model = QUARTIC_MODEL_RELATIONAL;
    config.num_tokens = WORDS, config.dim = 4, config.depth = 1, config.dim_edges = 2, config.heads = 1;
    config.dim_head = 4, config.ff_mult = 1, config.max_seq_len = NODES, config.dropout = 0.1f;
    settings.batch = 1, settings.length = NODES, settings.learning_rate = 0.01f, settings.seed = 3;
    settings.accumulation = 2;
    *l = (life){0};
    QUARTIC_TRY(quartic_model_create(device, &config, &l->model));
    QUARTIC_TRY(quartic_model_initialise(l->model, 7));
    return quartic_trainer_create(l->model, &settings, &l->trainer);
}

static void memory_end(life *l) {
    quartic_trainer_destroy(l->trainer);
    quartic_model_destroy(l->model);
    *l = (life){0};
}

static quartic_status memory_train(life *l) {
    while (quartic_trainer_get_step(l->trainer) < STEPS) {
        l->begun = (uint32_t)quartic_trainer_get_step(l->trainer) + 1;
        QUARTIC_TRY(quartic_trainer_step_sampled(l->trainer, text, sizeof text / sizeof text[0], NULL));
        QUARTIC_TRY(quartic_trainer_save(l->trainer, checkpoint));
    }
    return QUARTIC_OK;
}

static void memory_expect_step(uint32_t number) {
    char step[40];
    snprintf(step, sizeof step, "training step %u: ", number);
    if (strstr(quartic_error_message(), step) == NULL)
        fail_msg("\"%s\" does not tell \"%s\"", quartic_error_message(), step);
}

static void memory_expect_none(quartic_status status, uint64_t nth) {
    if (status != QUARTIC_OUT_OF_MEMORY)
        fail_msg("allocation %llu: %s: %s", (unsigned long long)nth, quartic_status_name(status),
                 quartic_error_message());
}

/* Trains from a checkpoint, or from none, to the end. */
static quartic_status memory_whole(life *l, bool load) {
    quartic_status status = memory_begin(l);
    if (status == QUARTIC_OK && load) status = quartic_trainer_load(l->trainer, checkpoint);
    return status == QUARTIC_OK ? memory_train(l) : status;
}

/* What fails on the way to a trainer that has loaded a checkpoint leaves the file, and nothing else. */
static void every_allocation_before_the_steps_may_fail(void **state) {
    (void)state;
    const int64_t live = quartic_alloc_live();
    uint64_t nth = 0;
    for (quartic_status status = QUARTIC_OUT_OF_MEMORY; status != QUARTIC_OK;) {
        life l;
        assert_true(++nth < MOST_ALLOCATIONS);
        quartic_alloc_fail_at(nth);
        status = memory_begin(&l);
        if (status == QUARTIC_OK) status = quartic_trainer_load(l.trainer, checkpoint);
        quartic_alloc_fail_at(0);
        if (status != QUARTIC_OK) memory_expect_none(status, nth);
        memory_end(&l);
        assert_int_equal(quartic_alloc_live(), live);
        assert_int_equal(saved_steps_find(&saved, checkpoint), STEPS);
    }
    assert_true(nth > 100);
}

static void every_allocation_of_the_steps_may_fail(void **state) {
    (void)state;
    const int64_t live = quartic_alloc_live();
    bool resumed[STEPS + 1] = {false};
    uint64_t nth = 0;
    for (quartic_status status = QUARTIC_OUT_OF_MEMORY; status != QUARTIC_OK;) {
        life l;
        assert_true(++nth < MOST_ALLOCATIONS);
        remove(checkpoint);
        assert_ok(memory_begin(&l));
        quartic_alloc_fail_at(nth);
        status = memory_train(&l);
        quartic_alloc_fail_at(0);
        if (status != QUARTIC_OK) {
            memory_expect_none(status, nth);
            memory_expect_step(l.begun);
            const uint32_t step = saved_steps_find(&saved, checkpoint);
            assert_true(step + 1 == l.begun);
            if (quartic_trainer_get_step(l.trainer) == l.begun) /* only the saving failed */
                assert_ok(quartic_trainer_save(l.trainer, checkpoint));
            assert_ok(memory_train(&l));
            assert_int_equal(saved_steps_find(&saved, checkpoint), STEPS);
            if (!resumed[step]) {
                life fresh;
                if (step != 0) assert_ok(quartic_file_save(checkpoint, saved.text[step], saved.bytes[step]));
                if (step == 0) remove(checkpoint);
                assert_ok(memory_whole(&fresh, step != 0));
                assert_int_equal(saved_steps_find(&saved, checkpoint), STEPS);
                memory_end(&fresh);
                resumed[step] = true;
            }
        }
        memory_end(&l);
        assert_int_equal(quartic_alloc_live(), live);
    }
    for (uint32_t step = 0; step < STEPS; ++step) assert_true(resumed[step]);
}

static int memory_setup(void **state) {
    if (vulkan_test_begin(state) != 0 || !test_folder_make("training_memory", folder)) return -1;
    snprintf(checkpoint, sizeof checkpoint, "%s/checkpoint.safetensors", folder);
    device = vulkan_test_device();
    life l;
    assert_ok(
        memory_whole(&l, false)); /* compiles, so that what is kept with the device is there from now on */
    memory_end(&l);
    assert_ok(memory_begin(&l));
    for (uint32_t step = 1; step <= STEPS; ++step) {
        assert_ok(quartic_trainer_step_sampled(l.trainer, text, sizeof text / sizeof text[0], NULL));
        assert_ok(quartic_trainer_save(l.trainer, checkpoint));
        saved_steps_keep(&saved, step, checkpoint);
    }
    memory_end(&l);
    return 0;
}

static int memory_teardown(void **state) {
    saved_steps_free(&saved);
    quartic_device_destroy(device);
    remove(checkpoint);
    return (rmdir(folder) != 0) | vulkan_test_end(state);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_allocation_before_the_steps_may_fail),
        cmocka_unit_test(every_allocation_of_the_steps_may_fail),
    };
    return cmocka_run_group_tests(tests, memory_setup, memory_teardown);
}
