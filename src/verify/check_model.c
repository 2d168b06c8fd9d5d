/* check_model.c: quartic_verify: recorded cases of models, modules and training, replayed on a device.
 *
 * Models: logits, loss and every gradient through model.h. Training: the losses, gradient norms and final
 * weights of the recorded steps through train.h. Modules: see module.h. Every recorded result must be
 * computed here, so a result that was forgotten fails the case.
 *
 * Some modules were recorded plain, masked and causal one after the other, without clearing the gradients of
 * their weights in between: each of these files has the sum over all of them. Such a file has siblings in its
 * folder, with exactly the same weights and weight gradients. Then the sum over the siblings is compared.
 */
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/call.h"
#include "base/find.h"
#include "base/status.h"
#include "quartic/model.h"
#include "quartic/train.h"
#include "verify/harness.h"
#include "verify/module.h"

/* ---- models ---- */

/* Keys of recorded training configurations that a model's configuration does not have. */
static const char *const training_keys[] = {"lr", "weight_decay", "clip"};

/* Weight of a recorded diversity loss, "aux", in the recorded loss. */
#define AUX_FACTOR 0.1f

static bool is_model(const quartic_recording *recording) {
    quartic_model_config config = QUARTIC_MODEL_CONFIG_INIT;
    quartic_json_writer text = {.bytes = NULL};
    quartic_json_put(&text, "{\"model\":");
    quartic_json_put_text(&text, recording->model);
    quartic_json_put(&text, "}");
    bool known =
        text.status == QUARTIC_OK && quartic_model_config_read_json(&config, text.bytes) == QUARTIC_OK;
    quartic_free(text.bytes);
    return known;
}

/* Whether a key of a recording's configuration is one of the model's. The family is in the metadata. */
static bool is_models_key(const char *key) {
    const size_t count = sizeof training_keys / sizeof training_keys[0];
    return quartic_find_name(training_keys, sizeof training_keys[0], count, key) == count &&
           strcmp(key, "model") != 0;
}

static quartic_status read_recorded_config(const quartic_recording *recording,
                                           quartic_model_config *out_config) {
    *out_config = (quartic_model_config)QUARTIC_MODEL_CONFIG_INIT;
    quartic_json_writer text = {.bytes = NULL};
    quartic_json_put(&text, "{\"model\":");
    quartic_json_put_text(&text, recording->model);
    if (strcmp(recording->family, "reference") == 0)
        quartic_json_put(&text, ",\"compatibility\":\"reference\"");
    QUARTIC_JSON_FOREACH(member, recording->config) {
        if (!is_models_key(member->key)) continue;
        quartic_json_put(&text, ",");
        quartic_json_put_text(&text, member->key);
        quartic_json_put(&text, ":");
        quartic_json_put_value(&text, member);
    }
    quartic_json_put(&text, "}");
    quartic_status status = text.status;
    if (status == QUARTIC_OK) status = quartic_model_config_read_json(out_config, text.bytes);
    quartic_free(text.bytes);
    if (quartic_safetensors_find(recording->file, "output.aux") != NULL)
        out_config->diversity_loss = AUX_FACTOR;
    return status;
}

/* Creates the model and writes the recording's weights, which must be exactly those of the model. The caller
 * destroys *out_model, also after an error. */
static quartic_status create_recorded_model(quartic_device *device, const quartic_recording *recording,
                                            quartic_model **out_model) {
    *out_model = NULL;
    quartic_model_config config;
    QUARTIC_TRY(read_recorded_config(recording, &config));
    QUARTIC_TRY(quartic_model_create(device, &config, out_model));
    uint32_t written = 0, count = quartic_model_parameter_count(*out_model);
    for (uint32_t t = 0; t < quartic_safetensors_count(recording->file); ++t) {
        const quartic_safetensors_tensor *tensor = quartic_safetensors_at(recording->file, t);
        const char *name;
        if (!quartic_starts_with(tensor->name, "param.", &name)) continue;
        float *numbers = NULL;
        quartic_status status = quartic_recording_floats(recording, tensor, &numbers);
        if (status == QUARTIC_OK)
            status = quartic_model_write_parameter(*out_model, name, numbers,
                                                   quartic_shape_elements(&tensor->shape));
        quartic_free(numbers);
        QUARTIC_TRY(status);
        ++written;
    }
    if (written == count) return QUARTIC_OK;
    return quartic_fail(QUARTIC_FORMAT, "the model of %s has %u weights, the recording only %u",
                        recording->path, count, written);
}

typedef quartic_status (*parameter_reader)(const quartic_model *model, const char *name, float *out_numbers,
                                           uint64_t elements);

