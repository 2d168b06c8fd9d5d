/* model_case.h: recorded model cases (tests/golden) as models with their inputs, for the model tests.
 *
 * Bounds, as agreed for the recordings: outputs within 2e-5 * max(1, max |want|), gradients within
 * 1e-4 * max |want over that tensor| + 1e-6.
 */
#ifndef QUARTIC_TESTS_MODEL_CASE_H
#define QUARTIC_TESTS_MODEL_CASE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "model/model.h"

#define assert_ok(call)                                                                                      \
    do {                                                                                                     \
        quartic_status status_ = (call);                                                                     \
        if (status_ != QUARTIC_OK)                                                                           \
            fail_msg("%s: %s: %s", #call, quartic_status_name(status_), quartic_error_message());            \
    } while (0)

static inline void assert_sentence(const char *part) {
    if (strstr(quartic_error_message(), part) == NULL)
        fail_msg("\"%s\" lacks \"%s\"", quartic_error_message(), part);
}

typedef struct model_case {
    quartic_safetensors *file;
    quartic_model *model;
    double lr, weight_decay, clip; /* of a train case */
} model_case;

static inline const quartic_safetensors_tensor *case_tensor(const model_case *c, const char *name) {
    const quartic_safetensors_tensor *tensor = quartic_safetensors_find(c->file, name);
    if (tensor == NULL) fail_msg("the case has no %s", name);
    return tensor;
}

/* The tensor's numbers, to be freed with quartic_free; NULL if the case has none of that name. */
static inline float *case_floats(const model_case *c, const char *name, uint64_t *out_count) {
    const quartic_safetensors_tensor *tensor = case_tensor(c, name);
    uint64_t count = quartic_shape_elements(&tensor->shape);
    float *numbers = quartic_alloc(count, sizeof numbers[0]);
    assert_non_null(numbers);
    assert_ok(quartic_safetensors_read_float32(c->file, tensor, numbers, count));
    *out_count = count;
    return numbers;
}

static inline int32_t *case_ints(const model_case *c, const char *name, quartic_shape *out_shape) {
    const quartic_safetensors_tensor *tensor = quartic_safetensors_find(c->file, name);
    if (tensor == NULL) return NULL;
    uint64_t count = quartic_shape_elements(&tensor->shape);
    int32_t *numbers = quartic_alloc(count, sizeof numbers[0]);
    assert_non_null(numbers);
    assert_ok(quartic_safetensors_read_int32(c->file, tensor, numbers, count));
    *out_shape = tensor->shape;
    return numbers;
}

static inline uint8_t *case_mask(const model_case *c) {
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

static inline quartic_model_config case_config(const quartic_safetensors *file, model_case *c) {
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

/* Opens tests/golden/<name>.safetensors and makes its model with the recorded weights. */
static inline model_case case_open(quartic_device *device, const char *name) {
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

static inline void case_close(model_case *c) {
    quartic_model_destroy(c->model);
    quartic_safetensors_close(c->file);
}

/* |got - want| <= relative * max(least_scale, max |want|) + absolute; name is for the message. */
static inline void assert_near(const char *name, const float *got, const float *want, uint64_t count,
                               double relative, double least_scale, double absolute) {
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

/* Every recorded model. */
static const char *const model_case_names[] = {"relational",
                                               "relational-causal",
                                               "reference-relational",
                                               "reference-relational-causal",
                                               "quartic",
                                               "quartic-causal",
                                               "quartic-mask",
                                               "quartic-no-diagonal",
                                               "quartic-wide-edges",
                                               "reference-quartic",
                                               "reference-quartic-causal",
                                               "reference-quartic-mask",
                                               "reference-quartic-ablated-edges",
                                               "reference-quartic-one-residual-stream",
                                               "extra/quartic-ablated-causal-mask",
                                               "extra/quartic-ablated",
                                               "extra/quartic-causal-left-padded",
                                               "extra/quartic-causal-odd",
                                               "extra/quartic-default-options",
                                               "extra/quartic-large-vocabulary",
                                               "extra/quartic-mask-padded-row",
                                               "extra/quartic-n1-mask-depth3",
                                               "extra/quartic-n1",
                                               "extra/quartic-n17-default-edges",
                                               "extra/quartic-n2-padded-row",
                                               "extra/quartic-n3-causal-mask-depth3",
                                               "extra/quartic-n37-long",
                                               "extra/quartic-no-diagonal-causal-mask",
                                               "extra/quartic-one-residual-stream-depth3",
                                               "extra/quartic-wide-heads",
                                               "extra/quartic-width-one",
                                               "extra/reference-quartic-ablated-one-stream",
                                               "extra/reference-quartic-causal-mask",
                                               "extra/reference-quartic-depth3-streams3",
                                               "extra/reference-quartic-n1"};
enum { MODEL_CASES = sizeof model_case_names / sizeof model_case_names[0] };

/* Logits, loss and every gradient of a recorded case. */
static inline void check_model_case(quartic_device *device, const char *name) {
    model_case c = case_open(device, name);
    quartic_shape shape = {0};
    int32_t *tokens = case_ints(&c, "input.tokens", &shape),
            *targets = case_ints(&c, "input.targets", &shape);
    uint8_t *mask = case_mask(&c);
    const uint32_t b = shape.dims[0], n = shape.dims[1];
    uint64_t count;
    float *want = case_floats(&c, "output.logits", &count), *got = quartic_alloc(count, sizeof got[0]);
    assert_ok(quartic_model_forward(c.model, b, n, tokens, mask, got));
    assert_near("logits", got, want, count, 2e-5, 1.0, 0.0);
    quartic_free(want);
    quartic_free(got);
    float loss, alone;
    assert_ok(quartic_model_gradients(c.model, b, n, tokens, targets, mask, &loss));
    assert_ok(quartic_model_loss(c.model, b, n, tokens, targets, mask, &alone));
    want = case_floats(&c, "output.loss", &count);
    assert_near("loss", &loss, want, 1, 2e-5, 1.0, 0.0);
    assert_near("loss without gradients", &alone, want, 1, 2e-5, 1.0, 0.0);
    quartic_free(want);
    for (uint32_t k = 0; k < quartic_model_parameter_count(c.model); ++k) {
        quartic_model_parameter parameter;
        char path[256];
        assert_ok(quartic_model_get_parameter(c.model, k, &parameter));
        snprintf(path, sizeof path, "grad.%s", parameter.name);
        want = case_floats(&c, path, &count);
        got = quartic_alloc(count, sizeof got[0]);
        assert_ok(quartic_model_read_gradient(c.model, parameter.name, got, count));
        assert_near(path, got, want, count, 1e-4, 0.0, 1e-6);
        quartic_free(want);
        quartic_free(got);
    }
    quartic_free(tokens);
    quartic_free(targets);
    quartic_free(mask);
    case_close(&c);
}

#endif
