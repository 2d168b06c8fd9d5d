/* relational_accuracy_test.c: the relational model in float32 is as accurate as the same computation in
 * PyTorch.
 *
 * The recordings of tests/golden/accuracy hold, with the results in float64, what PyTorch's float32 misses
 * them by in multiples of their bounds (tests/oracle/pytorch_error.py). This device may miss them by twice as
 * much.
 */
#include "golden_device.h"

#include "quartic/io.h"

/* The greater of PyTorch's two numbers in the file's metadata. */
static double pytorch_error(const char *path) {
    quartic_safetensors *file;
    if (quartic_safetensors_open(path, &file) != QUARTIC_OK) fail_msg("%s", quartic_error_message());
    const char *text = quartic_safetensors_metadata(file, "pytorch_float32");
    double outputs = 0, gradients = 0;
    if (text == NULL || sscanf(text, "%lf %lf", &outputs, &gradients) != 2)
        fail_msg("%s does not tell PyTorch's error", path);
    quartic_safetensors_close(file);
    return outputs > gradients ? outputs : gradients;
}

static void relational_accuracy_compare(void *context, const quartic_check *check) {
    (void)context;
    const double own = check->error / check->bound, other = pytorch_error(check->subject);
    print_message("%s: %.3g of the bound, PyTorch %.3g\n", check->subject, own, other);
    if (!(own <= 2 * other)) fail_msg("%s: %.2f times PyTorch's error", check->subject, own / other);
}

static void as_accurate_as_pytorch(void **state) {
    (void)state;
    char *paths[MOST_FILES];
    const uint32_t count = list_recordings(QUARTIC_TEST_GOLDEN "/accuracy", paths, 0);
    assert_true(count >= 5);
    quartic_device *device;
    quartic_check_totals totals;
    if (quartic_device_create("cpu", &device) != QUARTIC_OK) fail_msg("%s", quartic_error_message());
    assert_int_equal(
        quartic_verify(device, (const char *const *)paths, count, relational_accuracy_compare, NULL, &totals),
        QUARTIC_OK);
    assert_int_equal(totals.passed, count);
    quartic_device_destroy(device);
    for (uint32_t k = 0; k < count; ++k) free(paths[k]);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(as_accurate_as_pytorch)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