/* Compares prefix + name for every weight. */
static quartic_status compare_parameters(quartic_replay *replay, const quartic_model *model,
                                         const char *prefix, parameter_reader read) {
    for (uint32_t k = 0; k < quartic_model_parameter_count(model); ++k) {
        quartic_model_parameter parameter;
        QUARTIC_TRY(quartic_model_get_parameter(model, k, &parameter));
        float *numbers = quartic_alloc(parameter.elements, sizeof *numbers);
        if (numbers == NULL) return QUARTIC_OUT_OF_MEMORY;
        char name[256];
        snprintf(name, sizeof name, "%s%s", prefix, parameter.name);
        quartic_status status = read(model, parameter.name, numbers, parameter.elements);
        if (status == QUARTIC_OK) status = quartic_replay_compare(replay, name, numbers, parameter.elements);
        quartic_free(numbers);
        QUARTIC_TRY(status);
    }
    return QUARTIC_OK;
}

/* The inputs of a model case, in memory of their own. */
typedef struct model_inputs {
    uint32_t batch, length;
    int32_t *tokens, *targets;
    uint8_t *mask; /* NULL: none */
} model_inputs;

static quartic_status read_recorded_mask(const quartic_recording *recording, model_inputs *inputs) {
    const quartic_safetensors_tensor *tensor = quartic_safetensors_find(recording->file, "input.mask");
    if (tensor == NULL) return QUARTIC_OK;
    uint64_t count = quartic_shape_elements(&tensor->shape);
    if (count != (uint64_t)inputs->batch * inputs->length)
        return quartic_fail(QUARTIC_SHAPE_MISMATCH, "input.mask of %s is not of the tokens' shape",
                            recording->path);
    int32_t *numbers = NULL;
    quartic_status status = quartic_recording_ints(recording, tensor, &numbers);
    inputs->mask = quartic_alloc(count, 1);
    if (inputs->mask == NULL) status = QUARTIC_OUT_OF_MEMORY;
    for (uint64_t i = 0; status == QUARTIC_OK && i < count; ++i) inputs->mask[i] = numbers[i] != 0;
    quartic_free(numbers);
    return status;
}

static quartic_status read_recorded_inputs(const quartic_recording *recording, const quartic_model *model,
                                           model_inputs *inputs) {
    const quartic_safetensors_tensor *tokens, *targets;
    for (uint32_t t = 0; t < quartic_safetensors_count(recording->file); ++t) {
        const char *name = quartic_safetensors_at(recording->file, t)->name, *input;
        if (quartic_starts_with(name, "input.", &input) && strcmp(input, "tokens") != 0 &&
            strcmp(input, "targets") != 0 && strcmp(input, "mask") != 0)
            return quartic_fail(QUARTIC_UNSUPPORTED,
                                "%s records \"%s\"; recorded models take tokens, targets and a mask here",
                                recording->path, name);
    }
    QUARTIC_TRY(quartic_recording_find(recording, "input.", "tokens", &tokens));
    QUARTIC_TRY(quartic_recording_find(recording, "input.", "targets", &targets));
    if (tokens->shape.rank != 2)
        return quartic_fail(QUARTIC_SHAPE_MISMATCH, "input.tokens of %s must be (b, n)", recording->path);
    inputs->batch = tokens->shape.dims[0];
    inputs->length = tokens->shape.dims[1];
    const uint64_t rows = quartic_model_logit_rows(model, inputs->batch, inputs->length);
    if (quartic_shape_elements(&targets->shape) != rows)
        return quartic_fail(
            QUARTIC_SHAPE_MISMATCH,
            "input.targets of %s has %llu elements; with this read-out there are %llu targets",
            recording->path, (unsigned long long)quartic_shape_elements(&targets->shape),
            (unsigned long long)rows);
    QUARTIC_TRY(quartic_recording_ints(recording, tokens, &inputs->tokens));
    QUARTIC_TRY(quartic_recording_ints(recording, targets, &inputs->targets));
    return read_recorded_mask(recording, inputs);
}

static quartic_status compare_diversity(quartic_replay *replay, quartic_model *model,
                                        const model_inputs *in) {
    if (quartic_safetensors_find(replay->recording->file, "output.aux") == NULL) return QUARTIC_OK;
    quartic_model_readout readout = QUARTIC_MODEL_READOUT_INIT;
    float diversity;
    readout.diversity = &diversity;
    QUARTIC_TRY(quartic_model_inspect(model, in->batch, in->length, in->tokens, in->mask, &readout));
    return quartic_replay_compare(replay, "output.aux", &diversity, 1);
}

