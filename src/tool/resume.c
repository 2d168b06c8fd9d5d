/* resume.c: a run's note, hashes of its first weights, changed settings. See resume.h. */
#include "tool/resume.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quartic/io.h"
#include "quartic/tune.h"
#include "tool/files.h"

enum { HASH_DIGITS = 8 };

static char *copy_note_text(const char *text) {
    if (text == NULL) return NULL;
    char *copy = tool_alloc(strlen(text) + 1, 1);
    strcpy(copy, text);
    return copy;
}

static void read_note(const char *text, run_note *note) {
    json_t *json = text == NULL ? NULL : json_loads(text, 0, NULL);
    note->device = copy_note_text(json_string_value(json_object_get(json, "device")));
    note->initial = copy_note_text(json_string_value(json_object_get(json, "initial")));
    const json_int_t every = json_integer_value(json_object_get(json, "save_every"));
    note->save_every = every > 0 && every <= UINT32_MAX ? (uint32_t)every : 0;
    json_decref(json);
}

bool resume_read(const command *command, const char *checkpoint, quartic_trainer_config *out_trainer,
                 run_note *out_note) {
    quartic_safetensors *file;
    *out_note = (run_note){0};
    if (quartic_trainer_config_read(checkpoint, out_trainer) != QUARTIC_OK ||
        quartic_safetensors_open(checkpoint, &file) != QUARTIC_OK)
        return tool_fail_library(command, "its weights can start a new run, with --init."), false;
    read_note(quartic_safetensors_metadata(file, "note"), out_note);
    out_note->tuning = copy_note_text(quartic_safetensors_metadata(file, "tuning"));
    quartic_safetensors_close(file);
    return true;
}

void resume_forget(run_note *note) {
    free(note->device);
    free(note->initial);
    free(note->tuning);
    *note = (run_note){0};
}

void resume_settle(run_note *note, const char **inout_device, uint32_t save_every) {
    char *device = copy_note_text(*inout_device); /* which may be the note's own */
    free(note->device);
    *inout_device = note->device = device;
    note->save_every = save_every;
}

/* ---- hashes of the weights ---- */

/* The hashes of all weights, freed with free; NULL after a failure, with the library's message. */
static char *hash_weights(const quartic_model *model) {
    quartic_tensor *weights = quartic_model_weights(model);
    const quartic_shape shape = quartic_tensor_shape(weights);
    const uint64_t elements = quartic_shape_elements(&shape);
    const uint32_t count = quartic_model_parameter_count(model);
    float *storage = tool_alloc(elements, sizeof storage[0]);
    char *hashes = tool_alloc((size_t)count * HASH_DIGITS + 1, 1);
    quartic_status status = quartic_tensor_read(weights, storage, elements * sizeof storage[0]);
    for (uint32_t k = 0; k < count && status == QUARTIC_OK; ++k) {
        quartic_model_parameter parameter;
        status = quartic_model_get_parameter(model, k, &parameter);
        if (status != QUARTIC_OK) break;
        const uint32_t hash = tool_hash_bytes(TOOL_HASH_START, storage + parameter.offset,
                                              parameter.elements * sizeof storage[0]);
        snprintf(hashes + (size_t)k * HASH_DIGITS, HASH_DIGITS + 1, "%08x", hash);
    }
    free(storage);
    if (status == QUARTIC_OK) return hashes;
    free(hashes);
    return NULL;
}

bool resume_hash_weights(const command *command, const quartic_model *model, run_note *note) {
    free(note->initial);
    note->initial = hash_weights(model);
    return note->initial != NULL || (tool_fail_library(command, NULL), false);
}

quartic_status resume_write(quartic_trainer *trainer, const run_note *note) {
    json_t *json =
        tool_json_object("device", tool_json_text(note->device), "initial", tool_json_text(note->initial),
                         "save_every", tool_json_count(note->save_every), NULL);
    char *text = json == NULL ? NULL : json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS);
    json_decref(json);
    const quartic_status status = quartic_trainer_set_note(trainer, text == NULL ? "" : text);
    free(text);
    return status;
}

