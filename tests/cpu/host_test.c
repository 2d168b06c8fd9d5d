/* host_test.c: memory and messages through the functions of the program that the library is part of.
 *
 * The allocator here counts, fills what it gives with rubbish, and marks both ends of each block. Models,
 * training, files and validation run on it; everything comes back, with the size that it was given with. Then
 * it fails at each allocation in turn.
 */
#include "expect.h"

#include <stdatomic.h>
#include <unistd.h>

#include "base/log.h"
#include "quartic/quartic.h"

/* ---- the allocator ---- */

enum { BORDER = 64 };

typedef struct counts {
    atomic_llong blocks, bytes, allocations, misuses;
    long long fail_at; /* the n-th allocation fails; 0: none */
} counts;

/* Before each block: its size and marks; behind it: marks. */
static void *counted_allocate(void *context, size_t bytes, size_t alignment) {
    counts *c = context;
    const long long n = atomic_fetch_add(&c->allocations, 1) + 1;
    if (bytes == 0 || alignment == 0 || alignment > BORDER || (alignment & (alignment - 1)) != 0)
        atomic_fetch_add(&c->misuses, 1);
    if (n == c->fail_at) return NULL;
    size_t whole = (bytes + 2 * BORDER + BORDER - 1) / BORDER * BORDER;
    unsigned char *block = aligned_alloc(BORDER, whole);
    if (block == NULL) return NULL;
    memset(block, 0xa5, whole);
    memcpy(block, &bytes, sizeof bytes);
    atomic_fetch_add(&c->blocks, 1);
    atomic_fetch_add(&c->bytes, (long long)bytes);
    return block + BORDER;
}

static void counted_release(void *context, void *memory, size_t bytes) {
    counts *c = context;
    unsigned char *block = (unsigned char *)memory - BORDER;
    size_t given;
    memcpy(&given, block, sizeof given);
    if (given != bytes) atomic_fetch_add(&c->misuses, 1);
    for (size_t k = 0; k < BORDER; ++k)
        if ((k >= sizeof given && block[k] != 0xa5) || block[BORDER + given + k] != 0xa5) {
            atomic_fetch_add(&c->misuses, 1);
            break;
        }
    atomic_fetch_sub(&c->blocks, 1);
    atomic_fetch_sub(&c->bytes, (long long)given);
    free(block);
}

static quartic_allocator allocator_of(counts *c) {
    quartic_allocator allocator = QUARTIC_ALLOCATOR_INIT;
    allocator.allocate = counted_allocate, allocator.release = counted_release, allocator.context = c;
    return allocator;
}

/* ---- a bit of everything ---- */

enum { LENGTH = 3 };
static const int32_t tokens[LENGTH] = {0, 4, 2}, targets[LENGTH] = {1, 2, 3};

static quartic_status train_and_save(quartic_model *model, const char *path, float *out_loss) {
    quartic_trainer_config training = QUARTIC_TRAINER_CONFIG_INIT;
    quartic_trainer *trainer;
    quartic_step_report report;
    training.batch = 1, training.length = LENGTH;
    quartic_status status = quartic_trainer_create(model, &training, &trainer);
    if (status != QUARTIC_OK) return status;
    for (uint32_t k = 0; k < 2 && status == QUARTIC_OK; ++k)
        status = quartic_trainer_step(trainer, tokens, targets, NULL, &report);
    if (status == QUARTIC_OK) status = quartic_trainer_save(trainer, path);
    if (status == QUARTIC_OK) status = quartic_trainer_load(trainer, path);
    quartic_trainer_destroy(trainer);
    *out_loss = report.loss;
    return status;
}

static quartic_status host_run_all(float *out_loss) {
    static const char path[] = "host_test.safetensors";
    quartic_model_config config = QUARTIC_MODEL_CONFIG_INIT;
    quartic_device *device;
    quartic_model *model;
    float logits[LENGTH * 5];
    config.num_tokens = 5, config.dim = 8, config.depth = 1, config.dim_edges = 4;
    quartic_status status = quartic_device_create("cpu", &device);
    if (status != QUARTIC_OK) return status;
    status = quartic_model_create(device, &config, &model);
    if (status == QUARTIC_OK) {
        status = quartic_model_forward(model, 1, LENGTH, tokens, NULL, logits);
        if (status == QUARTIC_OK) status = train_and_save(model, path, out_loss);
        if (status == QUARTIC_OK) status = quartic_model_load(model, path);
        quartic_model_destroy(model);
    }
    quartic_validate_config one = QUARTIC_VALIDATE_CONFIG_INIT;
    one.op = "copy";
    if (status == QUARTIC_OK) status = quartic_validate(device, &one, NULL);
    quartic_device_destroy(device);
    remove(path);
    return status;
}

static void all_memory_comes_from_the_allocator_and_back(void **state) {
    (void)state;
    counts c = {0};
    const quartic_allocator allocator = allocator_of(&c);
    float standard, counted;
    assert_ok(host_run_all(&standard));
    assert_ok(quartic_allocator_set(&allocator));
    assert_ok(host_run_all(&counted));
    assert_ok(quartic_allocator_set(NULL));
    assert_true(c.allocations > 1000);
    assert_int_equal(c.misuses, 0);
    assert_int_equal(c.blocks, 0);
    assert_int_equal(c.bytes, 0);
    assert_memory_equal(&standard, &counted, sizeof standard); /* rubbish in new memory changes nothing */
    const long long before = c.allocations;
    assert_ok(host_run_all(&standard));
    assert_true(c.allocations == before);
}