static quartic_status replay_passes(quartic_replay *replay, quartic_model *model, const model_inputs *in) {
    uint64_t count =
        quartic_model_logit_rows(model, in->batch, in->length) * quartic_model_get_config(model)->num_classes;
    float *logits = quartic_alloc(count, sizeof *logits), loss, loss_again;
    if (logits == NULL) return QUARTIC_OUT_OF_MEMORY;
    quartic_status status = quartic_model_forward(model, in->batch, in->length, in->tokens, in->mask, logits);
    if (status == QUARTIC_OK) status = quartic_replay_compare(replay, "output.logits", logits, count);
    quartic_free(logits);
    QUARTIC_TRY(status);
    QUARTIC_TRY(quartic_model_loss(model, in->batch, in->length, in->tokens, in->targets, in->mask, &loss));
    QUARTIC_TRY(quartic_model_gradients(model, in->batch, in->length, in->tokens, in->targets, in->mask,
                                        &loss_again));
    /* Of the two losses the one with the larger error is compared. */
    const quartic_safetensors_tensor *recorded;
    float *want = NULL;
    QUARTIC_TRY(quartic_recording_find(replay->recording, "output.", "loss", &recorded));
    status = quartic_recording_floats(replay->recording, recorded, &want);
    if (status == QUARTIC_OK && !(fabsf(loss - want[0]) >= fabsf(loss_again - want[0]))) loss = loss_again;
    quartic_free(want);
    QUARTIC_TRY(status);
    QUARTIC_TRY(quartic_replay_compare(replay, "output.loss", &loss, 1));
    QUARTIC_TRY(compare_diversity(replay, model, in));
    return compare_parameters(replay, model, "grad.", quartic_model_read_gradient);
}

static quartic_status replay_model(quartic_replay *replay, quartic_device *device) {
    quartic_model *model;
    model_inputs inputs = {0};
    quartic_status status = create_recorded_model(device, replay->recording, &model);
    if (status == QUARTIC_OK) status = read_recorded_inputs(replay->recording, model, &inputs);
    if (status == QUARTIC_OK) status = replay_passes(replay, model, &inputs);
    quartic_free(inputs.tokens);
    quartic_free(inputs.targets);
    quartic_free(inputs.mask);
    quartic_model_destroy(model);
    return status;
}

/* ---- training ---- */

static quartic_status read_real(const quartic_recording *recording, const char *key, float *out_number) {
    double number;
    QUARTIC_TRY(quartic_recording_number(recording, key, &number));
    *out_number = (float)number;
    return QUARTIC_OK;
}

/* Trains. tokens (steps, b, n + 1): the first n tokens of a row predict its last n. */
static quartic_status replay_steps(quartic_replay *replay, quartic_trainer *trainer, const int32_t *tokens,
                                   uint32_t steps) {
    uint32_t batch = quartic_trainer_get_config(trainer)->batch,
             length = quartic_trainer_get_config(trainer)->length;
    uint64_t rows = batch, count = rows * length;
    int32_t *inputs = quartic_alloc(2 * count, sizeof *inputs), *targets = inputs + count;
    float *losses = quartic_alloc(2 * (size_t)steps, sizeof *losses), *norms = losses + steps;
    quartic_status status = inputs == NULL || losses == NULL ? QUARTIC_OUT_OF_MEMORY : QUARTIC_OK;
    for (uint32_t s = 0; status == QUARTIC_OK && s < steps; ++s) {
        for (uint64_t r = 0; r < rows; ++r) {
            const int32_t *row = tokens + (s * rows + r) * (length + 1);
            memcpy(inputs + r * length, row, length * sizeof *row);
            memcpy(targets + r * length, row + 1, length * sizeof *row);
        }
        quartic_step_report report;
        status = quartic_trainer_step(trainer, inputs, targets, NULL, &report);
        losses[s] = report.loss;
        norms[s] = report.gradient_norm;
    }
    if (status == QUARTIC_OK) status = quartic_replay_compare(replay, "output.losses", losses, steps);
    if (status == QUARTIC_OK) status = quartic_replay_compare(replay, "output.grad_norms", norms, steps);
    quartic_free(inputs);
    quartic_free(losses);
    return status;
}

