/* weights.c: a model's weights in safetensors files.
 *
 * Metadata: "config", the configuration as JSON; "format", "pt", which PyTorch's loaders ask for. Loading
 * reads everything into host memory and checks it before the first weight changes. Saving checks that all
 * weights are finite before it touches the file, since a file with other weights could not be loaded again.
 *
 * Wrappers put a prefix before all names of a state_dict: "module." (data-parallel), "_orig_mod."
 * (torch.compile), "model." and the like (a module that holds the model), also several. A prefix that every
 * tensor of a file has is left out when it is loaded.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/call.h"
#include "io/safetensors.h"
#include "model/model.h"

/* How many of the model's weights the file has under the first `length` characters of start + their names. */
static uint32_t count_found(const quartic_parameter_set *set, const quartic_safetensors *file,
                            const char *start, size_t length) {
    uint32_t found = 0;
    for (uint32_t k = 0; k < set->count; ++k) {
        char name[2 * QUARTIC_PARAMETER_NAME];
        const int bytes = snprintf(name, sizeof name, "%.*s%s", (int)length, start, set->specs[k].name);
        if (bytes < (int)sizeof name && quartic_safetensors_find(file, name) != NULL) ++found;
    }
    return found;
}

/* The prefix, common to all names of a file, under which most of the model's weights are found; the shortest
 * of equals; "" if no prefix finds more than none does. */
static void find_prefix(const quartic_model *model, const quartic_safetensors *file,
                        char out_prefix[QUARTIC_PARAMETER_NAME]) {
    const uint32_t tensors = quartic_safetensors_count(file);
    out_prefix[0] = 0;
    if (tensors == 0) return;
    /* Names are sorted, so a prefix of the first and the last is a prefix of all. */
    const char *first = quartic_safetensors_at(file, 0)->name,
               *last = quartic_safetensors_at(file, tensors - 1)->name;
    uint32_t most = count_found(&model->set, file, "", 0);
    for (size_t length = 1; length < QUARTIC_PARAMETER_NAME && first[length - 1] != 0 &&
                            first[length - 1] == last[length - 1] && most < model->set.count;
         ++length) {
        if (first[length - 1] != '.') continue;
        const uint32_t found = count_found(&model->set, file, first, length);
        if (found <= most) continue;
        most = found;
        memcpy(out_prefix, first, length);
        out_prefix[length] = 0;
    }
}

/* For a message about a missing weight: a tensor whose name ends with '.' and the weight's name, or NULL. */
static const char *find_longer(const quartic_safetensors *file, const char *name) {
    const size_t length = strlen(name);
    for (uint32_t t = 0; t < quartic_safetensors_count(file); ++t) {
        const char *other = quartic_safetensors_at(file, t)->name;
        const size_t other_length = strlen(other);
        if (strncmp(other, QUARTIC_TRAINER_PREFIX, strlen(QUARTIC_TRAINER_PREFIX)) != 0 &&
            other_length > length && other[other_length - length - 1] == '.' &&
            strcmp(other + other_length - length, name) == 0)
            return other;
    }
    return NULL;
}

