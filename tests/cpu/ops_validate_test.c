/* ops_validate_test.c: every op on the device "cpu" (its tuned kernels) and on "reference" itself, forward, in
 * place, strided and backward. On "reference" this finds reads of unwritten memory and writes out of range.
 */
#include <sys/stat.h>

#include "failing_alloc.h"
#include "validate_device.h"

static void cpu_matches_the_reference(void **state) {
    (void)state;
    validate_device("cpu");
}

static void reference_stays_in_its_memory(void **state) {
    (void)state;
    validate_device("reference");
}

static void unknown_op_is_refused_with_the_list(void **state) {
    (void)state;
    quartic_device *device;
    assert_int_equal(quartic_device_create("cpu", &device), QUARTIC_OK);
    quartic_validate_config config = QUARTIC_VALIDATE_CONFIG_INIT;
    config.op = "no_such_op";
    assert_int_equal(quartic_validate(device, &config, NULL), QUARTIC_INVALID_ARGUMENT);
    assert_non_null(strstr(quartic_error_message(), "binary"));
    config.op = "binary";
    config.case_index = 12345;
    assert_int_equal(quartic_validate(device, &config, NULL), QUARTIC_INVALID_ARGUMENT);
    quartic_device_destroy(device);
}

/* ---- failing allocations ---- */

static quartic_status validate_once(quartic_device *device) {
    quartic_validate_config config = QUARTIC_VALIDATE_CONFIG_INIT;
    config.op = "binary";
    config.case_index = 1;
    return quartic_validate(device, &config, NULL);
}

#define TWO_STREAMS "module-hyper-connection-two-streams.safetensors"
#define ONE_STREAM  "module-hyper-connection-one-stream.safetensors"

/* Copies a recording into the folder "recordings" of this test. */
static void copy_recording(const char *name) {
    static char bytes[1 << 20];
    char from[1024], to[256];
    snprintf(from, sizeof from, QUARTIC_TEST_GOLDEN "/extra/%s", name);
    snprintf(to, sizeof to, "recordings/%s", name);
    FILE *source = fopen(from, "rb"), *target = fopen(to, "wb");
    assert_non_null(source);
    assert_non_null(target);
    const size_t count = fread(bytes, 1, sizeof bytes, source);
    assert_true(count > 0 && count < sizeof bytes);
    assert_int_equal(fwrite(bytes, 1, count, target), count);
    assert_int_equal(fclose(source), 0);
    assert_int_equal(fclose(target), 0);
}

/* Replaying one recording reads all others in its folder too, so the folder holds only one other. */
static quartic_status verify_once(quartic_device *device) {
    static const char *const paths[] = {"recordings/" TWO_STREAMS};
    return quartic_verify(device, paths, 1, NULL, NULL, NULL);
}

static quartic_status compare_once(quartic_device *device) {
    quartic_graph *graph;
    quartic_status status = quartic_graph_create(&graph);
    if (status != QUARTIC_OK) return status;
    quartic_value x = quartic_graph_input(graph, "x", QUARTIC_FLOAT32, &QUARTIC_SHAPE(2, 3));
    quartic_graph_output(graph, "y", quartic_exp(graph, quartic_square(graph, x)));
    status = quartic_compare_devices(device, device, graph, NULL, 0, NULL, NULL, NULL);
    quartic_graph_destroy(graph);
    return status;
}

/* Lets the n-th allocation fail for n = 1, 2, .. until the call gets through without a failure. */
static void failing_allocations_leave_nothing_behind(void **state) {
    (void)state;
    quartic_status (*const calls[])(quartic_device * device) = {validate_once, verify_once, compare_once};
    mkdir("recordings", 0755);
    copy_recording(TWO_STREAMS);
    copy_recording(ONE_STREAM);
    quartic_device *device;
    assert_int_equal(quartic_device_create("reference", &device), QUARTIC_OK);
    for (size_t c = 0; c < sizeof calls / sizeof calls[0]; ++c) {
        int64_t live = quartic_alloc_live();
        quartic_status status = QUARTIC_OUT_OF_MEMORY;
        uint64_t last = 0;
        for (uint64_t n = 1; status != QUARTIC_OK; ++n) {
            quartic_alloc_fail_at(n);
            status = calls[c](device);
            quartic_alloc_fail_at(0);
            if (status != QUARTIC_OK) assert_int_equal(status, QUARTIC_OUT_OF_MEMORY);
            assert_int_equal(quartic_alloc_live(), live);
            last = n;
        }
        /* A swallowed failure would end it early; far more allocations would make this test slow. */
        assert_true(last >= 50 && last <= 2000);
    }
    quartic_device_destroy(device);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cpu_matches_the_reference),
        cmocka_unit_test(reference_stays_in_its_memory),
        cmocka_unit_test(failing_allocations_leave_nothing_behind),
        cmocka_unit_test(unknown_op_is_refused_with_the_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