static quartic_status run_training(quartic_replay *replay, quartic_model *model) {
    const quartic_recording *recording = replay->recording;
    const quartic_safetensors_tensor *tensor;
    quartic_trainer_config config = QUARTIC_TRAINER_CONFIG_INIT;
    QUARTIC_TRY(quartic_recording_find(recording, "input.", "tokens", &tensor));
    if (tensor->shape.rank != 3 || tensor->shape.dims[2] < 2)
        return quartic_fail(QUARTIC_SHAPE_MISMATCH, "input.tokens of %s must be (steps, b, n + 1)",
                            recording->path);
    config.batch = tensor->shape.dims[1];
    config.length = tensor->shape.dims[2] - 1;
    QUARTIC_TRY(read_real(recording, "lr", &config.learning_rate));
    QUARTIC_TRY(read_real(recording, "weight_decay", &config.weight_decay));
    QUARTIC_TRY(read_real(recording, "clip", &config.clip));
    quartic_trainer *trainer = NULL;
    int32_t *tokens = NULL;
    quartic_status status = quartic_recording_ints(recording, tensor, &tokens);
    if (status == QUARTIC_OK) status = quartic_trainer_create(model, &config, &trainer);
    if (status == QUARTIC_OK) status = replay_steps(replay, trainer, tokens, tensor->shape.dims[0]);
    quartic_trainer_destroy(trainer);
    quartic_free(tokens);
    QUARTIC_TRY(status);
    return compare_parameters(replay, model, "final.", quartic_model_read_parameter);
}

static quartic_status replay_training(quartic_replay *replay, quartic_device *device) {
    quartic_model *model;
    quartic_status status = create_recorded_model(device, replay->recording, &model);
    if (status == QUARTIC_OK) status = run_training(replay, model);
    quartic_model_destroy(model);
    return status;
}

/* ---- modules ---- */

static bool same_bytes(const quartic_safetensors_tensor *a, const quartic_safetensors_tensor *b) {
    return b != NULL && a->bytes == b->bytes && memcmp(a->data, b->data, a->bytes) == 0;
}

/* Whether two recordings are of one module with the same weights and the same recorded gradients of these. */
static bool are_siblings(const quartic_recording *a, const quartic_recording *b) {
    if (strcmp(a->model, b->model) != 0 || strcmp(b->family, "module") != 0) return false;
    uint32_t weights = 0;
    for (uint32_t t = 0; t < quartic_safetensors_count(a->file); ++t) {
        const quartic_safetensors_tensor *tensor = quartic_safetensors_at(a->file, t);
        if (!quartic_starts_with(tensor->name, "param.", NULL) &&
            !quartic_starts_with(tensor->name, "grad.param.", NULL))
            continue;
        if (!same_bytes(tensor, quartic_safetensors_find(b->file, tensor->name))) return false;
        ++weights;
    }
    return weights > 0;
}

static void add_weight_gradients(quartic_module_results *sum, const quartic_module_results *more) {
    for (uint32_t r = 0; r < sum->count; ++r) {
        if (!quartic_starts_with(sum->items[r].name, "grad.param.", NULL)) continue;
        for (uint32_t k = 0; k < more->count; ++k)
            if (strcmp(sum->items[r].name, more->items[k].name) == 0)
                for (uint64_t i = 0; i < sum->items[r].count; ++i)
                    sum->items[r].numbers[i] += more->items[k].numbers[i];
    }
}

/* Adds the weight gradients of the recording at that path if it is a sibling. A file that is no recording is
 * no sibling. */
static quartic_status add_sibling(quartic_replay *replay, quartic_device *device, const char *path,
                                  quartic_module_results *results, uint32_t *count) {
    quartic_recording other;
    quartic_status status = quartic_recording_open(path, &other);
    if (status != QUARTIC_OK) return status == QUARTIC_OUT_OF_MEMORY ? status : QUARTIC_OK;
    if (are_siblings(replay->recording, &other)) {
        quartic_module_results *more = quartic_alloc(1, sizeof *more);
        status = more == NULL ? QUARTIC_OUT_OF_MEMORY : quartic_module_replay(device, &other, more);
        if (status == QUARTIC_OK) add_weight_gradients(results, more);
        if (status == QUARTIC_OK) ++*count;
        if (more != NULL) quartic_module_results_free(more);
        quartic_free(more);
    }
    quartic_recording_close(&other);
    return status;
}