quartic_status quartic_model_stage(const quartic_model *model, const quartic_safetensors *file,
                                   const char *path, const char *prefix, float *out_storage) {
    const quartic_parameter_set *set = &model->set;
    uint32_t missing = 0, first_missing = 0;
    memset(out_storage, 0, set->elements * sizeof out_storage[0]);
    for (uint32_t k = 0; k < set->count; ++k) {
        const quartic_parameter_spec *spec = &set->specs[k];
        char name[2 * QUARTIC_PARAMETER_NAME], want[QUARTIC_SHAPE_TEXT], got[QUARTIC_SHAPE_TEXT];
        snprintf(name, sizeof name, "%s%s", prefix, spec->name);
        const quartic_safetensors_tensor *tensor = quartic_safetensors_find(file, name);
        if (tensor == NULL) {
            if (missing++ == 0) first_missing = k;
            continue;
        }
        if (!quartic_shape_equal(&tensor->shape, &spec->shape))
            return quartic_fail(
                QUARTIC_SHAPE_MISMATCH,
                "\"%s\" in \"%s\" has shape %s, the model needs %s; is the configuration another?", name,
                path, quartic_shape_text(&tensor->shape, got), quartic_shape_text(&spec->shape, want));
        QUARTIC_TRY(quartic_safetensors_check_finite(file, tensor));
        QUARTIC_TRY(
            quartic_safetensors_read_float32(file, tensor, out_storage + spec->offset, spec->elements));
    }
    if (missing == 0) return QUARTIC_OK;
    char text[QUARTIC_SHAPE_TEXT], quoted[QUARTIC_SAFETENSORS_QUOTE_BYTES];
    const char *longer = find_longer(file, set->specs[first_missing].name);
    return quartic_fail(
        QUARTIC_FORMAT,
        "\"%s\" lacks %u of the model's %u weights, the first being \"%s%s\" of shape %s%s%s%s", path,
        missing, set->count, prefix, set->specs[first_missing].name,
        quartic_shape_text(&set->specs[first_missing].shape, text), longer == NULL ? "" : "; it has \"",
        longer == NULL ? "" : quartic_safetensors_quote(longer, quoted),
        longer == NULL ? ""
                       : "\": a prefix is left out only where every tensor has it, so "
                         "save the weights without it and without other tensors");
}

quartic_status quartic_model_check_finite(const quartic_model *model, const char *what, const char *prefix,
                                          const float *storage) {
    for (uint32_t k = 0; k < model->set.count; ++k) {
        const quartic_parameter_spec *spec = &model->set.specs[k];
        const float *numbers = storage + spec->offset;
        for (uint64_t i = 0; i < spec->elements; ++i)
            if (!isfinite(numbers[i]))
                return quartic_fail(QUARTIC_NON_FINITE, "element %llu of the %s \"%s%s\" is %g",
                                    (unsigned long long)i, what, prefix, spec->name, (double)numbers[i]);
    }
    return QUARTIC_OK;
}

static quartic_status refuse_extra_after(const quartic_model *model, const quartic_safetensors *file,
                                         const char *path, const char *prefix) {
    const size_t skipped = strlen(prefix); /* every name begins with it */
    uint32_t extra = 0;
    const quartic_safetensors_tensor *first = NULL;
    for (uint32_t k = 0; k < quartic_safetensors_count(file); ++k) {
        const quartic_safetensors_tensor *tensor = quartic_safetensors_at(file, k);
        if (strncmp(tensor->name, QUARTIC_TRAINER_PREFIX, strlen(QUARTIC_TRAINER_PREFIX)) == 0 ||
            quartic_parameter_set_find(&model->set, tensor->name + skipped) != QUARTIC_NONE)
            continue;
        if (extra++ == 0) first = tensor;
    }
    if (extra == 0) return QUARTIC_OK;
    char text[QUARTIC_SHAPE_TEXT];
    return quartic_fail(
        QUARTIC_FORMAT,
        "\"%s\" has %u tensors that the model does not know, the first being \"%s\" of shape %s", path, extra,
        first->name, quartic_shape_text(&first->shape, text));
}

quartic_status quartic_model_refuse_extra(const quartic_model *model, const quartic_safetensors *file,
                                          const char *path) {
    return refuse_extra_after(model, file, path, "");
}

static quartic_status load_weights_from(quartic_model *model, const quartic_safetensors *file,
                                        const char *path) {
    float *storage = quartic_alloc(model->set.elements, sizeof storage[0]);
    if (storage == NULL) return QUARTIC_OUT_OF_MEMORY;
    char prefix[QUARTIC_PARAMETER_NAME];
    find_prefix(model, file, prefix);
    quartic_status status = quartic_model_stage(model, file, path, prefix, storage);
    if (status == QUARTIC_OK) status = refuse_extra_after(model, file, path, prefix);
    if (status == QUARTIC_OK)
        status = quartic_tensor_write(model->weights, storage, model->set.elements * sizeof storage[0]);
    if (status == QUARTIC_OK) memcpy(model->loaded_prefix, prefix, sizeof prefix);
    quartic_free(storage);
    return status;
}

const char *quartic_model_loaded_prefix(const quartic_model *model) {
    QUARTIC_CALL();
    QUARTIC_NEED_OR(model, NULL);
    return model->loaded_prefix;
}