/* Compares with the weights of the file, which are in `began`. */
static bool same_hashes(const command *command, const quartic_model *began, const run_note *note,
                        const char *path) {
    char *hashes = hash_weights(began);
    if (hashes == NULL) return tool_fail_library(command, NULL), false;
    const uint32_t count = quartic_model_parameter_count(began);
    uint32_t k = 0;
    while (k < count && strncmp(hashes + (size_t)k * HASH_DIGITS, note->initial + (size_t)k * HASH_DIGITS,
                                HASH_DIGITS) == 0)
        ++k;
    free(hashes);
    if (k == count) return true;
    quartic_model_parameter parameter;
    if (quartic_model_get_parameter(began, k, &parameter) != QUARTIC_OK)
        return tool_fail_library(command, NULL), false;
    tool_fail(command, "leave out --init to go on, or start a new run with it in another folder.",
              "the run did not begin with the weights of %s: the first that differs is \"%s\"", path,
              parameter.name);
    return false;
}

bool resume_compare_weights(const command *command, const quartic_model *model, const run_note *note,
                            const char *path) {
    quartic_model *began = NULL;
    bool same = false;
    quartic_model_config config = *quartic_model_get_config(model);
    config.weights = NULL;
    if (quartic_model_create(quartic_model_device(model), &config, &began) != QUARTIC_OK ||
        quartic_model_load(began, path) != QUARTIC_OK) {
        tool_fail_library(command, "leave out --init: a resumed run has its weights from its checkpoint.");
    } else if (note->initial == NULL ||
               strlen(note->initial) != (size_t)quartic_model_parameter_count(model) * HASH_DIGITS) {
        tool_fail(command, "leave out --init: a resumed run has its weights from its checkpoint.",
                  "the checkpoint does not say with which weights the run began, so they cannot be compared "
                  "with those of %s",
                  path);
    } else {
        same = same_hashes(command, began, note, path);
    }
    quartic_model_destroy(began);
    return same;
}

/* ---- differences ---- */

void resume_tell(const command *command, const quartic_trainer_config *was, const quartic_trainer_config *is,
                 uint64_t step) {
    const unsigned long long next = (unsigned long long)step + 1;
#define TELL_COUNT(name, standard, least, most, meaning)                                                     \
    if (was->name != is->name)                                                                               \
        tool_note(command, #name " is %u from step %llu on; it was %u", is->name, next, was->name);
#define TELL_FLAG(name, standard, meaning) TELL_COUNT(name, standard, 0, 1, meaning)
#define TELL_REAL(name, standard, least, most, meaning)                                                      \
    if (was->name != is->name)                                                                               \
        tool_note(command, #name " is %g from step %llu on; it was %g", (double)is->name, next,              \
                  (double)was->name);
    QUARTIC_TRAINER_FIELD_LIST(TELL_COUNT, TELL_FLAG, TELL_REAL)
#undef TELL_COUNT
#undef TELL_FLAG
#undef TELL_REAL
}

/* "the plans' own choices" or "measured choices (hash ..)". */
static void tuning_words(const char *hash, char words[64]) {
    if (strtoull(hash, NULL, 16) == 0)
        snprintf(words, 64, "the plans' own choices");
    else
        snprintf(words, 64, "measured choices (hash %.16s)", hash);
}

void resume_tell_tuning(const command *command, const run_note *note, const quartic_device *device,
                        uint64_t step) {
    char hash[24], is[64], was[64];
    snprintf(hash, sizeof hash, "%016llx", (unsigned long long)quartic_device_tuning_hash(device));
    if (note->tuning == NULL || strcmp(note->tuning, hash) == 0) return;
    tuning_words(hash, is);
    tuning_words(note->tuning, was);
    tool_note(
        command,
        "programs are made with %s from step %llu on; the checkpoint's with %s, whose numbers may differ "
        "within rounding (`quartic tune` measures, --fixed leaves out)",
        is, (unsigned long long)step + 1, was);
}
