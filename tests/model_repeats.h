/* model_repeats.h: the life of a small model on a device, for tests of what must repeat.
 *
 * A life trains some steps, with a break if asked for: then everything but the checkpoint goes, the device
 * included, and a second half resumes. Its result is what it leaves: the bytes of its last checkpoint and the
 * logits of its last forward pass. Equal lives must leave equal bits, alone or beside each other in two
 * threads, and however many failed before. Lives use no assertions, so that threads may lead them.
 */
#ifndef QUARTIC_TESTS_MODEL_REPEATS_H
#define QUARTIC_TESTS_MODEL_REPEATS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/status.h"
#include "quartic/train.h"

enum {
    LIFE_TOKENS = 12,
    LIFE_LENGTH = 7,
    LIFE_BATCH = 2,
    LIFE_STEPS = 4,
    LIFE_DATA = 90,
    LIFE_BYTES = 1 << 17
};

/* All that is random is on: dropout; and all families and options that have kernels of their own. */
static const char *const life_models[] = {
    "{\"num_tokens\": 12, \"dim\": 8, \"depth\": 2, \"dim_edges\": 4, \"heads\": 2, \"dim_head\": 4, "
    "\"linear_heads\": 2, \"linear_dim_head\": 3, \"max_seq_len\": 8, \"num_residual_streams\": 2, "
    "\"dropout\": 0.1}",
    "{\"model\": \"relational\", \"num_tokens\": 12, \"dim\": 8, \"depth\": 1, \"dim_edges\": 4, \"heads\": "
    "2, "
    "\"dim_head\": 4, \"max_seq_len\": 8, \"causal\": true, \"dropout\": 0.1}",
};
enum { LIFE_MODELS = sizeof life_models / sizeof life_models[0] };

typedef struct life {
    const char *device_name, *model, *path; /* path of the checkpoint */
    int broken;                             /* with a break in the middle */
    quartic_status status;                  /* of the first call that failed */
    char trouble[256];                      /* its sentence, or what did not repeat; "" if all was well */
    size_t bytes;                           /* of the checkpoint */
    unsigned char checkpoint[LIFE_BYTES];
    float logits[LIFE_BATCH * LIFE_LENGTH * LIFE_TOKENS];
} life;

/* Made before any thread begins. */
static int32_t life_data[LIFE_DATA];

static inline void make_life_data(void) {
    static const int32_t digits[] = {3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 11, 0, 10};
    for (int32_t i = 0; i < LIFE_DATA; ++i) life_data[i] = digits[i * i % 18];
}

static inline quartic_trainer_config life_trainer(void) {
    quartic_trainer_config config = QUARTIC_TRAINER_CONFIG_INIT;
    config.batch = LIFE_BATCH, config.length = LIFE_LENGTH, config.accumulation = 2;
    config.learning_rate = 0.01f, config.warmup_steps = 2, config.total_steps = 9, config.seed = 5;
    return config;
}

/* Two passes with a mask, the second a replay, which must equal the first. */
static inline quartic_status life_forward(life *l, quartic_model *model) {
    static const uint8_t mask[LIFE_BATCH * LIFE_LENGTH] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0};
    float again[sizeof l->logits / sizeof l->logits[0]];
    QUARTIC_TRY(quartic_model_forward(model, LIFE_BATCH, LIFE_LENGTH, life_data, mask, l->logits));
    QUARTIC_TRY(quartic_model_forward(model, LIFE_BATCH, LIFE_LENGTH, life_data, mask, again));
    if (memcmp(again, l->logits, sizeof again) != 0) strcpy(l->trouble, "a replay gave other logits");
    return QUARTIC_OK;
}

/* Steps up to `until`, then the checkpoint. */
static inline quartic_status life_train(life *l, quartic_model *model, uint64_t until) {
    const quartic_trainer_config config = life_trainer();
    quartic_trainer *trainer;
    QUARTIC_TRY(quartic_trainer_create(model, &config, &trainer));
    quartic_status status = QUARTIC_OK;
    if (until == LIFE_STEPS && l->broken) status = quartic_trainer_load(trainer, l->path);
    while (status == QUARTIC_OK && quartic_trainer_get_step(trainer) < until)
        status = quartic_trainer_step_sampled(trainer, life_data, LIFE_DATA, NULL);
    if (status == QUARTIC_OK) status = quartic_trainer_save(trainer, l->path);
    quartic_trainer_destroy(trainer);
    return status;
}

static inline quartic_status life_on(life *l, quartic_device *device, uint64_t until) {
    quartic_model *model;
    if (until == LIFE_STEPS && l->broken)
        QUARTIC_TRY(quartic_model_open(device, l->path, &model));
    else {
        quartic_model_config config = QUARTIC_MODEL_CONFIG_INIT;
        QUARTIC_TRY(quartic_model_config_read_json(&config, l->model));
        QUARTIC_TRY(quartic_model_create(device, &config, &model));
    }
    quartic_status status = life_train(l, model, until);
    if (status == QUARTIC_OK && until == LIFE_STEPS) status = life_forward(l, model);
    quartic_model_destroy(model);
    return status;
}

static inline quartic_status life_part(life *l, uint64_t until) {
    quartic_device *device;
    QUARTIC_TRY(quartic_device_create(l->device_name, &device));
    quartic_status status = life_on(l, device, until);
    quartic_device_destroy(device);
    return status;
}

