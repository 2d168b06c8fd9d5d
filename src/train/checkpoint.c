/* checkpoint.c: a whole training run in one safetensors file, replaced atomically.
 *
 * Tensors: the weights under their names, and both moments of each as adamw.first_moment.<name> and
 * adamw.second_moment.<name>. Metadata: "config" (model) and "trainer" as JSON; "seed", "step", "position" in
 * decimal; "tuning", the hash of the measured choices of the device (quartic/tune.h), 16 hexadecimal digits; "note", if
 * there is one. Loading checks everything before anything changes, and saving checks that
 * all numbers are finite before it touches the file.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/call.h"
#include "base/json.h"
#include "io/safetensors.h"
#include "quartic/tune.h"
#include "train/trainer.h"

static const char *const prefixes[] = {"", QUARTIC_TRAINER_PREFIX "first_moment.",
                                       QUARTIC_TRAINER_PREFIX "second_moment."};
enum { PARTS = sizeof prefixes / sizeof prefixes[0], NUMBER_TEXT = 24 };

/* Part 0, 1, 2 of a checkpoint: the weights, the first and the second moments, (P). */
static quartic_tensor *checkpoint_part(const quartic_trainer *trainer, uint32_t part) {
    quartic_tensor *const parts[PARTS] = {trainer->model->weights, trainer->first_moment,
                                          trainer->second_moment};
    return parts[part];
}

/* ---- save ---- */

static quartic_status write_checkpoint(const quartic_trainer *trainer, const char *path,
                                       const quartic_safetensors_tensor *tensors) {
    char *model_text = NULL, *trainer_text = NULL, seed[NUMBER_TEXT], step[NUMBER_TEXT],
         position[NUMBER_TEXT], tuning[NUMBER_TEXT];
    snprintf(tuning, sizeof tuning, "%016llx",
             (unsigned long long)quartic_device_tuning_hash(quartic_model_device(trainer->model)));
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)trainer->config.seed);
    snprintf(step, sizeof step, "%llu", (unsigned long long)trainer->step);
    snprintf(position, sizeof position, "%llu", (unsigned long long)trainer->position);
    quartic_status status =
        quartic_fields_write_json(&quartic_model_field_table, &trainer->model->config, &model_text);
    if (status == QUARTIC_OK)
        status = quartic_fields_write_json(&quartic_trainer_field_table, &trainer->config, &trainer_text);
    if (status == QUARTIC_OK) {
        const quartic_safetensors_text metadata[] = {{"config", model_text}, {"format", "pt"},
                                                     {"position", position}, {"seed", seed},
                                                     {"step", step},         {"trainer", trainer_text},
                                                     {"tuning", tuning},     {"note", trainer->note}};
        const uint32_t count = sizeof metadata / sizeof metadata[0] - (trainer->note == NULL);
        status = quartic_safetensors_save(path, tensors, PARTS * trainer->model->set.count, metadata, count);
    }
    quartic_free(model_text);
    quartic_free(trainer_text);
    return status;
}

quartic_status quartic_trainer_save(const quartic_trainer *trainer, const char *path) {
    QUARTIC_CALL();
    QUARTIC_NEED(trainer);
    QUARTIC_NEED(path);
    /* Trainers are never constant objects: what is in flight belongs to the steps done so far. */
    QUARTIC_TRY(quartic_trainer_settle((quartic_trainer *)(uintptr_t)trainer));
    const uint32_t count = trainer->model->set.count;
    float *storages[PARTS] = {NULL};
    quartic_safetensors_tensor *tensors = quartic_alloc((size_t)PARTS * count, sizeof tensors[0]);
    quartic_status status = tensors == NULL ? QUARTIC_OUT_OF_MEMORY : QUARTIC_OK;
    uint32_t described = 0;
    for (; described < PARTS && status == QUARTIC_OK; ++described) {
        status =
            quartic_model_fetch(trainer->model, checkpoint_part(trainer, described), &storages[described]);
        if (status == QUARTIC_OK)
            status = quartic_model_check_finite(trainer->model, described == 0 ? "weight" : "moment",
                                                prefixes[described], storages[described]);
        if (status == QUARTIC_OK)
            status = quartic_model_describe(trainer->model, prefixes[described], storages[described],
                                            tensors + (size_t)described * count);
    }
    if (status == QUARTIC_OK) status = write_checkpoint(trainer, path, tensors);
    if (status == QUARTIC_OUT_OF_MEMORY || status == QUARTIC_OUT_OF_DEVICE_MEMORY ||
        status == QUARTIC_DEVICE_LOST)
        status = quartic_fail(status, "saving training step %llu: %s; \"%s\" is as it was",
                              (unsigned long long)trainer->step, quartic_error_detail(),
                              quartic_safetensors_path_end(path));
    /* After a failure some names are NULL, which quartic_free takes. */
    for (uint32_t k = 0; tensors != NULL && k < PARTS * count; ++k)
        quartic_free((void *)(uintptr_t)tensors[k].name);
    for (uint32_t part = 0; part < PARTS; ++part) quartic_free(storages[part]);
    quartic_free(tensors);
    return status;
}

