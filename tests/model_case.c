/* model_case.c: see model_case.h. */
#include "model_case.h"

const quartic_safetensors_tensor *case_tensor(const model_case *c, const char *name) {
    const quartic_safetensors_tensor *tensor = quartic_safetensors_find(c->file, name);
    if (tensor == NULL) fail_msg("the case has no %s", name);
    return tensor;
}

float *case_floats(const model_case *c, const char *name, uint64_t *out_count) {
    const quartic_safetensors_tensor *tensor = case_tensor(c, name);
    uint64_t count = quartic_shape_elements(&tensor->shape);
    float *numbers = quartic_alloc(count, sizeof numbers[0]);
    assert_non_null(numbers);
    assert_ok(quartic_safetensors_read_float32(c->file, tensor, numbers, count));
    *out_count = count;
    return numbers;
}

int32_t *case_ints(const model_case *c, const char *name, quartic_shape *out_shape) {
    const quartic_safetensors_tensor *tensor = quartic_safetensors_find(c->file, name);
    if (tensor == NULL) return NULL;
    uint64_t count = quartic_shape_elements(&tensor->shape);
    int32_t *numbers = quartic_alloc(count, sizeof numbers[0]);
    assert_non_null(numbers);
    assert_ok(quartic_safetensors_read_int32(c->file, tensor, numbers, count));
    *out_shape = tensor->shape;
    return numbers;
}

uint8_t *case_mask(const model_case *c) {
    quartic_shape shape;
    int32_t *numbers = case_ints(c, "input.mask", &shape);
    if (numbers == NULL) return NULL;
    uint64_t count = quartic_shape_elements(&shape);
    uint8_t *mask = quartic_alloc(count, 1);
    assert_non_null(mask);
    for (uint64_t i = 0; i < count; ++i) mask[i] = (uint8_t)(numbers[i] != 0);
    quartic_free(numbers);
    return mask;
}

quartic_model_config case_config(const quartic_safetensors *file, model_case *c) {
    quartic_model_config config = QUARTIC_MODEL_CONFIG_INIT;
    const char *recorded = quartic_safetensors_metadata(file, "config");
    quartic_json_document document;
    quartic_json_error error;
    assert_ok(quartic_json_read(recorded, strlen(recorded), &document, &error));
    quartic_json_writer text = {.bytes = NULL};
    quartic_json_put(&text, "{\"model\": ");
    quartic_json_put_text(&text, quartic_safetensors_metadata(file, "model"));
    QUARTIC_JSON_FOREACH(member, document.values) {
        double *optimiser = strcmp(member->key, "lr") == 0             ? &c->lr
                            : strcmp(member->key, "weight_decay") == 0 ? &c->weight_decay
                            : strcmp(member->key, "clip") == 0         ? &c->clip
                                                                       : NULL;
        if (optimiser != NULL) {
            *optimiser = member->real;
            continue;
        }
        quartic_json_put(&text, ", ");
        quartic_json_put_text(&text, member->key);
        quartic_json_put(&text, ": ");
        quartic_json_put_value(&text, member);
    }
    quartic_json_put(&text, "}");
    assert_ok(text.status);
    if (strcmp(quartic_safetensors_metadata(file, "family"), "reference") == 0)
        config.compatibility = QUARTIC_COMPATIBILITY_REFERENCE;
    assert_ok(quartic_model_config_read_json(&config, text.bytes));
    quartic_free(text.bytes);
    quartic_json_free(&document);
    return config;
}

model_case case_open(quartic_device *device, const char *name) {
    model_case c = {0};
    char path[512];
    snprintf(path, sizeof path, "%s/%s.safetensors", QUARTIC_TEST_GOLDEN, name);
    assert_ok(quartic_safetensors_open(path, &c.file));
    quartic_model_config config = case_config(c.file, &c);
    assert_ok(quartic_model_create(device, &config, &c.model));
    float *storage = quartic_alloc(c.model->set.elements, sizeof storage[0]);
    assert_non_null(storage);
    assert_ok(quartic_model_stage(c.model, c.file, path, "param.", storage));
    assert_ok(quartic_tensor_write(quartic_model_weights(c.model), storage,
                                   c.model->set.elements * sizeof storage[0]));
    quartic_free(storage);
    return c;
}

void case_close(model_case *c) {
    quartic_model_destroy(c->model);
    quartic_safetensors_close(c->file);
}

void assert_near(const char *name, const float *got, const float *want, uint64_t count, double relative,
                 double least_scale, double absolute) {
    double scale = least_scale, worst = 0.0;
    uint64_t at = 0;
    for (uint64_t i = 0; i < count; ++i) scale = fmax(scale, fabs((double)want[i]));
    for (uint64_t i = 0; i < count; ++i) {
        double error = fabs((double)got[i] - (double)want[i]);
        if (!(error <= worst)) {
            worst = error;
            at = i;
        }
    }
    if (!(worst <= relative * scale + absolute))
        fail_msg("%s[%llu] is %.9g, not %.9g: off by %.3g, bound %.3g", name, (unsigned long long)at,
                 (double)got[at], (double)want[at], worst, relative * scale + absolute);
}