quartic_status quartic_model_load(quartic_model *model, const char *path) {
    QUARTIC_CALL();
    QUARTIC_NEED(model);
    QUARTIC_NEED(path);
    quartic_safetensors *file;
    QUARTIC_TRY(quartic_safetensors_open(path, &file));
    quartic_status status = load_weights_from(model, file, path);
    quartic_safetensors_close(file);
    return status;
}

static quartic_status open_model_from(quartic_device *device, const quartic_safetensors *file,
                                      const char *path, quartic_model **out_model) {
    quartic_model_config config = QUARTIC_MODEL_CONFIG_INIT;
    const char *text = quartic_safetensors_metadata(file, "config");
    if (text == NULL)
        return quartic_fail(
            QUARTIC_FORMAT,
            "\"%s\" has no \"config\" in its metadata, so its model is unknown; create the model from "
            "a configuration and load the weights into it",
            path);
    QUARTIC_TRY(quartic_model_config_read_from(&config, text, strlen(text), path));
    QUARTIC_TRY(quartic_model_create(device, &config, out_model));
    quartic_status status = load_weights_from(*out_model, file, path);
    if (status == QUARTIC_OK) return QUARTIC_OK;
    quartic_model_destroy(*out_model);
    *out_model = NULL;
    return status;
}

quartic_status quartic_model_open(quartic_device *device, const char *path, quartic_model **out_model) {
    QUARTIC_CALL();
    QUARTIC_NEED(device);
    QUARTIC_NEED(path);
    QUARTIC_NEED(out_model);
    quartic_safetensors *file;
    *out_model = NULL;
    QUARTIC_TRY(quartic_safetensors_open(path, &file));
    quartic_status status = open_model_from(device, file, path, out_model);
    quartic_safetensors_close(file);
    return status;
}

quartic_status quartic_model_describe(const quartic_model *model, const char *prefix, const float *storage,
                                      quartic_safetensors_tensor *out_tensors) {
    for (uint32_t k = 0; k < model->set.count; ++k) {
        const quartic_parameter_spec *spec = &model->set.specs[k];
        size_t bytes = strlen(prefix) + strlen(spec->name) + 1;
        char *name = quartic_alloc(bytes, 1);
        if (name == NULL) {
            for (; k > 0; out_tensors[k].name = NULL) quartic_free((void *)(uintptr_t)out_tensors[--k].name);
            return QUARTIC_OUT_OF_MEMORY;
        }
        snprintf(name, bytes, "%s%s", prefix, spec->name);
        out_tensors[k] = (quartic_safetensors_tensor){.name = name,
                                                      .dtype = QUARTIC_SAFETENSORS_F32,
                                                      .shape = spec->shape,
                                                      .data = storage + spec->offset};
    }
    return QUARTIC_OK;
}

quartic_status quartic_model_save(const quartic_model *model, const char *path) {
    QUARTIC_CALL();
    QUARTIC_NEED(model);
    QUARTIC_NEED(path);
    uint32_t count = model->set.count;
    char *config = NULL;
    float *storage = NULL;
    quartic_safetensors_tensor *tensors = quartic_alloc(count, sizeof tensors[0]);
    quartic_status status = tensors == NULL ? QUARTIC_OUT_OF_MEMORY : QUARTIC_OK;
    if (status == QUARTIC_OK)
        status = quartic_fields_write_json(&quartic_model_field_table, &model->config, &config);
    if (status == QUARTIC_OK) status = quartic_model_fetch(model, model->weights, &storage);
    if (status == QUARTIC_OK) status = quartic_model_check_finite(model, "weight", "", storage);
    if (status == QUARTIC_OK) status = quartic_model_describe(model, "", storage, tensors);
    if (status == QUARTIC_OK) {
        const quartic_safetensors_text metadata[] = {{"config", config}, {"format", "pt"}};
        status = quartic_safetensors_save(path, tensors, count, metadata, 2);
        for (uint32_t k = 0; k < count; ++k) quartic_free((void *)(uintptr_t)tensors[k].name);
    }
    quartic_free(storage);
    quartic_free(config);
    quartic_free(tensors);
    return status;
}