/* Adds the weight gradients of all siblings in the recording's folder. */
static quartic_status add_siblings(quartic_replay *replay, quartic_device *device,
                                   quartic_module_results *results) {
    const char *path = replay->recording->path, *slash = strrchr(path, '/'),
               *own = slash == NULL ? path : slash + 1;
    char folder[1024], other[2048];
    snprintf(folder, sizeof folder, "%.*s", slash == NULL ? 1 : (int)(own - path),
             slash == NULL ? "." : path);
    DIR *entries = opendir(folder);
    if (entries == NULL) return QUARTIC_OK;
    quartic_status status = QUARTIC_OK;
    uint32_t count = 1;
    for (struct dirent *entry; status == QUARTIC_OK && (entry = readdir(entries)) != NULL;) {
        size_t length = strlen(entry->d_name), ending = strlen(".safetensors");
        if (length <= ending || strcasecmp(entry->d_name + length - ending, ".safetensors") != 0) continue;
        if (strcmp(entry->d_name, own) == 0) continue;
        snprintf(other, sizeof other, "%s/%s", folder, entry->d_name);
        status = add_sibling(replay, device, other, results, &count);
    }
    closedir(entries);
    if (count > 1)
        snprintf(replay->note, sizeof replay->note, "weight gradients are recorded as the sum over %u files",
                 count);
    return status;
}

static quartic_status replay_module(quartic_replay *replay, quartic_device *device) {
    quartic_module_results *results = quartic_alloc(1, sizeof *results);
    if (results == NULL) return QUARTIC_OUT_OF_MEMORY;
    quartic_status status = quartic_module_replay(device, replay->recording, results);
    if (status == QUARTIC_OK) status = add_siblings(replay, device, results);
    for (uint32_t r = 0; status == QUARTIC_OK && r < results->count; ++r)
        status = quartic_replay_compare(replay, results->items[r].name, results->items[r].numbers,
                                        results->items[r].count);
    quartic_module_results_free(results);
    quartic_free(results);
    return status;
}

/* ---- one file, all files ---- */

static quartic_status replay_recording(quartic_replay *replay, quartic_device *device) {
    const quartic_recording *recording = replay->recording;
    bool module = strcmp(recording->family, "module") == 0,
         training = strcmp(recording->family, "train") == 0;
    if (module ? !quartic_module_known(recording->model) : !is_model(recording))
        return quartic_fail(QUARTIC_UNSUPPORTED, "%s records the %s \"%s\", which this library does not have",
                            recording->path, module ? "module" : "model", recording->model);
    QUARTIC_TRY(module     ? replay_module(replay, device)
                : training ? replay_training(replay, device)
                           : replay_model(replay, device));
    return quartic_replay_check_complete(replay);
}

static quartic_status verify_file(quartic_device *device, const char *path, quartic_reporter *reporter) {
    quartic_recording recording;
    quartic_replay replay = {.recording = &recording};
    char text[QUARTIC_HARNESS_TEXT];
    quartic_status status = quartic_recording_open(path, &recording);
    if (status == QUARTIC_OK) status = replay_recording(&replay, device);
    quartic_check check = {.verdict = QUARTIC_FAILED,
                           .subject = path,
                           .label = "",
                           .check = "replay",
                           .text = text,
                           .error = INFINITY};
    if (status == QUARTIC_OK) {
        const quartic_comparison *o = &replay.outputs.comparison, *g = &replay.gradients.comparison;
        const quartic_comparison *worst =
            replay.gradients.any && g->error / g->bound > o->error / o->bound ? g : o;
        check.verdict = replay.failed == 0 ? QUARTIC_PASSED : QUARTIC_FAILED;
        check.error = worst->error;
        check.bound = worst->bound;
        quartic_replay_text(&replay, text, sizeof text);
    } else {
        if (status == QUARTIC_UNSUPPORTED) check.verdict = QUARTIC_NOT_SUPPORTED;
        snprintf(text, sizeof text, "%s", quartic_error_detail());
    }
    check.label = recording.model == NULL ? "" : recording.model;
    quartic_report(reporter, &check);
    if (recording.file != NULL) quartic_recording_close(&recording);
    return status == QUARTIC_OUT_OF_MEMORY || status == QUARTIC_DEVICE_LOST ? status : QUARTIC_OK;
}

quartic_status quartic_verify(quartic_device *device, const char *const *paths, uint32_t count,
                              quartic_check_callback callback, void *context,
                              quartic_check_totals *out_totals) {
    QUARTIC_CALL();
    QUARTIC_NEED(device);
    QUARTIC_NEED(paths);
    if (count == 0)
        return quartic_fail(QUARTIC_INVALID_ARGUMENT,
                            "count is 0: there is no file to verify; give at least one");
    for (uint32_t p = 0; p < count; ++p)
        if (paths[p] == NULL) return quartic_fail(QUARTIC_INVALID_ARGUMENT, "paths[%u] is NULL", p);
    quartic_reporter reporter = {.callback = callback, .context = context};
    quartic_status status = QUARTIC_OK;
    for (uint32_t p = 0; status == QUARTIC_OK && p < count; ++p)
        status = verify_file(device, paths[p], &reporter);
    if (out_totals != NULL) *out_totals = reporter.totals;
    return status;
}
