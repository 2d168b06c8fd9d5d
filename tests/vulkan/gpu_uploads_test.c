/* gpu_uploads_test.c: uploads and fetches take effect in the order of their calls, with mapped device memory and
 * without; the ring of uploads grows, wraps around, and is waited for only when it cannot grow any more.
 */
#include "vulkan/failing_vulkan.h"
#include "vulkan/vulkan_test.h"

#include <string.h>

#include "gpu/internal.h"

enum { MIB = 1 << 20, FETCHES = 5000 };

static quartic_gpu_device *device;

static int gpu_uploads_mapped(void **state) {
    (void)state;
    setenv("QUARTIC_DISABLE", "cache", 1);
    device = vulkan_test_gpu();
    return 0;
}

static int gpu_uploads_staged(void **state) {
    (void)state;
    setenv("QUARTIC_DISABLE", "cache,mapping", 1);
    device = vulkan_test_gpu();
    return 0;
}

static int gpu_uploads_close(void **state) {
    (void)state;
    quartic_gpu_device_destroy(device);
    return 0;
}

static void uploads_and_fetches_keep_their_order(void **state) {
    (void)state;
    enum { ROUNDS = 40 };
    quartic_gpu_buffer *buffer, *other;
    quartic_gpu_fetch *fetches[ROUNDS], *others[ROUNDS];
    assert_ok(quartic_gpu_buffer_create(device, 16, &buffer));
    assert_ok(quartic_gpu_buffer_create(device, 16, &other));
    const uint64_t before = quartic_gpu_submit_calls(device);
    for (uint32_t round = 0; round < ROUNDS; ++round) {
        const uint32_t first[4] = {round, 2, 3, 4}, second[4] = {5, 6, 7, 100 + round};
        assert_ok(quartic_gpu_fetch_create(buffer, 16, &fetches[round]));
        assert_ok(quartic_gpu_fetch_create(other, 16, &others[round]));
        assert_ok(quartic_gpu_buffer_upload(buffer, 0, second, 16)); /* overwritten by the next */
        assert_ok(quartic_gpu_buffer_upload(buffer, 0, first, 16));
        assert_ok(quartic_gpu_buffer_upload(other, 0, second, 16));
        assert_ok(quartic_gpu_fetch_start(fetches[round]));
        assert_ok(quartic_gpu_buffer_upload(buffer, 4, second, 12));
        assert_ok(quartic_gpu_fetch_start(others[round]));
    }
    assert_ok(quartic_gpu_flush(device));
    assert_ok(quartic_gpu_flush(device)); /* nothing more */
    assert_int_equal(quartic_gpu_submit_calls(device) - before, 1);
    for (uint32_t round = 0; round < ROUNDS; ++round) {
        uint32_t got[4];
        assert_ok(quartic_gpu_fetch_wait(fetches[round], got));
        assert_memory_equal(got, ((const uint32_t[4]){round, 2, 3, 4}), 16);
        assert_ok(quartic_gpu_fetch_wait(others[round], got));
        assert_memory_equal(got, ((const uint32_t[4]){5, 6, 7, 100 + round}), 16);
        quartic_gpu_fetch_destroy(fetches[round]);
        quartic_gpu_fetch_destroy(others[round]);
    }
    uint32_t got[4];
    assert_ok(quartic_gpu_buffer_read(buffer, 0, got, 16));
    assert_memory_equal(got, ((const uint32_t[4]){39, 5, 6, 7}), 16);
    assert_int_equal(quartic_gpu_buffer_upload(buffer, 8, got, 12), QUARTIC_INVALID_ARGUMENT);
    quartic_gpu_buffer_destroy(buffer);
    quartic_gpu_buffer_destroy(other);
}

static uint8_t gpu_uploads_byte(uint32_t round, uint64_t k) {
    return (uint8_t)((k * 2654435761u + round * 40503u) >> 13);
}

