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

/* What is done to a recording. A tensor is renamed, or else one of its numbers changed, or it is left out if
 * by is 0. */
typedef struct change {
    const char *tensor, *renamed;
    float by;
    const char *config; /* another one, or NULL */
} change;

/* A copy of a recording with a change. */
static const char *change_copy(const char *name, change to) {
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
        if (to.tensor != NULL && strcmp(tensors[count].name, to.tensor) == 0 && to.renamed != NULL) {
            tensors[count].name = to.renamed;
        } else if (to.tensor != NULL && strcmp(tensors[count].name, to.tensor) == 0) {
            if (to.by == 0.0f) continue;
            copy = malloc(tensors[count].bytes);
            memcpy(copy, tensors[count].data, tensors[count].bytes);
            ((float *)copy)[tensors[count].bytes / 4 - 1] += to.by;
            tensors[count].data = copy;
        }
        ++count;
    }
    assert_true(copy != NULL || to.by == 0.0f);
    quartic_safetensors_text metadata[8];
    uint32_t texts = quartic_safetensors_metadata_count(file);
    for (uint32_t k = 0; k < texts; ++k) {
        metadata[k] = *quartic_safetensors_metadata_at(file, k);
        if (to.config != NULL && strcmp(metadata[k].key, "config") == 0) metadata[k].text = to.config;
    }
    assert_int_equal(quartic_safetensors_save(path, tensors, count, metadata, texts), QUARTIC_OK);
    free(copy);
    free(tensors);
    quartic_safetensors_close(file);
    return path;
}

static const char *spoil(const char *name, const char *tensor, float by) {
    return change_copy(name, (change){.tensor = tensor, .by = by});
}

static const char *configure(const char *name, const char *config) {
    return change_copy(name, (change){.config = config});
}

static void golden_keep_text(void *context, const quartic_check *check) {
    snprintf(context, 1024, "%s", check->text);
}

/* Verifies one file that must fail or be refused with a message that holds these words. */
static void must_fail(quartic_device *device, const char *path, const char *words) {
    char text[1024] = "";
    quartic_check_totals totals;
    assert_int_equal(quartic_verify(device, &path, 1, golden_keep_text, text, &totals), QUARTIC_OK);
    assert_int_equal(totals.failed + totals.unsupported, 1);
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

/* What a configuration asks for and is not known here must not be ignored. */
static void unknown_options_are_refused(void **state) {
    (void)state;
    static const char start_end[] = "module-triangle-start-end.safetensors",
                      multiply[] = "module-triangle-multiply-causal.safetensors",
                      hyper[] = "module-hyper-connection.safetensors",
                      full[] = "module-edge-attention.safetensors", model[] = "quartic.safetensors";
    quartic_device *device;
    assert_int_equal(quartic_device_create("cpu", &device), QUARTIC_OK);
    must_fail(
        device, configure(full, "{\"dim\": 8, \"heads\": 2, \"dim_head\": 4, \"windowed\": true}"),
        "the option \"windowed\", which this library does not have; it has dim, heads, dim_head, causal");
    must_fail(device, configure(full, "{\"heads\": 4, \"dim_head\": 4}"),
              "has shape (24, 8); with this config it must be (48, 8)");
    must_fail(device, configure(full, "{\"heads\": 2.5, \"dim_head\": 4}"), "must be a whole number");
    must_fail(device, configure(full, "{\"heads\": 2, \"dim_head\": 4, \"causal\": \"yes\"}"),
              "must have a number as \"causal\"");
    must_fail(device, configure(hyper, "{\"num_residual_streams\": 0}"),
              "is 0; it must be a whole number from 1");
    must_fail(device, configure(start_end, "{\"heads\": 2, \"dim_head\": 4, \"orientation\": \"alpha\"}"),
              "is \"alpha\"; this library has \"default\" and \"alphafold\"");
    static const char *const wrong[] = {"[]", "[\"through\", \"through\"]", "[\"sideways\"]", "3"};
    for (size_t k = 0; k < sizeof wrong / sizeof wrong[0]; ++k) {
        char config[128];
        snprintf(config, sizeof config, "{\"heads\": 2, \"dim_head\": 4, \"triangle_directions\": %s}",
                 wrong[k]);
        must_fail(device, configure(multiply, config), "\"triangle_directions\" in the config of");
    }
    must_fail(device,
              configure(model,
                        "{\"num_tokens\": 13, \"dim\": 16, \"depth\": 2, \"dim_edges\": 8, \"heads\": 2, "
                        "\"dim_head\": 8, \"linear_heads\": 2, \"linear_dim_head\": 4, \"max_seq_len\": 24, "
                        "\"readout\": \"graph\"}"),
              "has 14 elements; with this read-out there are 2 targets");
    must_fail(device,
              change_copy("quartic-mask.safetensors",
                          (change){.tensor = "input.mask", .renamed = "input.edge_mask"}),
              "recorded models take tokens, targets and a mask here");
    must_fail(device,
              change_copy("module-edge-attention-mask.safetensors",
                          (change){.tensor = "input.mask", .renamed = "input.edge_mask"}),
              "which the edge_attention of this library does not take");
    remove("spoilt.safetensors");
    quartic_device_destroy(device);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unknown_options_are_refused),
        cmocka_unit_test(reference_reproduces_the_recordings),
        cmocka_unit_test(cpu_reproduces_the_recordings),
        cmocka_unit_test(wrong_numbers_and_missing_tensors_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