/* ---- load ---- */

static quartic_status read_metadata_text(const quartic_safetensors *file, const char *path, const char *key,
                                         const char **out_text) {
    *out_text = quartic_safetensors_metadata(file, key);
    if (*out_text != NULL) return QUARTIC_OK;
    return quartic_fail(QUARTIC_FORMAT, "\"%s\" is no trainer's checkpoint: its metadata has no \"%s\"", path,
                        key);
}

static quartic_status read_metadata_number(const quartic_safetensors *file, const char *path, const char *key,
                                           uint64_t *out_number) {
    const char *text;
    QUARTIC_TRY(read_metadata_text(file, path, key, &text));
    char *end = NULL;
    errno = 0;
    *out_number = strtoull(text, &end, 10);
    if (text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0) return QUARTIC_OK;
    return quartic_fail(QUARTIC_FORMAT, "\"%s\" in the metadata of \"%s\" is \"%s\", not a number", key, path,
                        text);
}

static quartic_status read_settings(const quartic_safetensors *file, const char *path,
                                    quartic_trainer_config *out_config) {
    const char *text;
    *out_config = (quartic_trainer_config)QUARTIC_TRAINER_CONFIG_INIT;
    QUARTIC_TRY(read_metadata_text(file, path, "trainer", &text));
    QUARTIC_TRY(quartic_fields_read_json(&quartic_trainer_field_table, text, out_config));
    return read_metadata_number(file, path, "seed", &out_config->seed);
}

quartic_status quartic_trainer_config_read(const char *path, quartic_trainer_config *out_config) {
    QUARTIC_CALL();
    QUARTIC_NEED(path);
    QUARTIC_NEED(out_config);
    quartic_safetensors *file;
    quartic_trainer_config config;
    QUARTIC_TRY(quartic_safetensors_open(path, &file));
    quartic_status status = read_settings(file, path, &config);
    quartic_safetensors_close(file);
    if (status == QUARTIC_OK) *out_config = config;
    return status;
}

/* INVALID_ARGUMENT if a setting that decides the numbers of a run differs from the file's. */
static quartic_status compare_settings(const quartic_trainer *trainer, const quartic_safetensors *file,
                                       const char *path) {
    quartic_trainer_config saved;
    QUARTIC_TRY(read_settings(file, path, &saved));
    const struct {
        const char *name;
        uint64_t saved, own;
    } settings[] = {
        {"seed", saved.seed, trainer->config.seed},
        {"batch", saved.batch, trainer->config.batch},
        {"length", saved.length, trainer->config.length},
        {"accumulation", saved.accumulation, trainer->config.accumulation},
        {"masked", saved.masked, trainer->config.masked},
    };
    for (uint32_t k = 0; k < sizeof settings / sizeof settings[0]; ++k)
        if (settings[k].saved != settings[k].own)
            return quartic_fail(
                QUARTIC_INVALID_ARGUMENT,
                "\"%s\" was trained with %s %llu, this trainer has %llu, so the run could not go on as "
                "it was; create the trainer with quartic_trainer_config_read's settings",
                path, settings[k].name, (unsigned long long)settings[k].saved,
                (unsigned long long)settings[k].own);
    return QUARTIC_OK;
}

static quartic_status compare_models(const quartic_trainer *trainer, const quartic_safetensors *file,
                                     const char *path) {
    const char *text;
    quartic_model_config saved = QUARTIC_MODEL_CONFIG_INIT;
    QUARTIC_TRY(read_metadata_text(file, path, "config", &text));
    QUARTIC_TRY(quartic_model_config_read_from(&saved, text, strlen(text), path));
    char label[512];
    snprintf(label, sizeof label, "\"%s\"", quartic_safetensors_path_end(path));
    return quartic_model_config_compare(&saved, label, &trainer->model->config, "the trainer's model");
}

static quartic_status copy_note(const char *text, char **out_copy) {
    *out_copy = NULL;
    if (text == NULL || text[0] == 0) return QUARTIC_OK;
    *out_copy = quartic_alloc(strlen(text) + 1, 1);
    if (*out_copy == NULL) return QUARTIC_OUT_OF_MEMORY;
    strcpy(*out_copy, text);
    return QUARTIC_OK;
}