/* Pieces of many sizes, several times what the ring can hold, each into its place of a large buffer. */
static void the_ring_grows_and_wraps_around(void **state) {
    (void)state;
    static const uint32_t sizes[] = {5 * MIB + 12, 64, 11 * MIB, 3 * MIB + 4, 30 * MIB, 4, 9 * MIB};
    enum { SIZES = sizeof sizes / sizeof sizes[0], ROUNDS = 3 };
    quartic_gpu_buffer *buffers[SIZES], *spark;
    uint8_t *bytes = malloc(64 * (size_t)MIB + 4), *got = malloc(64 * (size_t)MIB + 4);
    assert_true(bytes != NULL && got != NULL);
    for (uint32_t k = 0; k < SIZES; ++k) assert_ok(quartic_gpu_buffer_create(device, sizes[k], &buffers[k]));
    quartic_gpu_fetch *fetch;
    assert_ok(quartic_gpu_buffer_create(device, 4, &spark));
    assert_ok(quartic_gpu_fetch_create(spark, 4, &fetch));
    for (uint32_t round = 0; round < ROUNDS; ++round)
        for (uint32_t k = 0; k < SIZES; ++k) {
            for (uint64_t i = 0; i < sizes[k]; ++i) bytes[i] = gpu_uploads_byte(round * SIZES + k, i);
            assert_ok(quartic_gpu_fetch_start(fetch)); /* an idle device with mapped memory needs no ring */
            assert_ok(quartic_gpu_buffer_upload(buffers[k], 0, bytes, sizes[k]));
            memset(bytes, 0xee, sizes[k]); /* taken at once */
            if (k % 2 == 0) assert_ok(quartic_gpu_flush(device));
        }
    assert_true(device->uploads.ring.bytes == 64 * (uint64_t)MIB);
    for (uint32_t k = 0; k < SIZES; ++k) {
        assert_ok(quartic_gpu_buffer_read(buffers[k], 0, got, sizes[k]));
        for (uint64_t i = 0; i < sizes[k]; ++i)
            if (got[i] != gpu_uploads_byte((ROUNDS - 1) * SIZES + k, i))
                fail_msg("buffer %u, byte %u", k, (unsigned)i);
        quartic_gpu_buffer_destroy(buffers[k]);
    }
    /* What no ring holds is written at once. */
    quartic_gpu_buffer *large;
    const uint64_t most = 64 * (uint64_t)MIB + 4;
    assert_ok(quartic_gpu_buffer_create(device, most, &large));
    for (uint64_t i = 0; i < most; ++i) bytes[i] = gpu_uploads_byte(9, i);
    assert_ok(quartic_gpu_buffer_upload(spark, 0, bytes, 4));
    assert_ok(quartic_gpu_buffer_upload(large, 0, bytes, most));
    assert_ok(quartic_gpu_buffer_read(large, 0, got, most));
    assert_memory_equal(got, bytes, most);
    quartic_gpu_buffer_destroy(large);
    quartic_gpu_fetch_destroy(fetch);
    quartic_gpu_buffer_destroy(spark);
    free(bytes), free(got);
}

/* Two steps in flight, each of small uploads and a flush: only the wait for the one before the last is left. */
static void a_steady_flow_of_uploads_does_not_wait(void **state) {
    (void)state;
    static uint8_t bytes[300000];
    quartic_gpu_buffer *buffer, *other;
    quartic_gpu_fetch *fetches[2];
    uint32_t got;
    assert_ok(quartic_gpu_buffer_create(device, sizeof bytes, &buffer));
    assert_ok(quartic_gpu_buffer_create(device, sizeof bytes, &other));
    for (uint32_t k = 0; k < 2; ++k) assert_ok(quartic_gpu_fetch_create(buffer, 4, &fetches[k]));
    vulkan_queue_counts before = vulkan_count_queue();
    for (uint32_t step = 0; step < 200; ++step) {
        if (step == 10) before = vulkan_count_queue(); /* the ring has grown */
        memcpy(bytes, &step, sizeof step);
        assert_ok(quartic_gpu_buffer_upload(buffer, 0, bytes, sizeof bytes));
        assert_ok(quartic_gpu_buffer_upload(other, 0, bytes, sizeof bytes));
        assert_ok(quartic_gpu_fetch_start(fetches[step % 2]));
        assert_ok(quartic_gpu_flush(device));
        if (step == 0) continue;
        assert_ok(quartic_gpu_fetch_wait(fetches[(step - 1) % 2], &got));
        assert_int_equal(got, step - 1);
    }
    const vulkan_queue_counts after = vulkan_count_queue();
    assert_int_equal(after.submits - before.submits, 190);
    assert_int_equal(after.waits - before.waits, 190);
    assert_int_equal(after.full_waits, before.full_waits);
    for (uint32_t k = 0; k < 2; ++k) quartic_gpu_fetch_destroy(fetches[k]);
    quartic_gpu_buffer_destroy(buffer);
    quartic_gpu_buffer_destroy(other);
}

