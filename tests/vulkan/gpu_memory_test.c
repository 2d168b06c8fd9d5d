/* gpu_memory_test.c: buffers are zeroed, hold what was written, share blocks, and refuse what cannot be. Run
 * twice: with mapped device memory where there is any, and through the staging buffer. */
#include "vulkan/vulkan_test.h"

#include <string.h>

#include "gpu/internal.h"

static quartic_gpu_device *device;

static int open_mapped(void **state) {
    (void)state;
    setenv("QUARTIC_DISABLE", "cache", 1);
    device = vulkan_test_gpu();
    return 0;
}

static int open_staged(void **state) {
    (void)state;
    setenv("QUARTIC_DISABLE", "cache,mapping", 1);
    device = vulkan_test_gpu();
    return 0;
}

static int gpu_memory_close_device(void **state) {
    (void)state;
    quartic_gpu_device_destroy(device);
    return 0;
}

static uint8_t pattern(uint64_t k) {
    return (uint8_t)((k * 2654435761u) >> 13);
}

static void a_buffer_is_zeroed_and_keeps_what_is_written(void **state) {
    (void)state;
    enum { BYTES = 1000 };
    uint8_t written[BYTES], got[BYTES];
    quartic_gpu_buffer *buffer;
    for (int round = 0; round < 2; ++round) { /* the second reuses the first one's memory */
        assert_ok(quartic_gpu_buffer_create(device, BYTES, &buffer));
        assert_true(quartic_gpu_buffer_address(buffer) != 0);
        assert_int_equal(quartic_gpu_buffer_address(buffer) % 256, 0);
        assert_int_equal(quartic_gpu_buffer_bytes(buffer), BYTES);
        memset(got, 1, BYTES);
        assert_ok(quartic_gpu_buffer_read(buffer, 0, got, BYTES));
        for (int k = 0; k < BYTES; ++k) assert_int_equal(got[k], 0);
        for (int k = 0; k < BYTES; ++k) written[k] = pattern((uint64_t)k);
        assert_ok(quartic_gpu_buffer_write(buffer, 0, written, BYTES));
        assert_ok(quartic_gpu_buffer_write(buffer, 100, "fresh", 5)); /* inside */
        memcpy(written + 100, "fresh", 5);
        assert_ok(quartic_gpu_buffer_read(buffer, 0, got, BYTES));
        assert_memory_equal(got, written, BYTES);
        assert_ok(quartic_gpu_buffer_read(buffer, 997, got, 3));
        assert_memory_equal(got, written + 997, 3);
        assert_int_equal(quartic_gpu_buffer_write(buffer, 998, written, 3), QUARTIC_INVALID_ARGUMENT);
        assert_int_equal(quartic_gpu_buffer_read(buffer, 2000, got, 1), QUARTIC_INVALID_ARGUMENT);
        quartic_gpu_buffer_destroy(buffer);
    }
    quartic_gpu_buffer_destroy(NULL);
}

static void a_large_buffer_goes_over_in_parts(void **state) {
    (void)state;
    const uint64_t bytes = (9u << 20) + 12; /* more than two staging buffers */
    quartic_gpu_buffer *buffer;
    uint8_t *written = quartic_alloc(bytes, 1), *got = quartic_alloc(bytes, 1);
    for (uint64_t k = 0; k < bytes; ++k) written[k] = pattern(k);
    assert_ok(quartic_gpu_buffer_create(device, bytes, &buffer));
    assert_ok(quartic_gpu_buffer_write(buffer, 0, written, bytes));
    assert_ok(quartic_gpu_buffer_read(buffer, 0, got, bytes));
    assert_memory_equal(got, written, bytes);
    quartic_gpu_buffer_destroy(buffer);
    quartic_free(written);
    quartic_free(got);
}

static void small_buffers_share_memory_without_overlap(void **state) {
    (void)state;
    enum { COUNT = 200 };
    quartic_gpu_buffer *buffers[COUNT];
    for (uint32_t round = 0; round < 3; ++round) {
        for (uint32_t k = round; k < COUNT; k += 1 + round % 2) {
            if (round > 0) quartic_gpu_buffer_destroy(buffers[k]); /* holes, then filled with other sizes */
            assert_ok(quartic_gpu_buffer_create(device, 4 + (k * 37 + round * 1001) % 5000, &buffers[k]));
            uint32_t mark = k + 1000 * round;
            assert_ok(quartic_gpu_buffer_write(buffers[k], 0, &mark, 4));
        }
        for (uint32_t a = 0; a < COUNT; ++a)
            for (uint32_t b = 0; b < a; ++b) {
                uint64_t a_at = quartic_gpu_buffer_address(buffers[a]),
                         b_at = quartic_gpu_buffer_address(buffers[b]);
                assert_true(a_at + quartic_gpu_buffer_bytes(buffers[a]) <= b_at ||
                            b_at + quartic_gpu_buffer_bytes(buffers[b]) <= a_at);
            }
    }
    for (uint32_t k = 2; k < COUNT; k += 1) { /* the last round that wrote each */
        uint32_t mark;
        assert_ok(quartic_gpu_buffer_read(buffers[k], 0, &mark, 4));
        assert_int_equal(mark % 1000, k);
    }
    assert_non_null(device->blocks);
    assert_null(device->blocks->next); /* one block held them all */
    for (uint32_t k = 0; k < COUNT; ++k) quartic_gpu_buffer_destroy(buffers[k]);
    assert_null(device->blocks);
    assert_int_equal(device->allocated_bytes, 0);
}

static void what_cannot_fit_is_refused_with_figures(void **state) {
    (void)state;
    quartic_gpu_buffer *buffer;
    assert_int_equal(quartic_gpu_buffer_create(device, 1ull << 50, &buffer), QUARTIC_OUT_OF_DEVICE_MEMORY);
    assert_null(buffer);
    assert_non_null(strstr(quartic_error_message(), "1073741824.0 MiB"));
    assert_int_equal(quartic_gpu_device_expect_room(device, 1ull << 50, "a model"),
                     QUARTIC_OUT_OF_DEVICE_MEMORY);
    assert_non_null(strstr(quartic_error_message(), "a model needs 1073741824.0 MiB"));
    assert_ok(quartic_gpu_device_expect_room(device, 1, "a model"));
}

#define BOTH_WAYS(test)                                                                                      \
    cmocka_unit_test_setup_teardown(test, open_mapped, gpu_memory_close_device),                             \
        cmocka_unit_test_setup_teardown(test, open_staged, gpu_memory_close_device)

int main(void) {
    const struct CMUnitTest tests[] = {
        BOTH_WAYS(a_buffer_is_zeroed_and_keeps_what_is_written),
        BOTH_WAYS(a_large_buffer_goes_over_in_parts),
        BOTH_WAYS(small_buffers_share_memory_without_overlap),
        BOTH_WAYS(what_cannot_fit_is_refused_with_figures),
    };
    return cmocka_run_group_tests(tests, vulkan_test_begin, vulkan_test_end);
}
