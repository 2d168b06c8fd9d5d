/* model.c: a model's life and its weights: create, initialise, read, write. Files: weights.c; runs: run.c. */
#include "model/model.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/call.h"
#include "base/nearest.h"
#include "run/access.h"

enum { DEFAULT_CACHED_PROGRAMS = 4 };

static quartic_shape flat_shape(const quartic_model *model) {
    return QUARTIC_SHAPE((uint32_t)model->set.elements);
}

/* Takes the caller's weights, or creates and initialises the model's own. */
static quartic_status bind_weights(quartic_model *model) {
    quartic_tensor *weights = model->config.weights;
    if (weights == NULL) {
        quartic_shape shape = flat_shape(model);
        QUARTIC_TRY(quartic_tensor_create(model->device, QUARTIC_FLOAT32, &shape, &model->weights));
        model->owns_weights = true;
        return quartic_model_initialise(model, 0);
    }
    if (quartic_tensor_device(weights) != model->device) {
        quartic_device_info given, own;
        QUARTIC_TRY(quartic_device_get_info(quartic_tensor_device(weights), &given));
        QUARTIC_TRY(quartic_device_get_info(model->device, &own));
        return quartic_fail(
            QUARTIC_INVALID_ARGUMENT,
            "the weights given to the model (config.weights) are a tensor on another device (%s) "
            "than the model's (%s); create it on the model's",
            given.name, own.name);
    }
    quartic_shape shape = quartic_tensor_shape(weights);
    if (quartic_tensor_dtype(weights) != QUARTIC_FLOAT32 ||
        quartic_shape_elements(&shape) != model->set.elements) {
        char text[QUARTIC_SHAPE_TEXT];
        return quartic_fail(
            QUARTIC_SHAPE_MISMATCH,
            "the weights given to the model are %s of shape %s; it needs float32 of %llu elements "
            "(see quartic_model_config_weights)",
            quartic_tensor_dtype(weights) == QUARTIC_FLOAT32 ? "float32" : "int32",
            quartic_shape_text(&shape, text), (unsigned long long)model->set.elements);
    }
    model->weights = weights;
    return QUARTIC_OK;
}

static quartic_status fill_model(quartic_model *model, quartic_device *device,
                                 const quartic_model_config *config) {
    model->device = device;
    QUARTIC_TRY(quartic_options_read(&quartic_model_config_type, config, &model->config));
    quartic_model_config_derive(&model->config);
    if (model->config.cached_programs == 0) model->config.cached_programs = DEFAULT_CACHED_PROGRAMS;
    QUARTIC_TRY(quartic_model_collect(&model->config, &model->set));
    if (model->set.elements >= (uint64_t)1 << 31)
        return quartic_fail(
            QUARTIC_UNSUPPORTED,
            "the model has %llu weights, more than the 2147483647 elements that a tensor may hold; "
            "make dim, depth or num_tokens smaller",
            (unsigned long long)model->set.elements);
    model->program_places = model->config.cached_programs < DEFAULT_CACHED_PROGRAMS
                                ? model->config.cached_programs
                                : DEFAULT_CACHED_PROGRAMS;
    model->programs = quartic_alloc(model->program_places, sizeof model->programs[0]);
    if (model->programs == NULL) return QUARTIC_OUT_OF_MEMORY;
    return bind_weights(model);
}

quartic_status quartic_model_create(quartic_device *device, const quartic_model_config *config,
                                    quartic_model **out_model) {
    QUARTIC_CALL();
    QUARTIC_NEED(out_model);
    *out_model = NULL;
    QUARTIC_NEED(device);
    QUARTIC_NEED(config);
    QUARTIC_TRY(quartic_model_config_check(config));
    quartic_model *model = quartic_alloc(1, sizeof *model);
    if (model == NULL) return QUARTIC_OUT_OF_MEMORY;
    quartic_status status = fill_model(model, device, config);
    if (status == QUARTIC_OK)
        *out_model = model;
    else
        quartic_model_destroy(model);
    return status;
}

void quartic_model_destroy(quartic_model *model) {
    if (model == NULL) return;
    for (uint32_t k = 0; k < model->program_count; ++k) {
        quartic_program_destroy(model->programs[k].program);
        quartic_free(model->programs[k].mask);
    }
    quartic_free(model->programs);
    quartic_tensor_destroy(model->gradients);
    if (model->owns_weights) quartic_tensor_destroy(model->weights);
    quartic_parameter_set_destroy(&model->set);
    quartic_free(model);
}

const quartic_model_config *quartic_model_get_config(const quartic_model *model) {
    QUARTIC_CALL();
    QUARTIC_NEED_OR(model, NULL);
    return &model->config;
}

quartic_device *quartic_model_device(const quartic_model *model) {
    QUARTIC_CALL();
    QUARTIC_NEED_OR(model, NULL);
    return model->device;
}

quartic_tensor *quartic_model_weights(const quartic_model *model) {
    QUARTIC_CALL();
    QUARTIC_NEED_OR(model, NULL);
    return model->weights;
}

uint32_t quartic_model_attention_heads(const quartic_model *model) {
    QUARTIC_CALL();
    QUARTIC_NEED_OR(model, 0);
    const quartic_model_config *config = &model->config;
    return config->model == QUARTIC_MODEL_MULTI_STREAM ? config->num_streams * config->heads : config->heads;
}

quartic_status quartic_model_initialise(quartic_model *model, uint64_t seed) {
    QUARTIC_CALL();
    QUARTIC_NEED(model);
    float *storage = quartic_alloc(model->set.elements, sizeof storage[0]);
    if (storage == NULL) return QUARTIC_OUT_OF_MEMORY;
    quartic_parameter_set_initialise(&model->set, seed, storage);
    quartic_status status =
        quartic_tensor_write(model->weights, storage, model->set.elements * sizeof storage[0]);
    quartic_free(storage);
    return status;
}

