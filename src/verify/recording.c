/* recording.c: opening recordings, comparing what a replay computed. See recording.h. */
#include "verify/recording.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/status.h"
#include "io/safetensors.h"
#include "tensor/layout.h"

quartic_status quartic_recording_open(const char *path, quartic_recording *out) {
    *out = (quartic_recording){.path = path};
    QUARTIC_TRY(quartic_safetensors_open(path, &out->file));
    const char *config = quartic_safetensors_metadata(out->file, "config");
    out->model = quartic_safetensors_metadata(out->file, "model");
    out->family = quartic_safetensors_metadata(out->file, "family");
    quartic_status status = QUARTIC_OK;
    quartic_json_error error = {0};
    if (out->model == NULL || out->family == NULL || config == NULL)
        status = quartic_fail(QUARTIC_FORMAT,
                              "%s is no recorded case: its metadata lacks model, family or config", path);
    else
        status = quartic_json_read(config, strlen(config), &out->document, &error);
    if (status == QUARTIC_FORMAT && error.line > 0)
        quartic_fail(status, "the config in the metadata of %s is no JSON: line %u, column %u: %s", path,
                     error.line, error.column, error.text);
    out->config = out->document.values;
    if (status == QUARTIC_OK && out->config->kind != QUARTIC_JSON_OBJECT)
        status = quartic_fail(QUARTIC_FORMAT, "the config in the metadata of %s is no JSON object", path);
    if (status != QUARTIC_OK) quartic_recording_close(out);
    return status;
}

void quartic_recording_close(quartic_recording *recording) {
    quartic_json_free(&recording->document);
    quartic_safetensors_close(recording->file);
    *recording = (quartic_recording){0};
}

quartic_status quartic_recording_find(const quartic_recording *recording, const char *prefix,
                                      const char *name, const quartic_safetensors_tensor **out_tensor) {
    char full[256];
    snprintf(full, sizeof full, "%s%s", prefix, name);
    *out_tensor = quartic_safetensors_find(recording->file, full);
    if (*out_tensor != NULL) return QUARTIC_OK;
    return quartic_fail(QUARTIC_FORMAT, "%s has no tensor \"%s\"", recording->path, full);
}

static bool is_integer(const quartic_safetensors_tensor *tensor) {
    return quartic_safetensors_is_integer(tensor->dtype);
}

quartic_status quartic_recording_floats(const quartic_recording *recording,
                                        const quartic_safetensors_tensor *tensor, float **out_numbers) {
    uint64_t count = quartic_shape_elements(&tensor->shape);
    if (is_integer(tensor)) {
        int32_t *integers = NULL;
        quartic_status status = quartic_recording_ints(recording, tensor, &integers);
        *out_numbers = (float *)integers; /* the same bytes */
        for (uint64_t i = 0; status == QUARTIC_OK && i < count; ++i) (*out_numbers)[i] = (float)integers[i];
        return status;
    }
    *out_numbers = quartic_alloc(count, sizeof **out_numbers);
    if (*out_numbers == NULL) return QUARTIC_OUT_OF_MEMORY;
    return quartic_safetensors_read_float32(recording->file, tensor, *out_numbers, count);
}

quartic_status quartic_recording_ints(const quartic_recording *recording,
                                      const quartic_safetensors_tensor *tensor, int32_t **out_numbers) {
    uint64_t count = quartic_shape_elements(&tensor->shape);
    *out_numbers = quartic_alloc(count, sizeof **out_numbers);
    if (*out_numbers == NULL) return QUARTIC_OUT_OF_MEMORY;
    return quartic_safetensors_read_int32(recording->file, tensor, *out_numbers, count);
}

quartic_status quartic_recording_number(const quartic_recording *recording, const char *key,
                                        double *out_number) {
    const quartic_json *value = quartic_json_member(recording->config, key);
    const bool boolean = quartic_json_is(value, QUARTIC_JSON_BOOLEAN);
    if (boolean || quartic_json_is(value, QUARTIC_JSON_INTEGER) ||
        quartic_json_is(value, QUARTIC_JSON_REAL)) {
        *out_number = boolean ? (double)value->integer : value->real;
        return QUARTIC_OK;
    }
    return quartic_fail(QUARTIC_FORMAT, "the config of %s must have a number as \"%s\"", recording->path,
                        key);
}

quartic_status quartic_recording_count(const quartic_recording *recording, const char *key,
                                       uint32_t *out_count) {
    double number = 0;
    QUARTIC_TRY(quartic_recording_number(recording, key, &number));
    if (!(number >= 1.0 && number <= 1e9) || number != floor(number))
        return quartic_fail(QUARTIC_FORMAT,
                            "\"%s\" in the config of %s is %g; it must be a whole number from 1", key,
                            recording->path, number);
    *out_count = (uint32_t)number;
    return QUARTIC_OK;
}