/* More than a chunk of slots; one that is free again serves the next. */
static void there_may_be_many_fetches(void **state) {
    (void)state;
    static quartic_gpu_fetch *fetches[FETCHES];
    quartic_gpu_buffer *buffer;
    assert_ok(quartic_gpu_buffer_create(device, 16, &buffer));
    for (uint32_t number = 0; number < 2; ++number) {
        for (uint32_t k = 0; k < FETCHES; ++k) assert_ok(quartic_gpu_fetch_create(buffer, 4, &fetches[k]));
        for (uint32_t k = 0; k < FETCHES; ++k) {
            const uint32_t value = number * FETCHES + k;
            assert_ok(quartic_gpu_buffer_upload(buffer, 0, &value, 4));
            assert_ok(quartic_gpu_fetch_start(fetches[k]));
        }
        for (uint32_t k = 0; k < FETCHES; ++k) {
            uint32_t got;
            assert_ok(quartic_gpu_fetch_wait(fetches[k], &got));
            assert_int_equal(got, number * FETCHES + k);
            quartic_gpu_fetch_destroy(fetches[k]);
        }
    }
    quartic_gpu_fetch *fetch;
    assert_int_equal(quartic_gpu_fetch_create(buffer, 20, &fetch), QUARTIC_INVALID_ARGUMENT);
    assert_null(fetch);
    quartic_gpu_fetch_destroy(NULL);
    quartic_gpu_buffer_destroy(buffer);
}

/* What is discarded never happens, and waiting for it is an error instead of no end. */
static void what_is_discarded_never_happens(void **state) {
    (void)state;
    quartic_gpu_buffer *buffer, *other;
    quartic_gpu_fetch *fetch;
    uint32_t one = 1, two = 2, got;
    assert_ok(quartic_gpu_buffer_create(device, 4, &buffer));
    assert_ok(quartic_gpu_buffer_create(device, 4, &other));
    assert_ok(quartic_gpu_fetch_create(buffer, 4, &fetch));
    assert_ok(quartic_gpu_fetch_start(fetch)); /* so that the device is not idle */
    assert_ok(quartic_gpu_buffer_upload(buffer, 0, &one, 4));
    assert_ok(quartic_gpu_flush(device));
    assert_ok(quartic_gpu_buffer_upload(buffer, 0, &two, 4));
    assert_ok(quartic_gpu_fetch_start(fetch));
    quartic_gpu_discard(device);
    assert_int_equal(quartic_gpu_fetch_wait(fetch, &got), QUARTIC_INTERNAL);
    assert_ok(quartic_gpu_buffer_read(buffer, 0, &got, 4));
    assert_int_equal(got, 1);
    /* The same where a submit fails. */
    assert_ok(quartic_gpu_fetch_start(fetch));
    assert_ok(quartic_gpu_buffer_upload(buffer, 0, &two, 4));
    vulkan_fail_submit_at(1);
    assert_int_equal(quartic_gpu_flush(device), QUARTIC_OUT_OF_DEVICE_MEMORY);
    vulkan_fail_submit_at(0);
    assert_ok(quartic_gpu_buffer_read(buffer, 0, &got, 4));
    assert_int_equal(got, 1);
    quartic_gpu_fetch_destroy(fetch);
    quartic_gpu_buffer_destroy(buffer);
    quartic_gpu_buffer_destroy(other);
}

int main(void) {
#define BOTH_WAYS(test)                                                                                      \
    cmocka_unit_test_setup_teardown(test, gpu_uploads_mapped, gpu_uploads_close),                            \
        cmocka_unit_test_setup_teardown(test, gpu_uploads_staged, gpu_uploads_close)
    const struct CMUnitTest tests[] = {
        BOTH_WAYS(uploads_and_fetches_keep_their_order),   BOTH_WAYS(the_ring_grows_and_wraps_around),
        BOTH_WAYS(a_steady_flow_of_uploads_does_not_wait), BOTH_WAYS(there_may_be_many_fetches),
        BOTH_WAYS(what_is_discarded_never_happens),
    };
    return cmocka_run_group_tests(tests, vulkan_test_begin, vulkan_test_end);
}