static void an_allocator_is_not_changed_under_objects(void **state) {
    (void)state;
    counts c = {0};
    const quartic_allocator allocator = allocator_of(&c);
    quartic_device *device;
    assert_ok(quartic_device_create("cpu", &device));
    assert_int_equal(quartic_allocator_set(&allocator), QUARTIC_INVALID_ARGUMENT);
    assert_non_null(strstr(quartic_error_message(), "quartic_allocator_set: the library holds 1 block"));
    assert_int_equal(quartic_allocator_set(NULL), QUARTIC_INVALID_ARGUMENT);
    quartic_device_destroy(device);
    assert_true(c.allocations == 0 &&
                c.misuses == 0); /* what was given by one is not released by the other */
    assert_ok(quartic_allocator_set(&allocator));
    assert_ok(quartic_device_create("cpu", &device));
    assert_true(c.blocks > 0);
    quartic_device_destroy(device);
    assert_ok(quartic_allocator_set(NULL));
    assert_true(c.blocks == 0 && c.misuses == 0);
}

static void an_allocator_that_has_no_memory_is_out_of_memory(void **state) {
    (void)state;
    counts c = {0};
    const quartic_allocator allocator = allocator_of(&c);
    float loss;
    assert_ok(quartic_allocator_set(&allocator));
    assert_ok(host_run_all(&loss));
    const long long all = c.allocations;
    /* Every 7th: each kind of allocation is met many times over. */
    for (long long n = 1; n <= all; n += 7) {
        c.allocations = 0;
        c.fail_at = n;
        quartic_status status = host_run_all(&loss);
        if (status != QUARTIC_OUT_OF_MEMORY)
            fail_msg("allocation %lld of %lld: %s", n, all, quartic_status_name(status));
        if (c.blocks != 0) fail_msg("allocation %lld of %lld left %lld blocks", n, all, (long long)c.blocks);
    }
    assert_int_equal(c.misuses, 0);
    assert_ok(quartic_allocator_set(NULL));
}

/* ---- messages ---- */

typedef struct messages {
    uint32_t count;
    quartic_log_level level;
    char last[8192];
} messages;

static void host_hear(void *context, quartic_log_level level, const char *message) {
    messages *m = context;
    ++m->count;
    m->level = level;
    snprintf(m->last, sizeof m->last, "%s", message);
}

static void messages_go_to_the_callback_or_to_standard_error(void **state) {
    (void)state;
    messages m = {0}, other = {0};
    char longer[6000], line[128] = "";
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = 0;
    quartic_log_set(host_hear, &m);
    quartic_tell(QUARTIC_LOG_WARNING, "%d of %s", 3, "these");
    assert_int_equal(m.count, 1);
    assert_int_equal(m.level, QUARTIC_LOG_WARNING);
    assert_string_equal(m.last, "3 of these");
    quartic_tell(QUARTIC_LOG_ERROR, "%s", longer);
    assert_int_equal(strlen(m.last), 4095);
    quartic_log_set(host_hear, &other);
    quartic_tell(QUARTIC_LOG_INFO, "to the other");
    assert_true(m.count == 2 && other.count == 1);

    /* Standard error of this process, for one message. */
    quartic_log_set(NULL, NULL);
    FILE *file = tmpfile();
    assert_non_null(file);
    fflush(stderr);
    const int kept = dup(STDERR_FILENO);
    assert_true(kept >= 0 && dup2(fileno(file), STDERR_FILENO) >= 0);
    quartic_tell(QUARTIC_LOG_WARNING, "to standard error");
    fflush(stderr);
    assert_true(dup2(kept, STDERR_FILENO) >= 0);
    close(kept);
    rewind(file);
    assert_non_null(fgets(line, sizeof line, file));
    assert_string_equal(line, "quartic: to standard error\n");
    fclose(file);
    assert_true(m.count == 2 && other.count == 1);
}

/* ---- version ---- */

static void the_version_is_that_of_the_headers(void **state) {
    (void)state;
    char text[32];
    snprintf(text, sizeof text, "%d.%d.%d", QUARTIC_VERSION_MAJOR, QUARTIC_VERSION_MINOR,
             QUARTIC_VERSION_PATCH);
    assert_string_equal(QUARTIC_VERSION_STRING, text);
    assert_string_equal(quartic_version_string(), text);
    assert_string_equal(text, QUARTIC_TEST_VERSION); /* CMake's */
    assert_int_equal(quartic_version(), QUARTIC_VERSION);
    assert_true(QUARTIC_VERSION_NUMBER(0, 1, 0) > QUARTIC_VERSION_NUMBER(0, 0, 999));
    assert_true(QUARTIC_VERSION_NUMBER(1, 0, 0) > QUARTIC_VERSION_NUMBER(0, 999, 999));
#if QUARTIC_VERSION < QUARTIC_VERSION_NUMBER(0, 1, 0)
    fail_msg("the number cannot be compared by the preprocessor");
#endif
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_memory_comes_from_the_allocator_and_back),
        cmocka_unit_test(an_allocator_is_not_changed_under_objects),
        cmocka_unit_test(an_allocator_that_has_no_memory_is_out_of_memory),
        cmocka_unit_test(messages_go_to_the_callback_or_to_standard_error),
        cmocka_unit_test(the_version_is_that_of_the_headers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