/* ---- single weights ---- */

uint32_t quartic_model_parameter_count(const quartic_model *model) {
    QUARTIC_CALL();
    QUARTIC_NEED_OR(model, 0);
    return model->set.count;
}

uint64_t quartic_model_parameter_elements(const quartic_model *model) {
    QUARTIC_CALL();
    QUARTIC_NEED_OR(model, 0);
    return model->set.trained_elements;
}

quartic_status quartic_model_get_parameter(const quartic_model *model, uint32_t index,
                                           quartic_model_parameter *out_parameter) {
    QUARTIC_CALL();
    QUARTIC_NEED(model);
    QUARTIC_NEED(out_parameter);
    if (index >= model->set.count)
        return quartic_fail(QUARTIC_INVALID_ARGUMENT, "weight %u of a model that has %u", index,
                            model->set.count);
    const quartic_parameter_spec *spec = &model->set.specs[index];
    *out_parameter = (quartic_model_parameter){spec->name, spec->shape, spec->elements, spec->offset};
    return QUARTIC_OK;
}

static const char *weight_name(const void *context, uint32_t index) {
    const quartic_parameter_set *set = context;
    return index < set->count ? set->specs[index].name : NULL;
}

quartic_status quartic_model_find_parameter(const quartic_model *model, const char *name,
                                            quartic_model_parameter *out_parameter) {
    QUARTIC_CALL();
    QUARTIC_NEED(model);
    QUARTIC_NEED(name);
    QUARTIC_NEED(out_parameter);
    uint32_t index = quartic_parameter_set_find(&model->set, name);
    if (index != QUARTIC_NONE) return quartic_model_get_parameter(model, index, out_parameter);
    const char *near = quartic_nearest(name, weight_name, &model->set, strlen(name) / 3 + 1);
    return quartic_fail(QUARTIC_INVALID_ARGUMENT, "the model has no weight \"%s\"%s%s%s", name,
                        near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}

/* The weight of that name, if it has that many elements. */
static quartic_status find_sized(const quartic_model *model, const char *name, uint64_t elements,
                                 quartic_model_parameter *out_parameter) {
    QUARTIC_TRY(quartic_model_find_parameter(model, name, out_parameter));
    if (out_parameter->elements == elements) return QUARTIC_OK;
    char text[QUARTIC_SHAPE_TEXT];
    return quartic_fail(QUARTIC_SHAPE_MISMATCH, "\"%s\" has shape %s, %llu elements, not %llu", name,
                        quartic_shape_text(&out_parameter->shape, text),
                        (unsigned long long)out_parameter->elements, (unsigned long long)elements);
}

quartic_status quartic_model_fetch(const quartic_model *model, const quartic_tensor *tensor,
                                   float **out_storage) {
    size_t bytes = model->set.elements * sizeof(float);
    *out_storage = quartic_alloc(bytes, 1);
    if (*out_storage == NULL) return QUARTIC_OUT_OF_MEMORY;
    quartic_status status = quartic_tensor_read(tensor, *out_storage, bytes);
    if (status == QUARTIC_OK) return QUARTIC_OK;
    quartic_free(*out_storage);
    *out_storage = NULL;
    return status;
}

static quartic_status read_slice(const quartic_model *model, const quartic_tensor *tensor, const char *name,
                                 float *out_numbers, uint64_t elements) {
    quartic_model_parameter parameter;
    float *storage;
    QUARTIC_TRY(find_sized(model, name, elements, &parameter));
    QUARTIC_TRY(quartic_model_fetch(model, tensor, &storage));
    memcpy(out_numbers, storage + parameter.offset, elements * sizeof storage[0]);
    quartic_free(storage);
    return QUARTIC_OK;
}

quartic_status quartic_model_read_parameter(const quartic_model *model, const char *name, float *out_numbers,
                                            uint64_t elements) {
    QUARTIC_CALL();
    QUARTIC_NEED(model);
    QUARTIC_NEED(name);
    QUARTIC_NEED(out_numbers);
    return read_slice(model, model->weights, name, out_numbers, elements);
}

quartic_status quartic_model_read_gradient(const quartic_model *model, const char *name, float *out_numbers,
                                           uint64_t elements) {
    QUARTIC_CALL();
    QUARTIC_NEED(model);
    QUARTIC_NEED(name);
    QUARTIC_NEED(out_numbers);
    if (!model->has_gradients)
        return quartic_fail(QUARTIC_INVALID_ARGUMENT, "no gradients yet; call quartic_model_gradients first");
    return read_slice(model, model->gradients, name, out_numbers, elements);
}

quartic_status quartic_model_write_parameter(quartic_model *model, const char *name, const float *numbers,
                                             uint64_t elements) {
    QUARTIC_CALL();
    QUARTIC_NEED(model);
    QUARTIC_NEED(name);
    QUARTIC_NEED(numbers);
    quartic_model_parameter parameter;
    float *storage;
    QUARTIC_TRY(find_sized(model, name, elements, &parameter));
    for (uint64_t i = 0; i < elements; ++i)
        if (!isfinite(numbers[i]))
            return quartic_fail(QUARTIC_NON_FINITE, "element %llu for \"%s\" is %g", (unsigned long long)i,
                                name, (double)numbers[i]);
    QUARTIC_TRY(quartic_model_fetch(model, model->weights, &storage));
    memcpy(storage + parameter.offset, numbers, elements * sizeof storage[0]);
    quartic_status status =
        quartic_tensor_write(model->weights, storage, model->set.elements * sizeof storage[0]);
    quartic_free(storage);
    return status;
}
