/* gpu_commands_test.c: recorded dispatches: order by barriers, long ones split, times, refusals. */
#include "vulkan/vulkan_test.h"

#include <string.h>

#include "gpu/internal.h"
#include "shaders/binary.args.h"

enum { COUNT = 1000, GROUPS = (COUNT + 255) / 256, CHAIN = 40 };
enum { ADD = 0, MULTIPLY = 2 }; /* order of QUARTIC_BINARY_LIST */

static quartic_gpu_device *device;
static quartic_gpu_buffer *x, *y;

static int gpu_commands_open_device(void **state) {
    vulkan_test_begin(state);
    device = vulkan_test_gpu();
    assert_ok(quartic_gpu_buffer_create(device, COUNT * sizeof(float), &x));
    assert_ok(quartic_gpu_buffer_create(device, COUNT * sizeof(float), &y));
    return 0;
}

static int gpu_commands_close_device(void **state) {
    quartic_gpu_buffer_destroy(x);
    quartic_gpu_buffer_destroy(y);
    quartic_gpu_device_destroy(device);
    return vulkan_test_end(state);
}

static void gpu_commands_fill(void) {
    float numbers[COUNT];
    for (int k = 0; k < COUNT; ++k) numbers[k] = (float)(k % 17) - 8.0f;
    assert_ok(quartic_gpu_buffer_write(x, 0, numbers, sizeof numbers));
    for (int k = 0; k < COUNT; ++k) numbers[k] = 1.0f;
    assert_ok(quartic_gpu_buffer_write(y, 0, numbers, sizeof numbers));
}

/* x = x f y, elementwise. */
static quartic_gpu_command binary(uint32_t function, uint32_t step) {
    quartic_binary_args args = {.a = quartic_gpu_buffer_address(x),
                                .b = quartic_gpu_buffer_address(y),
                                .result = quartic_gpu_buffer_address(x),
                                .count = COUNT,
                                .rank = 1,
                                .dims = {COUNT},
                                .a_strides = {1},
                                .b_strides = {1}};
    quartic_gpu_command command = {.shader = "binary",
                                   .spec_count = 2,
                                   .spec = {function, 1},
                                   .args_bytes = sizeof args,
                                   .groups = {GROUPS, 1, 1},
                                   .flops = COUNT,
                                   .bytes = 12 * COUNT,
                                   .step = step,
                                   .barrier = true};
    memcpy(command.args, &args, sizeof args);
    return command;
}

/* ((x + 1) * 1 + 1) * 1 ..: CHAIN / 2 additions. */
static void make_chain(quartic_gpu_command chain[CHAIN]) {
    for (uint32_t c = 0; c < CHAIN; ++c) chain[c] = binary(c % 2 == 0 ? ADD : MULTIPLY, c / 4);
}

static void expect_chain(void) {
    float got[COUNT];
    assert_ok(quartic_gpu_buffer_read(x, 0, got, sizeof got));
    for (int k = 0; k < COUNT; ++k) assert_true(got[k] == (float)(k % 17) - 8.0f + CHAIN / 2);
}

static void a_chain_runs_in_order_again_and_again(void **state) {
    (void)state;
    quartic_gpu_command chain[CHAIN];
    quartic_gpu_commands *commands;
    make_chain(chain);
    assert_ok(quartic_gpu_commands_create(device, chain, CHAIN, CHAIN / 4, false, &commands));
    assert_int_equal(quartic_gpu_commands_submit_count(commands), 1);
    int64_t live = quartic_alloc_live();
    for (int round = 0; round < 3; ++round) {
        gpu_commands_fill();
        assert_ok(quartic_gpu_commands_run(commands));
        expect_chain();
    }
    assert_int_equal(quartic_alloc_live(), live);
    assert_true(quartic_gpu_commands_seconds(commands, 0) == 0.0);
    quartic_gpu_commands_destroy(commands);
    quartic_gpu_commands_destroy(NULL);
}

static void long_dispatches_are_split_and_give_the_same(void **state) {
    (void)state;
    quartic_gpu_command chain[CHAIN];
    quartic_gpu_commands *commands;
    make_chain(chain);
    for (int c = 0; c < CHAIN; ++c) chain[c].flops = 1e30; /* every workgroup by itself */
    assert_ok(quartic_gpu_commands_create(device, chain, CHAIN, CHAIN / 4, true, &commands));
    assert_int_equal(quartic_gpu_commands_submit_count(commands), CHAIN * GROUPS);
    gpu_commands_fill();
    assert_ok(quartic_gpu_commands_run(commands));
    expect_chain();
    quartic_gpu_commands_destroy(commands);
}

