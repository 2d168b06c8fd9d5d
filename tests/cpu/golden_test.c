/* golden_test.c: all recorded cases on the CPU devices, and what verify says of broken files. */
#include "golden_device.h"

#include "quartic/io.h"

static void reference_reproduces_the_recordings(void **state) {
    (void)state;
    replay_recordings("reference");
}

static void cpu_reproduces_the_recordings(void **state) {
    (void)state;
    replay_recordings("cpu");
}

/* A copy of a recording with one number of one tensor changed, or without that tensor if by is 0. */
static const char *spoil(const char *name, const char *tensor, float by) {
    static const char *const path = "spoilt.safetensors";
    quartic_safetensors *file;
    char from[1024];
    snprintf(from, sizeof from, "%s/%s", QUARTIC_TEST_GOLDEN, name);
    assert_int_equal(quartic_safetensors_open(from, &file), QUARTIC_OK);
    uint32_t count = 0;
    quartic_safetensors_tensor *tensors = calloc(quartic_safetensors_count(file), sizeof *tensors);
    void *copy = NULL;
    for (uint32_t t = 0; t < quartic_safetensors_count(file); ++t) {
        tensors[count] = *quartic_safetensors_at(file, t);
        if (strcmp(tensors[count].name, tensor) == 0) {
            if (by == 0.0f) continue;
            copy = malloc(tensors[count].bytes);
            memcpy(copy, tensors[count].data, tensors[count].bytes);
            ((float *)copy)[tensors[count].bytes / 4 - 1] += by;
            tensors[count].data = copy;
        }
        ++count;
    }
    assert_true(copy != NULL || by == 0.0f);
    quartic_safetensors_text metadata[8];
    uint32_t texts = quartic_safetensors_metadata_count(file);
    for (uint32_t k = 0; k < texts; ++k) metadata[k] = *quartic_safetensors_metadata_at(file, k);
    assert_int_equal(quartic_safetensors_save(path, tensors, count, metadata, texts), QUARTIC_OK);
    free(copy);
    free(tensors);
    quartic_safetensors_close(file);
    return path;
}

static void keep_text(void *context, const quartic_check *check) {
    snprintf(context, 1024, "%s", check->text);
}

/* Verifies one file that must fail with a sentence that holds these words. */
static void must_fail(quartic_device *device, const char *path, const char *words) {
    char text[1024] = "";
    quartic_check_totals totals;
    assert_int_equal(quartic_verify(device, &path, 1, keep_text, text, &totals), QUARTIC_OK);
    assert_int_equal(totals.failed, 1);
    if (strstr(text, words) == NULL) fail_msg("\"%s\" lacks \"%s\"", text, words);
}

static void wrong_numbers_and_missing_tensors_fail(void **state) {
    (void)state;
    quartic_device *device;
    assert_int_equal(quartic_device_create("cpu", &device), QUARTIC_OK);
    must_fail(device, spoil("quartic.safetensors", "output.logits", 2e-4f),
              "output.logits, element (1, 6, 12): got");
    must_fail(device, spoil("quartic.safetensors", "grad.pos_emb.weight", 1e-3f), "1 of");
    must_fail(device, spoil("quartic.safetensors", "param.pos_emb.weight", 0.0f), "weights");
    must_fail(device, spoil("quartic.safetensors", "grad.pos_emb.weight", 0.0f),
              "has no tensor \"grad.pos_emb.weight\"");
    must_fail(device, spoil("train-quartic.safetensors", "final.pos_emb.weight", 1e-3f),
              "final.pos_emb.weight");
    must_fail(device, spoil("train-quartic.safetensors", "output.losses", 1e-3f), "output.losses");
    must_fail(device, spoil("module-hyper-connection.safetensors", "output.branch_in", 1e-3f),
              "output.branch_in");
    must_fail(device, spoil("module-edge-embedding.safetensors", "grad.input.x", 1.0f), "grad.input.x");
    must_fail(device, "no-such-file.safetensors", "no-such-file");
    remove("spoilt.safetensors");
    quartic_device_destroy(device);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reference_reproduces_the_recordings),
        cmocka_unit_test(cpu_reproduces_the_recordings),
        cmocka_unit_test(wrong_numbers_and_missing_tensors_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