bool quartic_starts_with(const char *name, const char *prefix, const char **out_rest) {
    size_t length = strlen(prefix);
    if (strncmp(name, prefix, length) != 0) return false;
    if (out_rest != NULL) *out_rest = name + length;
    return true;
}

/* ---- comparison ---- */

static const double integer_bound = 0.25;

static double bound_ratio(const quartic_comparison *comparison) {
    return comparison->error / comparison->bound; /* bounds are at least 1e-6 */
}

quartic_status quartic_replay_compare(quartic_replay *replay, const char *name, const float *got,
                                      uint64_t count) {
    const quartic_safetensors_tensor *tensor;
    QUARTIC_TRY(quartic_recording_find(replay->recording, "", name, &tensor));
    uint64_t recorded = quartic_shape_elements(&tensor->shape);
    if (recorded != count)
        return quartic_fail(QUARTIC_SHAPE_MISMATCH,
                            "%s of %s has %llu elements in the recording, but %llu here", name,
                            replay->recording->path, (unsigned long long)recorded, (unsigned long long)count);
    float *want = NULL;
    quartic_status status = quartic_recording_floats(replay->recording, tensor, &want);
    if (status == QUARTIC_OK) {
        bool gradient = quartic_starts_with(name, "grad.", NULL);
        double largest = quartic_largest(want, count);
        quartic_comparison comparison;
        double bound = gradient ? quartic_gradient_bound(largest) : quartic_output_bound(largest);
        if (is_integer(tensor)) bound = integer_bound; /* so integers must be equal */
        quartic_compare(got, want, count, bound, &comparison);
        quartic_replay_worst *entry = gradient ? &replay->gradients : &replay->outputs;
        bool worse = !entry->any || bound_ratio(&comparison) > bound_ratio(&entry->comparison);
        ++replay->compared;
        if (!quartic_comparison_holds(&comparison)) ++replay->failed;
        if (worse) {
            *entry = (quartic_replay_worst){.any = true, .shape = tensor->shape, .comparison = comparison};
            snprintf(entry->name, sizeof entry->name, "%s", name);
        }
    }
    quartic_free(want);
    return status;
}

quartic_status quartic_replay_check_complete(const quartic_replay *replay) {
    uint32_t expected = 0;
    for (uint32_t t = 0; t < quartic_safetensors_count(replay->recording->file); ++t) {
        const char *name = quartic_safetensors_at(replay->recording->file, t)->name;
        if (quartic_starts_with(name, "output.", NULL) || quartic_starts_with(name, "grad.", NULL) ||
            quartic_starts_with(name, "final.", NULL))
            ++expected;
    }
    if (expected == replay->compared && expected > 0) return QUARTIC_OK;
    return quartic_fail(QUARTIC_FORMAT, "%s records %u results, of which %u were computed here",
                        replay->recording->path, expected, replay->compared);
}

static void append_worst(char *buffer, size_t bytes, const char *kind, const quartic_replay_worst *entry) {
    size_t used = strlen(buffer);
    if (!entry->any || used + 1 >= bytes) return;
    const quartic_comparison *comparison = &entry->comparison;
    char text[QUARTIC_COMPARISON_TEXT];
    if (quartic_comparison_holds(comparison))
        snprintf(buffer + used, bytes - used, "%s%s %.1e (%.2g of the bound, %s)", used == 0 ? "" : ", ",
                 kind, comparison->error, bound_ratio(comparison), entry->name);
    else
        snprintf(buffer + used, bytes - used, "%s%s %.1e (%.2g times the bound): %s, %s",
                 used == 0 ? "" : ", ", kind, comparison->error, bound_ratio(comparison), entry->name,
                 quartic_comparison_text(comparison, &entry->shape, text));
}

void quartic_replay_text(const quartic_replay *replay, char *buffer, size_t bytes) {
    buffer[0] = 0;
    append_worst(buffer, bytes, "outputs", &replay->outputs);
    append_worst(buffer, bytes, "gradients", &replay->gradients);
    size_t used = strlen(buffer);
    if (replay->failed > 0 && used < bytes)
        snprintf(buffer + used, bytes - used, "; %u of %u tensors out of bounds", replay->failed,
                 replay->compared);
    used = strlen(buffer);
    if (replay->note[0] != 0 && used < bytes) snprintf(buffer + used, bytes - used, "; %s", replay->note);
}