static void profiling_measures_every_step(void **state) {
    (void)state;
    quartic_gpu_command chain[CHAIN];
    quartic_gpu_commands *commands;
    make_chain(chain);
    for (int c = 0; c < CHAIN; ++c) chain[c].step += 2; /* the first two and the last steps are empty */
    assert_ok(quartic_gpu_commands_create(device, chain, CHAIN, CHAIN / 4 + 5, true, &commands));
    gpu_commands_fill();
    assert_ok(quartic_gpu_commands_run(commands));
    expect_chain();
    double sum = 0.0;
    for (uint32_t s = 0; s < CHAIN / 4; ++s) sum += quartic_gpu_commands_seconds(commands, s + 2);
    if (quartic_gpu_device_caps(device)->timestamp_bits != 0) assert_true(sum > 0.0);
    assert_true(quartic_gpu_commands_seconds(commands, 10000) == 0.0);
    quartic_gpu_commands_destroy(commands);
}

static void an_empty_list_runs(void **state) {
    (void)state;
    quartic_gpu_commands *commands;
    assert_ok(quartic_gpu_commands_create(device, NULL, 0, 3, true, &commands));
    assert_ok(quartic_gpu_commands_run(commands));
    assert_true(quartic_gpu_commands_seconds(commands, 1) == 0.0);
    quartic_gpu_commands_destroy(commands);
}

static void what_cannot_run_is_refused(void **state) {
    (void)state;
    quartic_gpu_commands *commands;
    quartic_gpu_command command = binary(ADD, 0);
    command.shader = "no-such-shader";
    assert_int_equal(quartic_gpu_commands_create(device, &command, 1, 1, false, &commands), QUARTIC_INTERNAL);
    assert_null(commands);
    assert_non_null(strstr(quartic_error_message(), "no-such-shader"));
    command = binary(ADD, 0);
    command.groups[2] = UINT32_MAX;
    assert_int_equal(quartic_gpu_commands_create(device, &command, 1, 1, false, &commands),
                     QUARTIC_UNSUPPORTED);
    assert_non_null(strstr(quartic_error_message(), "4294967295"));
}

static uint32_t submits_until_loss;
static PFN_vkQueueSubmit2 real_submit;

static VKAPI_ATTR VkResult VKAPI_CALL losing_submit(VkQueue queue, uint32_t count,
                                                    const VkSubmitInfo2 *submits, VkFence fence) {
    if (--submits_until_loss == 0) return VK_ERROR_DEVICE_LOST;
    return real_submit(queue, count, submits, fence);
}

/* The driver reports the loss at the third of many submits; from then on every call says so, and the device
 * can still be taken apart. */
static void a_lost_device_stays_lost(void **state) {
    (void)state;
    quartic_gpu_command chain[CHAIN];
    quartic_gpu_commands *commands, *more;
    quartic_gpu_buffer *buffer;
    float number;
    make_chain(chain);
    for (int c = 0; c < CHAIN; ++c) chain[c].flops = 1e30;
    assert_ok(quartic_gpu_commands_create(device, chain, CHAIN, CHAIN / 4, false, &commands));
    submits_until_loss = 3;
    real_submit = device->vk.vkQueueSubmit2;
    device->vk.vkQueueSubmit2 = losing_submit;
    assert_ok(quartic_gpu_commands_run(commands));
    assert_ok(quartic_gpu_commands_enqueue(commands));
    assert_ok(quartic_gpu_flush(device)); /* in flight when the device is lost */
    assert_int_equal(quartic_gpu_commands_run(commands), QUARTIC_DEVICE_LOST);
    assert_non_null(strstr(quartic_error_message(), "stopped responding"));
    device->vk.vkQueueSubmit2 = real_submit;
    assert_int_equal(quartic_gpu_commands_run(commands), QUARTIC_DEVICE_LOST);
    assert_int_equal(quartic_gpu_buffer_read(x, 0, &number, 4), QUARTIC_DEVICE_LOST);
    assert_int_equal(quartic_gpu_buffer_write(x, 0, &number, 4), QUARTIC_DEVICE_LOST);
    assert_int_equal(quartic_gpu_buffer_create(device, 4, &buffer), QUARTIC_DEVICE_LOST);
    assert_int_equal(quartic_gpu_commands_create(device, chain, 1, 1, false, &more), QUARTIC_DEVICE_LOST);
    /* This device is not really lost: its work must be over before the objects go. */
    device->vk.vkDeviceWaitIdle(device->handle);
    quartic_gpu_commands_destroy(commands);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_chain_runs_in_order_again_and_again),
        cmocka_unit_test(long_dispatches_are_split_and_give_the_same),
        cmocka_unit_test(profiling_measures_every_step),
        cmocka_unit_test(an_empty_list_runs),
        cmocka_unit_test(what_cannot_run_is_refused),
        cmocka_unit_test(a_lost_device_stays_lost), /* the last one: nothing runs after it */
    };
    return cmocka_run_group_tests(tests, gpu_commands_open_device, gpu_commands_close_device);
}