static inline void life_read_checkpoint(life *l) {
    FILE *file = fopen(l->path, "rb");
    l->bytes = file == NULL ? 0 : fread(l->checkpoint, 1, sizeof l->checkpoint, file);
    if (file != NULL) fclose(file);
    if (l->bytes == 0 || l->bytes == sizeof l->checkpoint)
        strcpy(l->trouble, "no checkpoint of a fitting size");
}

static inline void *lead(void *argument) {
    life *l = argument;
    l->status = l->broken ? life_part(l, LIFE_STEPS / 2) : QUARTIC_OK;
    if (l->status == QUARTIC_OK) l->status = life_part(l, LIFE_STEPS);
    if (l->status != QUARTIC_OK)
        snprintf(l->trouble, sizeof l->trouble, "%s: %s", quartic_status_name(l->status),
                 quartic_error_message());
    else if (l->trouble[0] == 0)
        life_read_checkpoint(l);
    remove(l->path);
    return NULL;
}

static inline life *new_life(const char *device_name, const char *model, const char *path) {
    life *l = calloc(1, sizeof *l);
    assert_non_null(l);
    make_life_data();
    l->device_name = device_name, l->model = model, l->path = path;
    return l;
}

static inline void expect_same(const life *got, const life *want) {
    if (got->trouble[0] != 0) fail_msg("%s", got->trouble);
    assert_memory_equal(got->logits, want->logits, sizeof want->logits);
    assert_int_equal(got->bytes, want->bytes);
    assert_memory_equal(got->checkpoint, want->checkpoint, want->bytes);
}

/* ---- what must repeat ---- */

static inline void lives_leave_the_same_bits(const char *device_name) {
    for (uint32_t k = 0; k < LIFE_MODELS; ++k) {
        life *first = new_life(device_name, life_models[k], "repeats_first.safetensors"),
             *second = new_life(device_name, life_models[k], "repeats_second.safetensors"),
             *broken = new_life(device_name, life_models[k], "repeats_broken.safetensors");
        broken->broken = 1;
        lead(first), lead(second), lead(broken);
        if (first->trouble[0] != 0) fail_msg("model %u: %s", k, first->trouble);
        expect_same(second, first);
        expect_same(broken, first);
        free(first), free(second), free(broken);
    }
}

/* Two threads at once, each with devices of its own; a thread's failures leave the other's sentence alone. */
static inline void threads_leave_the_same_bits(const char *device_name) {
    life *alone = new_life(device_name, life_models[0], "repeats_alone.safetensors"),
         *beside[2] = {new_life(device_name, life_models[0], "repeats_left.safetensors"),
                       new_life(device_name, life_models[0], "repeats_right.safetensors")};
    lead(alone);
    if (alone->trouble[0] != 0) fail_msg("%s", alone->trouble);
    beside[1]->broken = 1;
    assert_int_equal(quartic_fail(QUARTIC_IO, "of the main thread"), QUARTIC_IO);
    pthread_t threads[2];
    for (int t = 0; t < 2; ++t) assert_int_equal(pthread_create(&threads[t], NULL, lead, beside[t]), 0);
    for (int t = 0; t < 2; ++t) pthread_join(threads[t], NULL);
    assert_string_equal(quartic_error_message(), "of the main thread");
    for (int t = 0; t < 2; ++t) {
        expect_same(beside[t], alone);
        free(beside[t]);
    }
    free(alone);
}

/* Lets the n-th call of a kind fail for n = 1, 2, .. in strides that grow by 1/stride, until a life on one
 * device passes untouched; each failure is a status with a sentence and leaves nothing behind. The last life
 * leaves the bits of one before which nothing failed. Returns how many calls there were, up to the stride. */
static inline uint64_t fail_each(const char *device_name, const char *model, void (*fail_at)(uint64_t),
                                 uint64_t stride) {
    life *undisturbed = new_life(device_name, model, "repeats_failing.safetensors");
    lead(undisturbed);
    if (undisturbed->trouble[0] != 0) fail_msg("%s", undisturbed->trouble);
    quartic_device *device;
    if (quartic_device_create(device_name, &device) != QUARTIC_OK) fail_msg("%s", quartic_error_message());
    life *last = new_life(device_name, model, "repeats_failing.safetensors");
    last->broken = 1;
    assert_int_equal(life_on(last, device, LIFE_STEPS / 2), QUARTIC_OK);
    assert_int_equal(life_on(last, device, LIFE_STEPS), QUARTIC_OK); /* what a device keeps is there now */
    int64_t live = quartic_alloc_live();
    uint64_t nth = 1;
    for (;; nth += 1 + nth / stride) {
        fail_at(nth);
        quartic_status status = life_on(last, device, LIFE_STEPS / 2);
        if (status == QUARTIC_OK) status = life_on(last, device, LIFE_STEPS);
        fail_at(0);
        assert_int_equal(quartic_alloc_live(), live);
        if (status == QUARTIC_OK) break;
        if (status != QUARTIC_OUT_OF_MEMORY && status != QUARTIC_OUT_OF_DEVICE_MEMORY)
            fail_msg("call %llu: %s: %s", (unsigned long long)nth, quartic_status_name(status),
                     quartic_error_message());
        assert_true(strlen(quartic_error_message()) > 0);
    }
    life_read_checkpoint(last);
    expect_same(last, undisturbed);
    quartic_device_destroy(device);
    remove(last->path);
    free(undisturbed), free(last);
    return nth - 1;
}

#endif