quartic_status quartic_trainer_set_note(quartic_trainer *trainer, const char *note) {
    QUARTIC_CALL();
    QUARTIC_NEED(trainer);
    QUARTIC_NEED(note);
    if (!quartic_utf8_valid(note)) /* no checkpoint could hold it */
        return quartic_fail(
            QUARTIC_INVALID_ARGUMENT,
            "the note is no valid UTF-8, which a checkpoint's texts are; encode it as ASCII, such "
            "as hexadecimal digits");
    char *copy;
    QUARTIC_TRY(copy_note(note, &copy));
    quartic_free(trainer->note);
    trainer->note = copy;
    return QUARTIC_OK;
}

const char *quartic_trainer_get_note(const quartic_trainer *trainer) {
    QUARTIC_CALL();
    QUARTIC_NEED_OR(trainer, "");
    return trainer->note == NULL ? "" : trainer->note;
}

/* Writes weights and moments to the device. If a write fails, writes back what was there before. */
static quartic_status write_parts(quartic_trainer *trainer, float *const storages[PARTS]) {
    const size_t bytes = trainer->model->set.elements * sizeof(float);
    float *before[PARTS] = {NULL};
    quartic_status status = QUARTIC_OK;
    for (uint32_t part = 0; part < PARTS && status == QUARTIC_OK; ++part)
        status = quartic_model_fetch(trainer->model, checkpoint_part(trainer, part), &before[part]);
    uint32_t written = 0;
    for (; written < PARTS && status == QUARTIC_OK; ++written)
        status = quartic_tensor_write(checkpoint_part(trainer, written), storages[written], bytes);
    if (status != QUARTIC_OK && written > 0) {
        char message[512];
        snprintf(message, sizeof message, "%s", quartic_error_detail());
        quartic_status restored = QUARTIC_OK;
        for (uint32_t part = 0; part < written && restored == QUARTIC_OK; ++part)
            restored = quartic_tensor_write(checkpoint_part(trainer, part), before[part], bytes);
        status = quartic_fail(
            status, "%s%s", message,
            restored == QUARTIC_OK ? "" : "; nor could what was there be restored: load a checkpoint again");
    }
    for (uint32_t part = 0; part < PARTS; ++part) quartic_free(before[part]);
    return status;
}

static quartic_status load_checkpoint_from(quartic_trainer *trainer, const quartic_safetensors *file,
                                           const char *path, float *const storages[PARTS]) {
    uint64_t step, position;
    char *note;
    QUARTIC_TRY(compare_settings(trainer, file, path));
    QUARTIC_TRY(compare_models(trainer, file, path));
    QUARTIC_TRY(read_metadata_number(file, path, "step", &step));
    QUARTIC_TRY(read_metadata_number(file, path, "position", &position));
    for (uint32_t part = 0; part < PARTS; ++part)
        QUARTIC_TRY(quartic_model_stage(trainer->model, file, path, prefixes[part], storages[part]));
    QUARTIC_TRY(quartic_model_refuse_extra(trainer->model, file, path));
    QUARTIC_TRY(copy_note(quartic_safetensors_metadata(file, "note"), &note));
    const quartic_status status = write_parts(trainer, storages);
    if (status != QUARTIC_OK) {
        quartic_free(note);
        return status;
    }
    trainer->step = step;
    trainer->position = position;
    quartic_free(trainer->note);
    trainer->note = note;
    return QUARTIC_OK;
}

quartic_status quartic_trainer_load(quartic_trainer *trainer, const char *path) {
    QUARTIC_CALL();
    QUARTIC_NEED(trainer);
    QUARTIC_NEED(path);
    quartic_safetensors *file;
    float *storages[PARTS] = {NULL};
    /* That a step before was not finite is what loading mends. */
    quartic_status status = quartic_trainer_settle(trainer);
    if (status != QUARTIC_OK && status != QUARTIC_NON_FINITE) return status;
    QUARTIC_TRY(quartic_safetensors_open(path, &file));
    status = QUARTIC_OK;
    for (uint32_t part = 0; part < PARTS && status == QUARTIC_OK; ++part) {
        storages[part] = quartic_alloc(trainer->model->set.elements, sizeof(float));
        if (storages[part] == NULL) status = QUARTIC_OUT_OF_MEMORY;
    }
    if (status == QUARTIC_OK) status = load_checkpoint_from(trainer, file, path, storages);
    for (uint32_t part = 0; part < PARTS; ++part) quartic_free(storages[part]);
    quartic_safetensors_close(file);
    return status;
}
